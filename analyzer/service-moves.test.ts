import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { Grade } from '#mesh/grade.ts';
import { generationHeader, isOwnerRecord } from '#mesh/list-fence.ts';
import { peerIdToBytes } from '#mesh/peer-id.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { storageIndexToBytes } from '#mesh/storage-index.ts';
import { batchOf, fileOf, peerOf, registrationOf, type ShareEvent } from '#mesh/testing/share-events.ts';
import { PeerTable } from './files/share-map/peer-table.ts';
import type { FileHealth } from './files/share-map/share-map.ts';
import { PlainShareMap } from './files/share-map/testing/plain-share-map.ts';
import type { PartitionSink } from './ports.ts';
import { MemoryStore } from './testing/memory-store.ts';
import { eventually, peers, type RunningAnalyzer, TestMesh } from './testing/mesh.ts';

/** What of a health does not depend on when it was looked at. */
function figures(health: FileHealth | undefined): unknown {
  if (health === undefined) return undefined;
  const { storageIndex, available, counted, retained, corrupt, grade, happiness, tolerancePeers } = health;
  return { storageIndex, available, counted, retained, corrupt, grade, happiness, tolerancePeers };
}

describe('analyzers that come and go', () => {
  let mesh: TestMesh;
  let store: MemoryStore;
  beforeEach(async () => {
    mesh = await TestMesh.open();
    store = new MemoryStore(() => mesh.wallMs);
  });
  afterEach(() => mesh.close());

  const gradeOf = ({ analyzer }: RunningAnalyzer, file: number): Grade | undefined =>
    analyzer.file(fileOf(file))?.health.grade;

  describe('restarts and moves', () => {
    it('a partition moves to a second analyzer with all that is known, and what the first still says of it does not count', async () => {
      await mesh.announce();
      await mesh.put([1, 2, 3, 4]);
      for (const peer of [0, 1, 2])
        await mesh.says({
          peer,
          events: [
            ['lost', 1, peer],
            ['lost', 2, peer],
          ],
        });
      await mesh.pass(2000, peers);
      const first = await mesh.start(store);
      await mesh.seenBy(first);
      const answers = (running: RunningAnalyzer) =>
        [1, 2, 3, 4].map((file) => running.analyzer.file(fileOf(file))?.health);
      const before = answers(first);
      const second = await mesh.start(new MemoryStore(() => mesh.wallMs, store.rows), { log: await mesh.openLog() });
      await eventually(() => {
        expect([first, second].map(({ analyzer }) => analyzer.health().ownedPartitions)).toEqual([1, 1]);
      });
      await mesh.tick(peers);
      await Promise.all([mesh.seenBy(first), mesh.seenBy(second)]);
      const [ofFirst, ofSecond] = [answers(first), answers(second)];
      expect(before.map((_, i) => ofFirst[i] ?? ofSecond[i])).toEqual(before);
      expect(before.filter((_, i) => ofFirst[i] !== undefined && ofSecond[i] !== undefined)).toEqual([]);
      const elsewhere = [1, 2, 3, 4].find((file) => ofFirst[file - 1] === undefined) as number;
      expect(first.analyzer.unanswered(fileOf(elsewhere))).toBe('owned-elsewhere');

      await first.analyzer.stop();
      await eventually(() => expect(second.analyzer.health().ownedPartitions).toBe(2));
      await mesh.tick(peers);
      await mesh.seenBy(second);
      expect(answers(second)).toEqual(before);
      await mesh.committed();
    });

    it('an alert goes on over a restart under its id, is not told twice, and is resolved by the next analyzer', async () => {
      await mesh.announce();
      await mesh.put([1], [0]);
      await mesh.pass(2000, peers);
      const first = await mesh.start(store);
      await mesh.seenBy(first);
      await eventually(() => expect(store.rows.alertChanges.map(({ state }) => state)).toEqual(['firing']));
      const { id } = store.rows.alertChanges[0] as { id: string };
      await first.analyzer.stop();
      const second = await mesh.start(store);
      await mesh.tick(peers);
      await mesh.seenBy(second);
      expect(second.analyzer.health().alerts.map((open) => [open.id, open.alert.key])).toEqual([[id, 'files-lost']]);
      for (const peer of peers) await mesh.says({ peer, events: [['stored', 1, peer]] });
      await mesh.tick(peers);
      await eventually(() => {
        expect(second.analyzer.health().alerts).toEqual([]);
        const ofFirst = store.rows.alertChanges.filter((change) => change.id === id);
        expect(ofFirst.map(({ state }) => state)).toEqual(['firing', 'resolved']);
      });
      expect(store.rows.alertChanges.filter(({ alert }) => alert.key === 'files-lost')).toHaveLength(2);
    });

    it('a file that was judged is not taken for a new one after a restart', async () => {
      await mesh.close();
      mesh = await TestMesh.open({ flags: { 'analyzer.settleMs': 600_000 } });
      await mesh.announce();
      await mesh.put([1]);
      await mesh.tick(peers);
      const first = await mesh.start(store);
      await mesh.seenBy(first);
      await mesh.lose(1, [0, 1, 2]);
      await mesh.tick(peers);
      await mesh.seenBy(first);
      await eventually(async () => expect((await mesh.atRisk()).size).toBe(1));
      await mesh.committed();
      await first.kill();
      const second = await mesh.start(store);
      await mesh.tick(peers);
      await mesh.seenBy(second);
      expect(gradeOf(second, 1)).toBe('at-risk');
      expect(second.analyzer.health().totals?.settlingFiles).toBe(0);
      expect((await mesh.atRisk()).size).toBe(1);
    });

    it('what somebody who was paused wrote on the list is written over before the list goes to the next owner', async () => {
      await mesh.announce();
      await mesh.put([1]);
      await mesh.lose(1, [0, 1, 2]);
      await mesh.pass(2000, peers);
      const first = await mesh.start(store);
      await mesh.seenBy(first);
      await eventually(async () => expect([...(await mesh.atRisk()).keys()]).toEqual([fileOf(1)]));
      await mesh.committed();
      const partition = mesh.partitionOf(fileOf(1));
      const late = {
        partition,
        key: storageIndexToBytes(fileOf(1)),
        value: null,
        headers: { [generationHeader]: '0' },
      };
      await mesh.log.append(mesh.topics.atRisk.name, [late]);
      await first.kill();
      const records = await mesh.log.read(mesh.topics.atRisk.name, partition, 0, 1 << 20);
      const newest = records.findLast((record) => !isOwnerRecord(record));
      expect(newest?.value).not.toBeNull();
      expect(Number(newest?.headers[generationHeader])).toBeGreaterThan(0);
    });

    it('a partition of which the database broke off half-way is loaded from its beginning', async () => {
      await mesh.announce();
      await mesh.put([1, 2]);
      await mesh.pass(2000, peers);
      const first = await mesh.start(store);
      await mesh.seenBy(first);
      await mesh.committed();
      await first.kill();
      let broken = 0;
      const breaking = new Proxy(store, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name);
          if (typeof value !== 'function') return value;
          if (name !== 'loadPartition') return (value as (...args: never[]) => unknown).bind(target);
          return async (partition: number, into: PartitionSink) => {
            if (++broken > 2) return target.loadPartition(partition, into);
            const halfWay: PartitionSink = {
              files: (block) => into.files(block),
              health: () => Promise.reject(new MeshwardError('store-unavailable', 'broke off', { next: 'Wait.' })),
              placements: (block) => into.placements(block),
            };
            return target.loadPartition(partition, halfWay);
          };
        },
      });
      const second = await mesh.start(breaking);
      await mesh.tick(peers);
      await mesh.seenBy(second);
      expect(broken).toBe(4);
      expect([1, 2].map((file) => gradeOf(second, file))).toEqual(['healthy', 'healthy']);
    });

    it('refuses a database that was filled from another log', async () => {
      store.rows.partition(0).version = 1000;
      await mesh.tick(peers);
      const running = await mesh.start(store);
      await eventually(() => expect(running.analyzer.failure).toMatchObject({ code: 'log-truncated' }));
    });

    it.each([1, 2, 3])(
      'killed at any point, it ends with the same health and list as without (seed %i)',
      async (seed) => {
        const random = seededRandom(seed);
        const pick = (count: number): number => Math.floor(random() * count);
        const oracleTable = new PeerTable();
        const oracle = new PlainShareMap({
          peers: oracleTable,
          policyFor: (coding) => defaultPolicy(coding),
          maxFiles: 1000,
          settleMs: 1000,
        });
        for (const peer of peers) oracleTable.setState(peerOf(peer), 'up');
        const files = Array.from({ length: 8 }, (_, file) => file);
        const kinds = ['stored', 'stored', 'stored', 'verified', 'lost', 'corrupt'] as const;
        let sequence = 0;
        const step = async (): Promise<void> => {
          const events = Array.from({ length: 1 + pick(6) }, (): ShareEvent => {
            return [kinds[pick(kinds.length)] as (typeof kinds)[number], pick(files.length), pick(6)];
          });
          const deleted = random() < 0.1 ? [pick(files.length)] : [];
          const registrations = random() < 0.4 ? [registrationOf(pick(files.length))] : [];
          const batch = batchOf({ peer: pick(peers.length), sequence: ++sequence, events, deleted, registrations });
          oracle.apply(batch, 0);
          await mesh.appendBatch(batch);
          if (random() < 0.3) await mesh.tick(peers);
        };
        await mesh.announce();
        let current = store;
        let running = await mesh.start(current, { tuning: { stopTimeoutMs: 20 } });
        for (let life = 0; life < 6; life++) {
          current.hangAfterWrites = 1 + pick(14);
          for (let i = 0; i < 12; i++) await step();
          await mesh.tick(peers);
          if (random() < 0.5) await mesh.seenBy(running);
          current.hang();
          await running.kill();
          current = current.successor();
          running = await mesh.start(current, { tuning: { stopTimeoutMs: 20 } });
        }
        await mesh.pass(3000, peers);
        await mesh.seenBy(running);
        await mesh.committed();

        const expected = files.map((file) => oracle.health(fileOf(file), 1e15));
        const found = files.map((file) => running.analyzer.file(fileOf(file))?.health);
        expect(found.map(figures)).toEqual(expected.map(figures));
        const listed = expected.filter((health) => health !== undefined && health.counted < health.policy.repairBelow);
        await eventually(async () => {
          const list = await mesh.atRisk();
          expect(new Set(list.keys())).toEqual(new Set(listed.map((health) => health?.storageIndex)));
          for (const health of listed) {
            if (health === undefined) continue;
            const entry = list.get(health.storageIndex);
            expect(entry).toMatchObject({ available: health.available, margin: health.margin });
            const sound = oracle.placements(health.storageIndex).filter(({ corrupt }) => !corrupt);
            expect(
              entry?.placements
                .map(({ shareNumber, peerId }) => `${shareNumber} ${Buffer.from(peerId).toString('hex')}`)
                .sort(),
            ).toEqual(
              sound
                .map(({ shareNumber, peer }) => `${shareNumber} ${Buffer.from(peerIdToBytes(peer)).toString('hex')}`)
                .sort(),
            );
          }
        });
        expect(new Set(current.rows.health.keys())).toEqual(
          new Set(expected.flatMap((health) => health?.storageIndex ?? [])),
        );
        for (const health of expected) {
          if (health !== undefined)
            expect(current.rows.health.get(health.storageIndex)?.health.grade).toBe(health.grade);
        }
      },
    );
  });
});
