import { createNoopMeter } from '@opentelemetry/api';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeLog } from '#log/testing/fake-log.ts';
import { loadConfig } from '#mesh/config/load.ts';
import { silentLogger } from '#mesh/logger.ts';
import { ManualClock, settle } from '#mesh/testing/manual-clock.ts';
import { shareBatchRecord } from '#mesh/testing/records.ts';
import { batchOf, registrationOf } from '#mesh/testing/share-events.ts';
import { allTopics, topicsOf } from '#mesh/topics.ts';
import { PeerRegister } from '#peers/liveness/peer-register.ts';
import { Lifetime } from '../lifetime.ts';
import { analyzerMetrics } from '../metrics.ts';
import { MemoryStore } from '../testing/memory-store.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';
import { Partitions } from './partitions.ts';
import { PolicyTable } from './policy-table.ts';
import { Rebuilds } from './rebuilds.ts';
import { PeerTable } from './share-map/peer-table.ts';

const { config } = loadConfig({ flags: { 'log.topicPrefix': 'test.' } });
const topics = topicsOf({
  prefix: 'test.',
  shareEventsPartitions: 2,
  peerEventsPartitions: 1,
  retentionMs: 0,
  retentionBytes: 0,
});
const topic = topics.shareEvents.name;

/** Does not answer while a partition is loaded, for as long as the test wants. */
class SlowStore extends MemoryStore {
  loading = 0;
  answers = Promise.resolve();

  override async loadPartition(...args: Parameters<MemoryStore['loadPartition']>) {
    this.loading++;
    await this.answers;
    return super.loadPartition(...args);
  }
}

describe('partitions of share-events', () => {
  let log: FakeLog;
  let store: SlowStore;
  let owned: Map<number, OwnedPartition>;
  let rebuilds: Rebuilds;
  let lifetime: Lifetime;
  let calls: string[];
  let partitions: Partitions;
  let sequence: number;

  beforeEach(() => {
    const clock = new ManualClock();
    const logger = silentLogger;
    log = new FakeLog(allTopics(topics));
    store = new SlowStore(() => clock.nowMs());
    owned = new Map();
    rebuilds = new Rebuilds();
    lifetime = new Lifetime({ clock, logger });
    calls = [];
    sequence = 0;
    const metrics = analyzerMetrics(createNoopMeter());
    const table = new PeerTable();
    const rules = {
      suspectAfterHeartbeats: 3,
      defaultHeartbeatMs: 1000,
      graceMs: 1000,
      graceMaxMs: 1000,
      departAfterMs: 10_000,
      memoryHalfLifeMs: 1000,
    };
    const register = new PeerRegister({ rules, times: [], table });
    partitions = new Partitions({
      analyzer: { log, topics, store, config, clock, logger, metrics, tuning: { maxUnsavedEvents: 3 } },
      lifetime,
      owned,
      rebuilds,
      table,
      policies: new PolicyTable(config.policies, logger),
      register,
      neighbours: {
        handOver: (given) => Promise.resolve(void calls.push(`hand over ${given.map(({ number }) => number).join()}`)),
        settled: () => Promise.resolve(void calls.push('settled')),
        onJudgeable: () => void calls.push('judgeable'),
        onFull: () => void calls.push('full'),
      },
    });
  });

  const says = async (partition: number, shares: number): Promise<void> => {
    const events = Array.from({ length: shares }, (_, share) => ['stored', partition, share] as const);
    const registrations = [registrationOf(partition)];
    const value = shareBatchRecord(batchOf({ peer: 1, sequence: ++sequence, events, registrations }));
    await log.append(topic, [{ partition, key: null, value }]);
  };
  const join = async (): Promise<void> => {
    await log.join('test.analyzers', [topic], partitions);
    await settle();
  };
  const placements = (partition: number): number | undefined => owned.get(partition)?.map.placementCount;

  it('are rebuilt beside the group, and records wait for that', async () => {
    const answered = Promise.withResolvers<void>();
    store.answers = answered.promise;
    await says(0, 2);
    await says(1, 1);
    await join();
    expect([store.loading, rebuilds.count, owned.size]).toEqual([1, 2, 0]);
    answered.resolve();
    await settle();
    await settle();
    expect([rebuilds.count, placements(0), placements(1)]).toEqual([0, 2, 1]);
    expect(calls).toContain('judgeable');
  });

  it('go again at once, whatever the database does', async () => {
    store.answers = new Promise(() => undefined);
    await says(1, 1);
    await join();
    // The records of partition 1 are under way and wait.
    for (const partition of [0, 1]) {
      partitions.revoking({ topic, partition, generation: 1, committedOffset: null });
    }
    await log.revoke([0, 1]);
    expect([rebuilds.count, owned.size, lifetime.failure]).toEqual([0, 0, null]);
    expect(calls).toEqual(['hand over ', 'settled']);
  });

  it('are handed over before they go, and take no records of another generation', async () => {
    await join();
    await settle();
    const stale = { topic, partition: 0, generation: 99, committedOffset: null };
    await says(0, 1);
    await settle();
    const records = await log.read(topic, 0, 0, 1 << 20);
    await partitions.records(stale, records);
    expect(placements(0)).toBe(1);
    calls = [];
    await log.revoke([0]);
    expect(calls).toEqual(['hand over 0', 'settled']);
    expect([...owned.keys()]).toEqual([1]);
  });

  it('take no more than fits, until changes were taken for the store', async () => {
    await join();
    await settle();
    await says(0, 4);
    await settle();
    await says(1, 1);
    await settle();
    expect([placements(0), placements(1)]).toEqual([4, 0]);
    expect(calls).toContain('full');
    (owned.get(0) as OwnedPartition).takeChanges(0);
    partitions.roomMade();
    await settle();
    expect(placements(1)).toBe(1);
  });

  it('of which records are lost owe inventories, and a database of another log is refused', async () => {
    await join();
    await settle();
    const part = owned.get(0) as OwnedPartition;
    await partitions.truncated(part.assigned, 0, 5);
    expect([part.lostRecords, part.nextOffset]).toEqual([5, 5]);
    await log.revoke([0]);
    store.rows.partition(0).version = 77;
    await log.assign([0]);
    await settle();
    expect(lifetime.failure).toMatchObject({ code: 'log-truncated' });
  });
});
