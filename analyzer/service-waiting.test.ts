/** What an analyzer serves while it cannot begin: the log has no room, or the brokers are away. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { OpeningLog } from '#log/opening-log.ts';
import { systemClock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { fileOf } from '#mesh/testing/share-events.ts';
import { staleReasonsInWords } from './mesh/stale-reason.ts';
import { MemoryStore } from './testing/memory-store.ts';
import { eventually, peers, TestMesh } from './testing/mesh.ts';

let mesh: TestMesh;
beforeEach(async () => {
  mesh = await TestMesh.open();
});
afterEach(() => mesh.close());

it('says why it waits, serves what the database knows, and goes on when there is room again', async () => {
  const store = new MemoryStore(() => mesh.wallMs);
  await mesh.announce();
  await mesh.put([1]);
  await mesh.pass(2000, peers);
  const first = await mesh.start(store);
  await mesh.seenBy(first);
  await mesh.committed();
  await first.kill();

  let hasRoom = false;
  const full = new MeshwardError('log-full', 'no room for the log: the disk is full', {
    next: 'Make room.',
    retryable: true,
  });
  const stop = new AbortController();
  const log = new OpeningLog({
    open: () => (hasRoom ? mesh.openLog() : Promise.reject(full)),
    clock: systemClock,
    signal: stop.signal,
    onAway: () => undefined,
  });
  const { running, started } = mesh.begin(store.successor(), { log });
  const { analyzer } = running;
  await eventually(() => expect(analyzer.peers()).toHaveLength(peers.length));
  expect(analyzer.peers().map(({ state }) => state)).toEqual(peers.map(() => 'up'));
  expect(analyzer.health()).toMatchObject({ totals: { files: 1, settlingFiles: null }, freshness: { state: 'stale' } });
  expect(analyzer.health().totals?.byGrade.get('healthy')?.files).toBe(1);
  expect(analyzer.health().sweptAtMs).toBeGreaterThan(0);
  const found = await analyzer.lookUp(fileOf(1));
  expect(found).toMatchObject({ health: { available: 6 }, freshness: { state: 'stale' } });
  expect(staleReasonsInWords(analyzer.meshFreshness().reasons).join()).toContain('the disk is full');
  expect(analyzer.readiness()).toMatchObject({ ready: false });
  expect(analyzer.failure).toBeNull();

  hasRoom = true;
  await started;
  await mesh.pass(1000, peers);
  await mesh.seenBy(running);
  expect(analyzer.file(fileOf(1))?.health.available).toBe(6);
  expect(analyzer.freshness()).toMatchObject({ state: 'fresh', reasons: [] });
  expect(analyzer.health().totals).toMatchObject({ files: 1, settlingFiles: 0 });
});
