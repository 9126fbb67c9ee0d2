/** Records of the log that nobody can read: kept as a dead letter, passed over, and healed by inventories as what retention took. */
import { fromBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { EventLog, GroupConsumer } from '#log/port.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { DeadLetterSchema } from '#mesh/generated/events_pb.js';
import { fileOf } from '#mesh/testing/share-events.ts';
import { staleReasonsInWords } from './mesh/stale-reason.ts';
import { changedLog } from './testing/changed-log.ts';
import { MemoryStore } from './testing/memory-store.ts';
import { eventually, peers, TestMesh } from './testing/mesh.ts';

let mesh: TestMesh;
beforeEach(async () => {
  mesh = await TestMesh.open();
});
afterEach(() => mesh.close());

/** The log whose records for which `isLost` holds cannot be read by members of groups. */
function damagedWhere(log: EventLog, isLost: (partition: number, offset: number) => boolean): EventLog {
  const damaged = (consumer: GroupConsumer): GroupConsumer => ({
    assigned: (partitions) => consumer.assigned(partitions),
    revoked: (partitions) => consumer.revoked(partitions),
    truncated: (partition, from, first) => consumer.truncated?.(partition, from, first) ?? Promise.resolve(),
    async records(partition, records) {
      for (const record of records) {
        const { topic, offset, value } = record;
        if (!isLost(partition.partition, offset)) {
          await consumer.records(partition, [record]);
          continue;
        }
        const error = new MeshwardError('log-corrupt', 'the batch does not match its checksum', { next: 'Look.' });
        const place = { topic, partition: partition.partition, offset, nextOffset: offset + 1 };
        await consumer.unreadable?.(partition, { ...place, bytes: value ?? new Uint8Array(), error });
      }
    },
  });
  return changedLog(log, { join: (group, topics, consumer) => log.join(group, topics, damaged(consumer)) });
}

it('of share-events are a dead letter, keep health stale until inventories have come, and stop nothing', async () => {
  const store = new MemoryStore(() => mesh.wallMs);
  await mesh.announce();
  await mesh.put([1, 2]);
  await mesh.pass(2000, peers);
  const { ends } = await mesh.offsets();
  await mesh.lose(1, [0, 1, 2]);
  const after = (await mesh.offsets()).ends;
  await mesh.tick(peers);
  const isLost = (partition: number, offset: number) =>
    offset >= (ends[partition] as number) && offset < (after[partition] as number);
  const running = await mesh.start(store, { log: damagedWhere(mesh.log, isLost) });
  await mesh.seenBy(running);
  expect(running.analyzer.failure).toBeNull();
  expect(staleReasonsInWords(running.analyzer.freshness().reasons).join()).toMatch(
    /records of the log were never read/,
  );
  expect(running.analyzer.file(fileOf(1))?.health.available).toBe(6);
  const letters = (await mesh.log.read(mesh.topics.deadLetters.name, 0, 0, 1 << 20)).map(({ value }) =>
    fromBinary(DeadLetterSchema, value as Uint8Array),
  );
  expect(letters.length).toBeGreaterThan(0);
  for (const { reasonCode, source, payload } of letters) {
    expect(reasonCode).toBe('log-corrupt');
    expect(source).toMatch(new RegExp(`^${mesh.topics.shareEvents.name}/\\d+@\\d+$`));
    expect(payload.length).toBeGreaterThan(0);
  }
  await eventually(async () => expect((await mesh.inventoryAsks()).size).toBe(peers.length));
  for (const peer of peers) {
    const files = peer < 3 ? [2] : [1, 2];
    await mesh.says({ peer, begin: 1, events: files.map((file) => ['stored', file, peer] as const) });
    await mesh.says({ peer, end: 1 });
    await mesh.tick(peers);
  }
  await mesh.seenBy(running);
  expect(running.analyzer.freshness()).toMatchObject({ state: 'fresh', reasons: [] });
  expect(running.analyzer.file(fileOf(1))?.health.available).toBe(3);
});
