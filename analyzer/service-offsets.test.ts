import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MeshwardError } from '#mesh/errors.ts';
import type { Grade } from '#mesh/grade.ts';
import { shareBatchRecord } from '#mesh/testing/records.ts';
import { batchOf, fileOf } from '#mesh/testing/share-events.ts';
import { staleReasonsInWords } from './mesh/stale-reason.ts';
import { changedLog } from './testing/changed-log.ts';
import { MemoryStore } from './testing/memory-store.ts';
import { eventually, peers, type RunningAnalyzer, staleAfterMs, TestMesh } from './testing/mesh.ts';

describe('the analyzer and its store', () => {
  let mesh: TestMesh;
  let store: MemoryStore;
  beforeEach(async () => {
    mesh = await TestMesh.open();
    store = new MemoryStore(() => mesh.wallMs);
  });
  afterEach(() => mesh.close());

  const gradeOf = ({ analyzer }: RunningAnalyzer, file: number): Grade | undefined =>
    analyzer.file(fileOf(file))?.health.grade;

  describe('offsets', () => {
    it('are committed only after the store has acknowledged what led to them', async () => {
      await mesh.announce();
      await mesh.put([1]);
      await mesh.tick(peers);
      store.hang();
      const running = await mesh.start(store);
      await mesh.seenBy(running);
      await mesh.pass(3000, peers);
      await mesh.seenBy(running);
      expect((await mesh.offsets()).committed).toEqual([null, null]);
      expect(store.rows.health.size).toBe(0);
      expect(running.analyzer.failure).toBeNull();
      store.recover();
      await mesh.committed();
      expect(store.rows.health.get(fileOf(1))?.health.grade).toBe('healthy');
      expect(store.rows.partition(mesh.partitionOf(fileOf(1))).placements.size).toBe(6);
    });

    it('are never committed again once the store refused changes, and the analyzer says that it failed', async () => {
      await mesh.announce();
      await mesh.put([1]);
      await mesh.tick(peers);
      const running = await mesh.start(store);
      await mesh.seenBy(running);
      await mesh.committed();
      const { committed } = await mesh.offsets();
      store.refuse();
      await mesh.says({ peer: 0, events: [['lost', 1, 0]] });
      await eventually(() => expect(running.analyzer.failure).toMatchObject({ code: 'store-refused' }));
      expect(running.analyzer.freshness()).toMatchObject({
        state: 'stale',
        reasons: [{ kind: 'failed', error: 'the database refuses the rows' }],
      });
      store.recover();
      await mesh.tick(peers);
      const { sweeps } = running.counted;
      await eventually(() => expect(running.counted.sweeps).toBeGreaterThan(sweeps + 3));
      await running.kill();
      expect((await mesh.offsets()).committed).toEqual(committed);

      const second = await mesh.start(store);
      await mesh.seenBy(second);
      expect(gradeOf(second, 1)).toBe('degraded');
      await mesh.committed();
    });

    it('are committed at a stop for all that was read', async () => {
      await mesh.announce();
      await mesh.put([1]);
      await mesh.tick(peers);
      const running = await mesh.start(store);
      await mesh.seenBy(running);
      const ends = await mesh.log.bounds(mesh.topics.peerEvents.name);
      await running.analyzer.stop();
      await mesh.committed();
      expect(store.rows.marks[0]?.nextOffset).toBeGreaterThanOrEqual((ends[0]?.nextOffset ?? 0) - 1);
    });
  });

  it('writes no health once the log says that the partition has moved', async () => {
    let moved = false;
    const log = changedLog(mesh.log, {
      async join(...args) {
        const membership = await mesh.log.join(...args);
        const commit: typeof membership.commit = (partition, offset) =>
          moved
            ? Promise.reject(new MeshwardError('log-fenced', 'moved', { next: 'Nothing.' }))
            : membership.commit(partition, offset);
        return { ended: membership.ended, leave: () => membership.leave(), commit };
      },
    });
    await mesh.announce();
    await mesh.put([1]);
    await mesh.pass(2000, peers);
    const running = await mesh.start(store, { log });
    await mesh.seenBy(running);
    await mesh.committed();
    await eventually(() => expect(store.rows.health.get(fileOf(1))?.health.grade).toBe('healthy'));
    moved = true;
    await mesh.lose(1, [0, 1, 2]);
    await eventually(() => expect(gradeOf(running, 1)).toBe('at-risk'));
    const { sweeps } = running.counted;
    await eventually(() => expect(running.counted.sweeps).toBeGreaterThan(sweeps + 5));
    expect(store.rows.health.get(fileOf(1))?.health.grade).toBe('healthy');
    moved = false;
    await eventually(() => expect(store.rows.health.get(fileOf(1))?.health.grade).toBe('at-risk'));
  });

  it('commits nothing behind a record whose dead letter is not kept yet', async () => {
    const held = Promise.withResolvers<void>();
    const log = changedLog(mesh.log, {
      async append(topic, records) {
        if (topic === mesh.topics.deadLetters.name) await held.promise;
        return mesh.log.append(topic, records);
      },
    });
    await mesh.announce();
    const junk = { partition: 0, key: null, value: new Uint8Array([255]) };
    const [junkAt] = await mesh.log.append(mesh.topics.shareEvents.name, [junk]);
    await mesh.tick(peers);
    try {
      const running = await mesh.start(store, { log });
      await eventually(() => expect(running.counted.malformedRecords).toBe(1));
      const { sweeps } = running.counted;
      await eventually(() => expect(running.counted.sweeps).toBeGreaterThan(sweeps + 3));
      expect((await mesh.offsets()).committed[0] ?? 0).toBeLessThanOrEqual(junkAt?.offset ?? 0);
    } finally {
      // A failure must not hold up the end of the analyzer too.
      held.resolve();
    }
    await mesh.committed();
    expect(await mesh.deadLetters()).toHaveLength(1);
  });

  it('writes the at-risk list when the log takes it again, and keeps and commits meanwhile', async () => {
    let full = true;
    let refused = 0;
    const log = changedLog(mesh.log, {
      append(topic, records) {
        if (!full || topic !== mesh.topics.atRisk.name) return mesh.log.append(topic, records);
        refused++;
        return Promise.reject(new MeshwardError('log-full', 'full', { next: 'Make room.', retryable: true }));
      },
    });
    await mesh.announce();
    await mesh.put([1, 2]);
    await mesh.lose(1, [0, 1, 2]);
    await mesh.lose(2, [0, 1, 2, 3]);
    await mesh.pass(2000, peers);
    const running = await mesh.start(store, { log });
    await mesh.seenBy(running);
    await eventually(() => expect(refused).toBeGreaterThan(2));
    await mesh.committed();
    expect(await mesh.atRisk()).toEqual(new Map());
    expect(running.analyzer.atRisk({ limit: 9 }).total).toBe(2);
    await mesh.says({ peer: 0, events: [0, 1, 2].map((share) => ['stored', 1, share] as const) });
    full = false;
    await eventually(async () => expect([...(await mesh.atRisk()).keys()]).toEqual([fileOf(2)]));
  });

  describe('the store away', () => {
    it('makes health stale with the reason; the list goes on, and afterwards everything arrives once', async () => {
      await mesh.announce();
      await mesh.put([1]);
      await mesh.pass(2000, peers);
      const running = await mesh.start(store);
      await mesh.seenBy(running);
      await mesh.committed();
      store.hang();
      await mesh.lose(1, [0, 1, 2]);
      await eventually(() => expect(store.waitingSinceMs()).not.toBeNull());
      await mesh.pass(staleAfterMs + 2000, peers);
      await mesh.seenBy(running);
      expect(staleReasonsInWords(running.analyzer.freshness().reasons).join()).toMatch(
        /ClickHouse has not taken anything for \d+ s/,
      );
      await eventually(async () => expect((await mesh.atRisk()).size).toBe(1));
      store.recover();
      await mesh.committed();
      await mesh.tick(peers);
      await mesh.seenBy(running);
      await eventually(() => expect(running.analyzer.freshness().state).toBe('fresh'));
      await eventually(() =>
        expect(store.rows.gradeChanges.map(({ health }) => health.grade)).toEqual(['healthy', 'at-risk']),
      );
    });

    it('at the start is waited for', async () => {
      await mesh.announce();
      await mesh.tick(peers);
      store.away = true;
      const starting = mesh.start(store);
      await eventually(() => expect(store.refusedLoads).toBeGreaterThan(0));
      store.away = false;
      await mesh.seenBy(await starting);
    });

    it('stops the reading of the log beyond a limit, and nothing is skipped by that', async () => {
      await mesh.announce();
      await mesh.tick(peers);
      const running = await mesh.start(store, { tuning: { maxUnsavedEvents: 10, stopTimeoutMs: 50 } });
      await mesh.seenBy(running);
      await mesh.committed();
      store.hang();
      for (let file = 0; file < 20; file++) await mesh.put([file]);
      // How long the store has hung by then is a matter of the machine.
      const others = () => running.analyzer.freshness().reasons.filter(({ kind }) => kind !== 'store-waiting');
      await eventually(() => expect(others()).toEqual([]));
      const { asOfMs } = running.analyzer.freshness();
      const { sweeps } = running.counted;
      await mesh.tick(peers);
      await eventually(() => expect(running.counted.sweeps).toBeGreaterThan(sweeps + 3));
      expect(running.analyzer.freshness().asOfMs).toBe(asOfMs);
      store.recover();
      await mesh.pass(2000, peers);
      await mesh.seenBy(running);
      expect(running.analyzer.health().totals?.files).toBe(20);
      await mesh.committed();
    });
  });

  it('keeps a malformed record in the dead letters before it is committed, and goes on behind it', async () => {
    await mesh.announce();
    await mesh.put([1]);
    const partition = mesh.partitionOf(fileOf(1));
    const junk = new Uint8Array([255, 255, 1]);
    const unknownKind = batchOf({ peer: 3, sequence: 5000, events: [['stored', 1, 3]] });
    unknownKind.kinds[0] = 9;
    for (const value of [junk, shareBatchRecord(unknownKind)]) {
      await mesh.log.append(mesh.topics.shareEvents.name, [{ partition, key: null, value }]);
    }
    await mesh.log.append(mesh.topics.peerEvents.name, [{ partition: 0, key: null, value: junk }]);
    await mesh.log.append(mesh.topics.enrolments.name, [{ partition: 0, key: junk, value: junk }]);
    await mesh.says({ peer: 0, events: [['lost', 1, 0]] });
    await mesh.pass(2000, peers);
    const running = await mesh.start(store);
    await mesh.seenBy(running);
    expect(gradeOf(running, 1)).toBe('degraded');
    const letters = await mesh.deadLetters();
    const bySource = new Map(letters.map((letter) => [letter.source.split('/')[0], letter]));
    expect(letters).toHaveLength(4);
    expect(running.counted.malformedRecords).toBe(4);
    expect(letters.map(({ reasonCode }) => reasonCode).sort()).toEqual([
      'batch-malformed',
      'batch-malformed',
      'event-unknown',
      'internal',
    ]);
    expect(bySource.get('test.peer-events')?.payload).toEqual(junk);
    // An enrolment holds a secret.
    expect(bySource.get('test.enrolments')?.payload).toEqual(new Uint8Array());
    await mesh.committed();
    expect(await mesh.deadLetters()).toHaveLength(4);
  });
});
