/** Retention takes what was never read: nothing is lost by that, it is said, and it heals by inventories. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileOf, peerOf, registrationOf } from '#mesh/testing/share-events.ts';
import { staleReasonsInWords } from './mesh/stale-reason.ts';
import { MemoryStore } from './testing/memory-store.ts';
import { eventually, graceMs, peers, type RunningAnalyzer, suspectAfterMs, TestMesh } from './testing/mesh.ts';
import { truncatedTo } from './testing/truncated-log.ts';

const owes = /records of the log were never read: (\d+) peers? owes? an inventory/;

describe('a log that lost records before they were read', () => {
  let mesh: TestMesh;
  let store: MemoryStore;
  beforeEach(async () => {
    mesh = await TestMesh.open();
    store = new MemoryStore(() => mesh.wallMs);
  });
  afterEach(() => mesh.close());

  const owing = ({ analyzer }: RunningAnalyzer): number =>
    Number(owes.exec(staleReasonsInWords(analyzer.freshness().reasons).join('; '))?.[1] ?? 0);
  const alerted = ({ analyzer }: RunningAnalyzer): boolean =>
    analyzer.health().alerts.some(({ alert }) => alert.key === 'events-truncated');
  const availableOf = ({ analyzer }: RunningAnalyzer, file: number): number | undefined =>
    analyzer.file(fileOf(file))?.health.available;

  async function inventoryOf(peer: number, generation: number, files: readonly number[]): Promise<void> {
    await mesh.says({ peer, begin: generation, events: files.map((file) => ['stored', file, peer] as const) });
    await mesh.says({ peer, end: generation });
    await mesh.tick(peers);
  }

  /** An analyzer that stopped, what it has missed, and what came after. */
  async function restartedBehindGap(missed: () => Promise<void>): Promise<RunningAnalyzer> {
    await mesh.announce();
    await mesh.put([1, 2]);
    await mesh.pass(2000, peers);
    const first = await mesh.start(store);
    await mesh.seenBy(first);
    await mesh.committed();
    await first.kill();
    await missed();
    await mesh.tick(peers);
    const { ends } = await mesh.offsets();
    await mesh.pass(2000, peers);
    const second = await mesh.start(store, { log: truncatedTo(mesh, ends) });
    await mesh.seenBy(second);
    return second;
  }

  it('is stale, alerted and counted until every peer has sent an inventory; then figures are right again', async () => {
    const running = await restartedBehindGap(() => mesh.lose(1, [0, 1, 2]));
    expect(running.counted.truncatedEvents).toBeGreaterThan(0);
    expect(owing(running)).toBe(peers.length);
    expect(running.analyzer.health().freshness.state).toBe('stale');
    // Another analyzer could not tell more: this one goes on answering.
    expect(running.analyzer.readiness()).toEqual({ ready: true, reasons: [] });
    await eventually(() => expect(alerted(running)).toBe(true));
    expect(availableOf(running, 1)).toBe(6);
    for (const peer of peers) {
      await inventoryOf(peer, 1, peer < 3 ? [2] : [1, 2]);
      await mesh.seenBy(running);
      expect(owing(running)).toBe(peers.length - 1 - peer);
    }
    expect([1, 2].map((file) => availableOf(running, file))).toEqual([3, 6]);
    expect(running.analyzer.freshness()).toMatchObject({ state: 'fresh', reasons: [] });
    await eventually(() => expect(alerted(running)).toBe(false));
    const told = store.rows.alertChanges.filter(({ alert }) => alert.key === 'events-truncated');
    await eventually(() => expect(told.map(({ state }) => state)).toContain('firing'));
  });

  it('stays stale over restarts and moves, by what the store has of each peer', async () => {
    const running = await restartedBehindGap(() => mesh.lose(1, [0]));
    await inventoryOf(3, 1, [1, 2]);
    await mesh.seenBy(running);
    await mesh.committed();
    await running.kill();
    const next = await mesh.start(store);
    await mesh.tick(peers);
    await mesh.seenBy(next);
    expect(next.counted.truncatedEvents).toBe(0);
    expect(owing(next)).toBe(peers.length - 1);
    await eventually(() => expect(alerted(next)).toBe(true));
    for (const peer of peers) await inventoryOf(peer, 2, peer === 0 ? [2] : [1, 2]);
    await mesh.seenBy(next);
    expect(next.analyzer.freshness().state).toBe('fresh');
    expect(availableOf(next, 1)).toBe(5);
  });

  it('waits for no peer that does not count: one that is down makes it stale again when it comes back', async () => {
    const running = await restartedBehindGap(() => mesh.lose(1, [0]));
    const left = peers.filter((peer) => peer !== 5);
    await mesh.pass(suspectAfterMs + graceMs + 1000, left);
    for (const peer of left) {
      await mesh.says({ peer, begin: 1, events: [['stored', 1, peer]] });
      await mesh.says({ peer, end: 1 });
    }
    await mesh.tick(left);
    await mesh.seenBy(running);
    expect(owing(running)).toBe(0);
    await mesh.tick(peers);
    await mesh.seenBy(running);
    expect(owing(running)).toBe(1);
  });

  it('asks peers that are there for their inventories, each once, and no one for nothing', async () => {
    await mesh.enrol(4, { inventoryRequest: 6 });
    const running = await restartedBehindGap(() => mesh.lose(1, [0]));
    const requests = new Map(peers.map((peer) => [peerOf(peer), peer === 4 ? 7 : 1]));
    await eventually(async () => expect(await mesh.inventoryAsks()).toEqual(requests));
    await mesh.enrol(4, { inventoryRequest: 7 });
    requests.delete(peerOf(4));
    await eventually(async () => expect(await mesh.inventoryAsks()).toEqual(requests));
    for (const peer of peers) await inventoryOf(peer, 1, [1, 2]);
    await mesh.seenBy(running);
    await eventually(async () => expect(await mesh.inventoryAsks()).toEqual(new Map()));
  });

  it('takes nothing away by the end of an inventory that began before', async () => {
    const running = await restartedBehindGap(() => mesh.says({ peer: 0, begin: 1, events: [['stored', 1, 0]] }));
    await mesh.says({ peer: 0, end: 1 });
    await mesh.tick(peers);
    await mesh.seenBy(running);
    expect([1, 2].map((file) => availableOf(running, file))).toEqual([6, 6]);
    expect(owing(running)).toBe(peers.length);
  });

  it('is not fresh while files have shares and nobody says what they are, though every inventory has come', async () => {
    await mesh.close();
    mesh = await TestMesh.open({ flags: { 'analyzer.manifestPatienceMs': 100 } });
    const running = await restartedBehindGap(() => mesh.put([3]));
    for (const peer of peers) await inventoryOf(peer, 1, [1, 2, 3]);
    await mesh.seenBy(running);
    expect(owing(running)).toBe(0);
    expect(running.analyzer.health().totals?.filesWithoutManifest).toBe(1);
    await eventually(() =>
      expect(running.analyzer.health().freshness.reasons).toEqual([{ kind: 'without-manifest', files: 1 }]),
    );
    const warned = () => running.analyzer.health().alerts.map(({ alert }) => [alert.key, alert.severity]);
    await eventually(() => expect(warned()).toEqual([['files-unwatched', 'warning']]));
    // Its peers say what it is, as they do when they are asked for an inventory.
    await mesh.says({ peer: 0, registrations: [registrationOf(3, { origin: 'derived' })] });
    await mesh.tick(peers);
    await mesh.seenBy(running);
    expect(availableOf(running, 3)).toBe(6);
    await eventually(() => expect(running.analyzer.health().freshness.state).toBe('fresh'));
    await eventually(() => expect(warned()).toEqual([]));
  });

  it('is noticed by a new database too, which has never seen what was there', async () => {
    await mesh.announce();
    await mesh.put([1]);
    await mesh.tick(peers);
    const { ends } = await mesh.offsets();
    await mesh.put([2]);
    await mesh.pass(2000, peers);
    const running = await mesh.start(store, { log: truncatedTo(mesh, ends) });
    await mesh.seenBy(running);
    expect(owing(running)).toBe(peers.length);
    expect(running.analyzer.file(fileOf(1))).toBeUndefined();
  });
});
