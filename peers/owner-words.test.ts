import { expect, it } from 'vitest';
import { FakeLog } from '#log/testing/fake-log.ts';
import { readShareEvents } from '#mesh/events/records.ts';
import { partitionOfStorageIndex, storageIndexToBytes } from '#mesh/storage-index.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { fileOf } from '#mesh/testing/share-events.ts';
import { OwnerWords } from './owner-words.ts';

it('a file that is deleted is told so where its events stand, each word after the one before', async () => {
  const topic = { name: 'share-events', partitions: 4, compacted: false };
  const log = new FakeLog([topic]);
  const words = new OwnerWords({
    log,
    topic: topic as never,
    clock: new ManualClock(),
    randomBytes: (count) => new Uint8Array(count).fill(9),
  });
  await Promise.all([words.deleted(fileOf(5)), words.deleted(fileOf(5))]);
  const index = storageIndexToBytes(fileOf(5));
  const records = await log.read(topic.name, partitionOfStorageIndex(index, 0, 4), 0, 1000);
  const batches = records.map(({ value }) => readShareEvents(value as Uint8Array));
  expect(batches).toMatchObject([
    { kind: 'batch', batch: { sequence: 1, deletedFiles: index } },
    { kind: 'batch', batch: { sequence: 2, deletedFiles: index } },
  ]);
});
