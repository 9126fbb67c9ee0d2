import { beforeEach, describe, expect, it } from 'vitest';
import { FakeLog } from '#log/testing/fake-log.ts';
import { readPeerEvents, readShareEvents } from '#mesh/events/records.ts';
import { peerIdToBytes } from '#mesh/peer-id.ts';
import { partitionOfStorageIndex, storageIndexToBytes } from '#mesh/storage-index.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { fileOf, peerOf } from '#mesh/testing/share-events.ts';
import { openReaderWords, type ReaderWords } from './reader-words.ts';

const topics = { shareEvents: 'share-events', peerEvents: 'peer-events' };
let log: FakeLog;
let words: ReaderWords;
let failed: string[];
beforeEach(async () => {
  log = new FakeLog([
    { name: topics.shareEvents, partitions: 4, compacted: false },
    { name: topics.peerEvents, partitions: 3, compacted: false },
  ]);
  failed = [];
  words = await openReaderWords({
    log,
    topics,
    clock: new ManualClock(),
    reader: 'test',
    onFailed: (reason) => failed.push(reason),
  });
});

describe('the words of a reader', () => {
  it('of a share stand where the events of its file do', async () => {
    words.found(fileOf(5), { shareNumber: 7, peerId: peerOf(1) }, 'a block is bad');
    await words.flush();
    const partition = partitionOfStorageIndex(storageIndexToBytes(fileOf(5)), 0, 4);
    const [record] = await log.read(topics.shareEvents, partition, 0, 1000);
    expect(readShareEvents(record?.value as Uint8Array)).toEqual({
      kind: 'finding',
      finding: {
        storageIndex: storageIndexToBytes(fileOf(5)),
        peer: peerOf(1),
        shareNumber: 7,
        reader: 'test',
        reason: 'a block is bad',
      },
    });
  });

  it('of a peer stand where its own events do', async () => {
    words.notReached(peerOf(1), 'no connection');
    words.reached(peerOf(1));
    words.claims(peerOf(1), 3, 1);
    await words.flush();
    const partition = partitionOfStorageIndex(peerIdToBytes(peerOf(1)), 0, 3);
    const records = await log.read(topics.peerEvents, partition, 0, 1000);
    expect(records.map(({ value }) => readPeerEvents(value as Uint8Array))).toEqual(
      [
        { kind: 'reach', reachable: false, reason: 'no connection' },
        { kind: 'reach', reachable: true, reason: '' },
        { kind: 'claims', held: 3, failed: 1 },
      ].map((body) => ({ kind: 'reader', peer: peerOf(1), body })),
    );
  });

  it('that the log does not take fail nobody, and are told', async () => {
    await log.close();
    words.reached(peerOf(1));
    await words.flush();
    expect(failed).toHaveLength(1);
  });

  it('are bounded', () => {
    for (let word = 0; word < 1_001; word++) words.reached(peerOf(1));
    expect(failed).toEqual(['too many findings wait for the log']);
  });
});
