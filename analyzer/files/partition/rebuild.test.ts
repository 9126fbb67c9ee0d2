/** The at-risk list as a new owner loads it: what its readers believe, and nothing else. */
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
import { fileOf } from '#mesh/testing/share-events.ts';
import { topicsOf } from '#mesh/topics.ts';
import { analyzerMetrics } from '../../metrics.ts';
import { MemoryStore } from '../../testing/memory-store.ts';
import { PeerTable } from '../share-map/peer-table.ts';
import { fenceList, rebuildPartition } from './rebuild.ts';

it('does not believe what an earlier owner wrote behind the fence of a later one, and writes it over', async () => {
  const retention = { retentionMs: 0, retentionBytes: 0 };
  const topics = topicsOf({ prefix: 'test.', shareEventsPartitions: 1, peerEventsPartitions: 1, ...retention });
  const memory = new InMemoryLog([
    { name: topics.atRisk.name, partitions: 1, compacted: true },
    { name: topics.shareEvents.name, partitions: 1, compacted: false },
  ]);
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
  const options = {
    // Joining groups is none of a rebuild's business.
    log: memory as Partial<EventLog> as EventLog,
    topics,
    store: new MemoryStore(() => 1),
    config: loadConfig({ flags: {} }).config,
    clock: systemClock,
    logger: silentLogger,
    metrics: analyzerMetrics(createNoopMeter()),
  };
  const assigned = { topic: topics.shareEvents.name, partition: 0, generation: 3, committedOffset: null };
  const mapOptions = {
    peers: new PeerTable(),
    policyFor: (coding: { k: number; n: number }, tag: string) => policyFor([], coding, tag),
    maxFiles: 10,
    settleMs: 1,
  };
  const { partition: owned } = await rebuildPartition(options, mapOptions, {
    assigned,
    startOffset: 0,
    ownership: await fenceList(options, assigned),
    signal: new AbortController().signal,
  });
  expect([1, 2, 3, 4].map((file) => owned.list.has(fileOf(file)))).toEqual([true, true, false, false]);
  expect(new Set(owned.list.takeUnwritten(10))).toEqual(new Set([fileOf(2), fileOf(3)]));
});
