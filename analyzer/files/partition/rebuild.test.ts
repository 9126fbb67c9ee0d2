/** What a new owner takes over: of the at-risk list what its readers believe and nothing else, and of the log what nobody has read. */
import { create, toBinary } from '@bufbuild/protobuf';
import { createNoopMeter } from '@opentelemetry/api';
import { expect, it } from 'vitest';
import { InMemoryLog } from '#log/in-memory.ts';
import type { AppendRecord, EventLog } from '#log/port.ts';
import { systemClock } from '#mesh/clock.ts';
import { loadConfig } from '#mesh/config/load.ts';
import { AtRiskFileSchema, AtRiskOwnerSchema } from '#mesh/generated/events_pb.js';
import { generationHeader, ownerKey } from '#mesh/list-fence.ts';
import { silentLogger } from '#mesh/logger.ts';
import { policyFor } from '#mesh/policy.ts';
import { storageIndexToBytes } from '#mesh/storage-index.ts';
import { shareTick } from '#mesh/testing/records.ts';
import { fileOf, peerOf } from '#mesh/testing/share-events.ts';
import { topicsOf } from '#mesh/topics.ts';
import { analyzerMetrics } from '../../metrics.ts';
import { MemoryStore } from '../../testing/memory-store.ts';
import { PeerTable } from '../share-map/peer-table.ts';
import { fenceList, rebuildPartition } from './rebuild.ts';

const retention = { retentionMs: 0, retentionBytes: 0 };
const topics = topicsOf({ prefix: 'test.', shareEventsPartitions: 1, peerEventsPartitions: 1, ...retention });

it('does not believe what an earlier owner wrote behind the fence of a later one, and writes it over', async () => {
  const { memory, rebuilt } = stage();
  const record = (generation: number, key: Uint8Array, value: Uint8Array | null): AppendRecord => ({
    partition: 0,
    key,
    value,
    headers: { [generationHeader]: String(generation) },
  });
  const listed = (file: number, generation: number): AppendRecord =>
    record(generation, storageIndexToBytes(fileOf(file)), toBinary(AtRiskFileSchema, create(AtRiskFileSchema)));
  const gone = (file: number, generation: number): AppendRecord =>
    record(generation, storageIndexToBytes(fileOf(file)), null);
  const owner = (generation: number): AppendRecord => {
    const value = create(AtRiskOwnerSchema, { generation: BigInt(generation) });
    return record(generation, ownerKey, toBinary(AtRiskOwnerSchema, value));
  };
  await memory.append(topics.atRisk.name, [
    owner(1),
    listed(1, 1),
    listed(4, 1),
    owner(2),
    listed(2, 2),
    gone(2, 1),
    listed(3, 1),
    gone(4, 2),
  ]);
  const { partition: owned } = await rebuilt({ committedOffset: null, startOffset: 0 });
  expect([1, 2, 3, 4].map((file) => owned.list.has(fileOf(file)))).toEqual([true, true, false, false]);
  expect(new Set(owned.list.takeUnwritten(10))).toEqual(new Set([fileOf(2), fileOf(3)]));
});

it.each([
  { committedOffset: 2, savedTo: 10, lostRecords: 0 },
  { committedOffset: 2, savedTo: 5, lostRecords: 3 },
  { committedOffset: 7, savedTo: 5, lostRecords: 1 },
  { committedOffset: null, savedTo: 0, lostRecords: 8 },
])('holds for lost what neither was committed nor is in the store: $committedOffset, $savedTo', async (given) => {
  const { memory, store, rebuilt } = stage();
  await memory.append(
    topics.shareEvents.name,
    Array.from({ length: 12 }, () => ({ partition: 0, key: null, value: shareTick(1) })),
  );
  await store.claimPartition(0, 1);
  const order = { incarnation: 1, sequence: 1, generation: 1, openGeneration: 0, owesInventory: false };
  const applied = given.savedTo === 0 ? [] : [{ peer: peerOf(1), ...order }];
  const changes = { placements: nothing(), files: [], applied };
  await store.savePartitions([{ partition: 0, version: given.savedTo, changes }]);
  await store.flush();
  const { lostRecords } = await rebuilt({ committedOffset: given.committedOffset, startOffset: 8 });
  expect(lostRecords).toBe(given.lostRecords);
});

async function* nothing(): AsyncGenerator<never> {}

/** One partition, which comes to its third owner. */
function stage() {
  const memory = new InMemoryLog([
    { name: topics.atRisk.name, partitions: 1, compacted: true },
    { name: topics.shareEvents.name, partitions: 1, compacted: false },
  ]);
  const store = new MemoryStore(() => 1);
  const options = {
    // Joining groups is none of a rebuild's business.
    log: memory as Partial<EventLog> as EventLog,
    topics,
    store,
    config: loadConfig({ flags: {} }).config,
    clock: systemClock,
    logger: silentLogger,
    metrics: analyzerMetrics(createNoopMeter()),
  };
  const mapOptions = {
    peers: new PeerTable(),
    policyFor: (coding: { k: number; n: number }, tag: string) => policyFor([], coding, tag),
    maxFiles: 10,
    settleMs: 1,
  };
  const rebuilt = async ({ committedOffset, startOffset }: { committedOffset: number | null; startOffset: number }) => {
    const assigned = { topic: topics.shareEvents.name, partition: 0, generation: 3, committedOffset };
    const ownership = await fenceList(options, assigned);
    const { signal } = new AbortController();
    return rebuildPartition(options, mapOptions, { assigned, startOffset, ownership, signal });
  };
  return { memory, store, rebuilt };
}
