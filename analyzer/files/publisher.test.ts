/** Whatever happens between a look, a save and a write, the store and the list end with what the share map says. */
import { fromBinary } from '@bufbuild/protobuf';
import { createNoopMeter } from '@opentelemetry/api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InMemoryLog } from '#log/in-memory.ts';
import type { EventLog } from '#log/port.ts';
import { loadConfig } from '#mesh/config/load.ts';
import { AtRiskFileSchema } from '#mesh/generated/events_pb.js';
import { isOwnerRecord } from '#mesh/list-fence.ts';
import { silentLogger } from '#mesh/logger.ts';
import { policyFor } from '#mesh/policy.ts';
import { needsRepair } from '#mesh/share-counts.ts';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import { batchOf, fileOf, peerOf, registrationOf, type ShareEvent } from '#mesh/testing/share-events.ts';
import { topicsOf } from '#mesh/topics.ts';
import { analyzerMetrics } from '../metrics.ts';
import { always } from '../testing/always.ts';
import { MemoryStore } from '../testing/memory-store.ts';
import { ListOwnership } from './partition/list-ownership.ts';
import { OwnedPartition } from './partition/owned-partition.ts';
import { PublishedHealth } from './partition/published-health.ts';
import { Tombstones } from './partition/tombstones.ts';
import { Publisher } from './publisher.ts';
import { PeerTable } from './share-map/peer-table.ts';
import { PlainShareMap } from './share-map/testing/plain-share-map.ts';

const files = [1, 2];
const peers = [0, 1, 2, 3, 4, 5];
const owner = 100;

/** One partition of 2-of-6 files, each share on a peer of its own, that does nothing by itself. */
class Scene {
  readonly store: MemoryStore;
  readonly log: InMemoryLog;
  readonly table = new PeerTable();
  readonly owned: OwnedPartition;
  readonly publisher: Publisher;
  readonly #topic: string;
  #nowMs = 1_000_000;
  #sequence = 0;

