import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileGrade } from '#mesh/generated/events_pb.js';
import type { Grade } from '#mesh/grade.ts';
import { batchOf, fileOf, peerOf, registrationOf } from '#mesh/testing/share-events.ts';
import { staleReasonsInWords } from './mesh/stale-reason.ts';
import { changedLog } from './testing/changed-log.ts';
import { MemoryStore } from './testing/memory-store.ts';
import { eventually, gateway, graceMs, peers, type RunningAnalyzer, suspectAfterMs, TestMesh } from './testing/mesh.ts';
import { truncatedTo } from './testing/truncated-log.ts';

describe('the analyzer', () => {
  let mesh: TestMesh;
  let store: MemoryStore;
  beforeEach(async () => {
    mesh = await TestMesh.open();
    store = new MemoryStore(() => mesh.wallMs);
  });
  afterEach(() => mesh.close());

  const gradeOf = ({ analyzer }: RunningAnalyzer, file: number): Grade | undefined =>
    analyzer.file(fileOf(file))?.health.grade;

  const stateOf = ({ analyzer }: RunningAnalyzer, peer: number): string | undefined =>
    analyzer.health().peers.find((facts) => facts.peer === peerOf(peer))?.state;

  describe('what it finds', () => {
    it('is the health of every file, the at-risk list, and rows in the store', async () => {
      await mesh.announce();
      await mesh.put([1, 2, 3]);
      await mesh.says({ peer: 0, events: [['lost', 2, 0]] });
      await mesh.lose(3, [1, 2, 3]);
      await mesh.pass(2000, peers);
      const running = await mesh.start(store);
      await mesh.seenBy(running);

      expect([1, 2, 3].map((file) => gradeOf(running, file))).toEqual(['healthy', 'degraded', 'at-risk']);
      expect(running.analyzer.health().totals).toMatchObject({ files: 3, settlingFiles: 0 });
      await eventually(async () => expect([...(await mesh.atRisk()).keys()]).toEqual([fileOf(3)]));
      expect((await mesh.atRisk()).get(fileOf(3))).toMatchObject({
        available: 3,
        grade: FileGrade.AT_RISK,
        cause: '3 shares on no peer',
      });
      await mesh.committed();
      expect(store.rows.health.get(fileOf(2))).toMatchObject({ previousGrade: null });
      expect(store.rows.peers.get(peerOf(4))).toMatchObject({ state: 'up', domains: { zone: 'b' } });
      expect(store.rows.sweeps.length).toBeGreaterThan(0);

      await mesh.says({ peer: 1, events: [['stored', 3, 1]] });
      await eventually(async () => expect((await mesh.atRisk()).size).toBe(0));
      expect(running.analyzer.atRisk({ limit: 10 })).toEqual({ files: [], total: 0 });
    });

    it('names the most urgent files first, and as many as were asked for', async () => {
      await mesh.announce();
      await mesh.put([1, 2, 3, 4]);
      await mesh.lose(1, [0, 1, 2]);
      await mesh.lose(2, [0, 1, 2, 3, 4]);
      await mesh.lose(3, [0, 1, 2, 3]);
      await mesh.pass(2000, peers);
      const running = await mesh.start(store);
      await mesh.seenBy(running);
      const { files, total } = running.analyzer.atRisk({ limit: 2 });
      expect(files.map(({ health }) => health.storageIndex)).toEqual([fileOf(2), fileOf(3)]);
      expect(total).toBe(3);
      expect(running.analyzer.atRisk({ limit: 9, grade: 'lost' }).total).toBe(1);
    });

    it('follows peers that go silent through grace to down, and back; grades change, placements do not', async () => {
      await mesh.announce();
      await mesh.put([1]);
      await mesh.pass(2000, peers);
      const running = await mesh.start(store);
      await mesh.seenBy(running);
      expect(gradeOf(running, 1)).toBe('healthy');

      const left = [0, 1];
      await mesh.pass(suspectAfterMs + 500, left);
      await mesh.seenBy(running);
      expect(running.analyzer.file(fileOf(1))?.health).toMatchObject({ available: 2, counted: 6, retained: 6 });
      expect(await mesh.atRisk()).toEqual(new Map());
      await mesh.pass(graceMs, left);
      await mesh.seenBy(running);
      expect(stateOf(running, 4)).toBe('down');
      expect(running.analyzer.file(fileOf(1))?.health).toMatchObject({ available: 2, counted: 2, retained: 6 });
      await eventually(async () => expect((await mesh.atRisk()).size).toBe(1));

      await mesh.pass(1000, peers);
      await mesh.seenBy(running);
      expect(gradeOf(running, 1)).toBe('healthy');
      await eventually(async () => expect((await mesh.atRisk()).size).toBe(0));
      await eventually(() => {
        const changes = store.rows.stateChanges.filter(({ peer }) => peer === peerOf(4)).map(({ to }) => to);
        expect(changes).toEqual(['up', 'suspect', 'down', 'up']);
      });
    });

    it('takes a peer that is enrolled as revoked for departed, whatever it says', async () => {
      await mesh.announce();
      await mesh.put([1]);
      await mesh.enrol(5, { revoked: true });
      await mesh.enrol(4, { domains: { zone: 'c' } });
      await mesh.pass(2000, peers);
      const running = await mesh.start(store);
      await mesh.seenBy(running);
      expect(stateOf(running, 5)).toBe('departed');
      expect(running.analyzer.file(fileOf(1))?.health).toMatchObject({ available: 5, retained: 5 });
      const known = running.analyzer.health().peers.find(({ peer }) => peer === peerOf(4));
      expect(known).toMatchObject({ name: 'enrolled-4', domains: { zone: 'c' } });
      await mesh.enrol(4, { revoked: true });
      await eventually(() => expect(stateOf(running, 4)).toBe('departed'));
      await eventually(() => expect(running.analyzer.file(fileOf(1))?.health.retained).toBe(4));
    });

    it("takes an operator's words about a peer in the order of the log", async () => {
      await mesh.announce();
      await mesh.put([1]);
      await mesh.peerSays(5, { says: 'maintenance', untilMs: mesh.wallMs + 600_000 }, 0);
      await mesh.peerSays(4, { says: 'depart' }, 0);
      await mesh.peerSays(3, { says: 'depart' }, 0);
      await mesh.peerSays(3, { says: 'heartbeat' });
      await mesh.peerSays(2, { says: 'drain', draining: true }, 0);
      await mesh.peerSays(1, { says: 'drain', draining: true }, 0);
      await mesh.peerSays(1, { says: 'drain', draining: false }, 0);
      await mesh.pass(suspectAfterMs + graceMs + 1000, [0, 1, 2, 3]);
      const running = await mesh.start(store);
      await mesh.seenBy(running);
      expect([1, 2, 3, 4, 5].map((peer) => stateOf(running, peer))).toEqual([
        'up',
        'draining',
        'up',
        'departed',
        'maintenance',
      ]);
    });

    it('keeps what owners register and delete through gateways, and never shows a gateway as a peer', async () => {
      await mesh.announce();
      await mesh.put([1, 2]);
      await mesh.says({ peer: 0, registrations: [registrationOf(1, { origin: 'derived', n: 9 })] });
      await mesh.pass(2000, peers);
      const running = await mesh.start(store);
      await mesh.seenBy(running);
      expect(running.analyzer.file(fileOf(1))?.health.manifest.n).toBe(6);

      await mesh.says({ peer: gateway + 1, sequence: 1, deleted: [1] });
      await mesh.says({ peer: 0, registrations: [registrationOf(1, { origin: 'derived' })] });
      await mesh.tick(peers);
      await mesh.seenBy(running);
      expect(running.analyzer.file(fileOf(1))).toBeUndefined();
      expect(running.analyzer.unanswered(fileOf(1))).toBe('deleted');
      expect(running.analyzer.unanswered(fileOf(77))).toBe('unknown');
      await eventually(() => expect([...store.rows.health.keys()]).toEqual([fileOf(2)]));
      const shown = running.analyzer.health().peers.map(({ peer }) => peer);
      expect(new Set(shown)).toEqual(new Set(peers.map(peerOf)));
      expect([...store.rows.peers.keys()].sort()).toEqual(peers.map(peerOf).sort());
    });

    it('takes a file off the list that its owner deletes, after a restart too', async () => {
      await mesh.announce();
      await mesh.put([1], [0, 1]);
      await mesh.pass(2000, peers);
      const first = await mesh.start(store);
      await mesh.seenBy(first);
      await eventually(async () => expect((await mesh.atRisk()).size).toBe(1));
      await mesh.committed();
      await first.kill();
      await mesh.says({ peer: gateway, deleted: [1] });
      await mesh.tick(peers);
      const second = await mesh.start(store);
      await mesh.seenBy(second);
      await eventually(async () => expect((await mesh.atRisk()).size).toBe(0));
      await eventually(() => expect(store.rows.health.size).toBe(0));
      await mesh.committed();
      await second.kill();
      const third = await mesh.start(store);
      await mesh.says({ peer: 0, registrations: [registrationOf(1, { origin: 'derived' })] });
      await mesh.tick(peers);
      await mesh.seenBy(third);
      expect(third.analyzer.file(fileOf(1))).toBeUndefined();
    });
  });

  describe('unknown is not lost', () => {
    it('stands still when ticks stop: stale, no peer goes down, no file changes its grade', async () => {
      await mesh.announce();
      await mesh.put([1]);
      await mesh.pass(2000, peers);
      const running = await mesh.start(store);
      await mesh.seenBy(running);
      expect(running.analyzer.freshness()).toEqual({ state: 'fresh', asOfMs: mesh.wallMs, reasons: [] });
      const before = running.analyzer.file(fileOf(1))?.health;

      mesh.wallMs += 10 * 60_000;
      const { sweeps } = running.counted;
      await eventually(() => expect(running.counted.sweeps).toBeGreaterThan(sweeps + 2));
      const { state, reasons } = running.analyzer.freshness();
      expect(state).toBe('stale');
      expect(staleReasonsInWords(reasons).join()).toContain("the log's newest tick is 600 s old");
      expect(peers.map((peer) => stateOf(running, peer))).toEqual(peers.map(() => 'up'));

      // Ticks are back, but peers that backed off are heard again only within a minute: until then their silence does not count.
      await mesh.pass(59_000);
      await mesh.seenBy(running);
      expect(running.analyzer.freshness().reasons).toEqual([
        { kind: 'resuming', leftMs: expect.any(Number) as number },
      ]);
      expect(running.analyzer.readiness().ready).toBe(true);
      expect(peers.map((peer) => stateOf(running, peer))).toEqual(peers.map(() => 'up'));
      expect(running.analyzer.health().alerts).toEqual([]);
      await mesh.pass(4000);
      await mesh.seenBy(running);
      expect(running.analyzer.freshness().state).toBe('fresh');
      expect(peers.map((peer) => stateOf(running, peer))).toEqual(peers.map(() => 'suspect'));
      await mesh.tick(peers);
      await mesh.seenBy(running);
      expect(running.analyzer.file(fileOf(1))?.health).toEqual(before);
      expect(store.rows.stateChanges.map(({ to }) => to)).not.toContain('down');
    });

    it('is stale and says why before the first tick, and leaves out ticks from the future', async () => {
      const running = await mesh.start(store);
      await eventually(() => expect(running.analyzer.health().ownedPartitions).toBe(2));
      expect(staleReasonsInWords(running.analyzer.freshness().reasons)).toEqual([
        'the log has had no tick yet: is a collector running?',
      ]);
      await mesh.tick(peers);
      await mesh.seenBy(running);
      await mesh.appendTicks(mesh.wallMs + 365 * 86_400_000);
      await eventually(() =>
        expect(staleReasonsInWords(running.analyzer.freshness().reasons).join()).toContain('from the future'),
      );
      await mesh.tick(peers);
      await mesh.seenBy(running);
      expect(running.analyzer.freshness()).toMatchObject({ state: 'fresh', asOfMs: mesh.wallMs });
    });

    it("judges a peer by its own partition's time, however far another one was read", async () => {
      await mesh.close();
      mesh = await TestMesh.open({ peerPartitions: 2 });
      await mesh.announce();
      await mesh.put([1]);
      await mesh.pass(2000, peers);
      const log = changedLog(mesh.log, {
        follow: (topics, from, onRecords, options) =>
          mesh.log.follow(
            topics,
            from,
            async (topic, partition, records) => {
              if (topic === mesh.topics.peerEvents.name && partition === 1) await held.promise;
              await onRecords(topic, partition, records);
            },
            options,
          ),
      });
      let held = Promise.withResolvers<void>();
      held.resolve();
      const running = await mesh.start(store, { log });
      await mesh.seenBy(running);
      held = Promise.withResolvers();
      await mesh.pass(suspectAfterMs + graceMs + 5000, [0, 1, 3, 5]);
      await eventually(() => expect(stateOf(running, 2)).toBe('down'));
      expect([1, 3, 5].map((peer) => stateOf(running, peer))).toEqual(['up', 'up', 'up']);
      held.resolve();
      await mesh.seenBy(running);
      expect([1, 3, 5].map((peer) => stateOf(running, peer))).toEqual(['up', 'up', 'up']);
    });

    it('changes nothing by events that come twice or from the past', async () => {
      await mesh.announce();
      await mesh.put([1]);
      await mesh.pass(2000, peers);
      const running = await mesh.start(store);
      await mesh.seenBy(running);
      const old = batchOf({ peer: 0, sequence: 1, events: [['lost', 1, 0]] });
      const twice = batchOf({ peer: 0, sequence: 900, events: [['lost', 1, 0]] });
      await mesh.appendBatch(old);
      await mesh.tick(peers);
      await mesh.seenBy(running);
      expect(gradeOf(running, 1)).toBe('healthy');
      await mesh.appendBatch(twice);
      await mesh.says({ peer: 0, sequence: 901, events: [['stored', 1, 0]] });
      await mesh.appendBatch(twice);
      await mesh.tick(peers);
      await mesh.seenBy(running);
      expect(gradeOf(running, 1)).toBe('healthy');
    });

    it('does not lose shares to an inventory of which the log lost a part', async () => {
      await mesh.announce();
      await mesh.put([1, 2]);
      await mesh.says({ peer: 0, begin: 1, events: [['stored', 2, 0]] });
      await mesh.tick(peers);
      const running = await mesh.start(store);
      await mesh.seenBy(running);
      await mesh.committed();
      await running.kill();
      await mesh.says({ peer: 0, events: [['stored', 1, 0]] });
      await mesh.tick(peers);
      const { ends } = await mesh.offsets();
      await mesh.says({ peer: 0, end: 1 });
      await mesh.pass(2000, peers);

      const log = truncatedTo(mesh, ends);
      const second = await mesh.start(store, { log });
      await mesh.seenBy(second);
      expect(second.counted.truncatedEvents).toBeGreaterThan(0);
      expect(second.analyzer.file(fileOf(1))?.health.available).toBe(6);
      await eventually(() =>
        expect(second.analyzer.health().alerts.map(({ alert }) => alert.key)).toContain('events-truncated'),
      );
      await mesh.says({ peer: 0, begin: 2 });
      await mesh.says({ peer: 0, end: 2 });
      await mesh.tick(peers);
      await mesh.seenBy(second);
      expect(second.analyzer.file(fileOf(1))?.health.available).toBe(5);
    });
  });
});