  constructor() {
    const { config } = loadConfig({ flags: { 'log.topicPrefix': 'test.' } });
    const retention = { retentionMs: 0, retentionBytes: 0 };
    const topics = topicsOf({ prefix: 'test.', shareEventsPartitions: 1, peerEventsPartitions: 1, ...retention });
    this.#topic = topics.atRisk.name;
    this.log = new InMemoryLog([{ name: this.#topic, partitions: 1, compacted: true }]);
    this.store = new MemoryStore(() => this.#nowMs);
    const nowMs = (): number => ++this.#nowMs;
    const clock = { nowMs, monotonicMs: nowMs, after: () => () => undefined };
    const { store } = this;
    // Joining groups is none of a publisher's business.
    const log = this.log as Partial<EventLog> as EventLog;
    const metrics = analyzerMetrics(createNoopMeter());
    this.publisher = new Publisher({ log, topics, store, config, clock, logger: silentLogger, metrics }, this.table);
    for (const peer of peers) this.table.setState(peerOf(peer), 'up');
    this.owned = new OwnedPartition({
      assigned: { topic: topics.shareEvents.name, partition: 0, generation: 1, committedOffset: null },
      map: new PlainShareMap({
        peers: this.table,
        policyFor: (coding, tag) => policyFor([], coding, tag),
        maxFiles: 100,
        settleMs: 1,
      }),
      startOffset: 0,
      catchUpOffset: 0,
      maxTickStepMs: 1000,
      published: new PublishedHealth(),
      tombstones: new Tombstones(),
      ownership: new ListOwnership({ log, topic: this.#topic, partition: 0, generation: 1, nowMs }),
      clock,
    });
    this.says(owner, { registrations: files.map((file) => registrationOf(file)) });
    for (const peer of peers) this.says(peer, { events: files.map((file) => ['stored', file, peer] as const) });
  }

  says(peer: number, fields: Omit<Parameters<typeof batchOf>[0], 'peer' | 'sequence'>): void {
    const batch = batchOf({ peer, sequence: ++this.#sequence, ...fields });
    this.owned.map.apply(batch, this.#nowMs);
    this.owned.list.touch(batch.storageIndexes);
  }

  async look(): Promise<void> {
    await this.publisher.publish(this.owned, this.owned.map.lookAtSome(this.#later(), 100).changed);
    await this.publisher.relist(this.owned);
  }

  /** @param meanwhile what happens after the files were judged and before they are told of. */
  async sweep(meanwhile: () => void = () => undefined): Promise<void> {
    const swept = await this.owned.map.sweepBeside(this.#later(), 100);
    meanwhile();
    await this.publisher.publish(this.owned, swept.changed());
    await this.publisher.relist(this.owned);
  }

  async save(): Promise<void> {
    await this.publisher.saveHealth(this.owned, 'all', always, () => true);
    await this.store.flush();
  }

  write(): Promise<void> {
    return this.publisher.writeList(this.owned, () => true);
  }

  stored(file: number) {
    const health = this.store.rows.health.get(fileOf(file))?.health;
    return health && [health.grade, health.available, health.counted, health.corrupt];
  }

  listed(file: number): number | null {
    let available: number | null = null;
    for (const { key, value } of this.log.all(this.#topic)) {
      if (key === null || isOwnerRecord({ key }) || storageIndexFromBytes(key) !== fileOf(file)) continue;
      available = value === null ? null : fromBinary(AtRiskFileSchema, value).available;
    }
    return available;
  }

  expectAgreement(): void {
    for (const file of files) {
      const health = this.owned.map.health(fileOf(file), this.#later());
      if (health === undefined) throw new Error('the file is not there');
      expect(this.stored(file)).toEqual([health.grade, health.available, health.counted, health.corrupt]);
      expect(this.listed(file)).toBe(needsRepair(health.counted, health.policy) ? health.available : null);
    }
  }

  /** Files have settled by then. */
  #later(): number {
    return this.#nowMs + 1_000_000;
  }
}

describe('a file that changes between a look and a write, and back', () => {
  it('is in the store as it is', async () => {
    const scene = new Scene();
    await scene.look();
    scene.says(0, { events: [['lost', 1, 0]] });
    await scene.save();
    expect(scene.stored(1)).toEqual(['degraded', 5, 5, 0]);
    scene.says(0, { events: [['stored', 1, 0]] });
    await scene.look();
    await scene.save();
    expect(scene.stored(1)).toEqual(['healthy', 6, 6, 0]);
  });

  it('is on the list as it is, when peers did it of whom no batch speaks', async () => {
    const scene = new Scene();
    for (const peer of [0, 1, 2]) scene.says(peer, { events: [['lost', 1, peer]] });
    await scene.look();
    scene.table.setState(peerOf(5), 'suspect');
    await scene.write();
    expect(scene.listed(1)).toBe(2);
    scene.table.setState(peerOf(5), 'up');
    await scene.sweep();
    await scene.write();
    expect(scene.listed(1)).toBe(3);
  });

  it('is told of at last, whatever the order of what happens', async () => {
    const event = fc.record({
      does: fc.constantFrom('event' as const),
      kind: fc.constantFrom<ShareEvent[0]>('stored', 'lost', 'lost', 'verified', 'corrupt'),
      file: fc.constantFrom(1, 1, 1, 2),
      peer: fc.constantFrom(0, 1),
    });
    const turn = fc.record({
      does: fc.constantFrom('turn' as const),
      peer: fc.constantFrom(2, 3),
      state: fc.constantFrom('up' as const, 'suspect' as const, 'down' as const),
    });
    const step = fc.record({
      does: fc.constantFrom('look' as const, 'sweep' as const, 'save' as const, 'write' as const),
    });
    const happening = fc.oneof({ weight: 3, arbitrary: event }, turn, { weight: 3, arbitrary: step });
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { maxLength: 40 }), fc.array(event, { maxLength: 3 }), async (all, more) => {
        const scene = new Scene();
        for (const peer of [4, 5]) scene.says(peer, { events: [['lost', 1, peer]] });
        const happen = ({ kind, file, peer }: (typeof more)[number]): void =>
          scene.says(peer, { events: [[kind, file, peer]] });
        for (const each of all) {
          if (each.does === 'event') happen(each);
          else if (each.does === 'turn') scene.table.setState(peerOf(each.peer), each.state);
          else if (each.does === 'look') await scene.look();
          else if (each.does === 'sweep') await scene.sweep(() => more.forEach(happen));
          else if (each.does === 'save') await scene.save();
          else await scene.write();
        }
        await scene.sweep();
        await scene.look();
        await scene.save();
        await scene.write();
        scene.expectAgreement();
      }),
      { numRuns: 400 },
    );
  });
});
