/** One peer that names files which do not exist, in an analyzer that has room for few. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileOf, peerOf } from '#mesh/testing/share-events.ts';
import { MemoryStore } from './testing/memory-store.ts';
import { eventually, peers, type RunningAnalyzer, TestMesh } from './testing/mesh.ts';

const liar = 5;
const madeUp = Array.from({ length: 400 }, (_, file) => 1000 + file);

describe('an analyzer with room for 100 files', () => {
  let mesh: TestMesh;
  let store: MemoryStore;
  beforeEach(async () => {
    mesh = await TestMesh.open({
      flags: { 'analyzer.maxFiles': 100, 'analyzer.maxUnregisteredPerPeer': 1_000_000 },
    });
    store = new MemoryStore(() => mesh.wallMs);
  });
  afterEach(() => mesh.close());

  const unregistered = ({ analyzer }: RunningAnalyzer): number => analyzer.health().totals?.filesWithoutManifest ?? -1;

  async function started(flags: Readonly<Record<string, unknown>> = {}): Promise<RunningAnalyzer> {
    if (Object.keys(flags).length > 0) {
      await mesh.close();
      mesh = await TestMesh.open({ flags: { 'analyzer.maxFiles': 100, ...flags } });
    }
    await mesh.announce();
    const running = await mesh.start(store);
    await mesh.tick(peers);
    await mesh.seenBy(running);
    return running;
  }

  async function lies(running: RunningAnalyzer): Promise<void> {
    for (const file of madeUp) await mesh.says({ peer: liar, events: [['stored', file, 0]] });
    await mesh.tick(peers);
    await mesh.seenBy(running);
  }

  it('holds 100 in all partitions together, and takes files of owners though it is full of others', async () => {
    const running = await started();
    await lies(running);
    // A fetch of records may go beyond the limit, which is looked at before each.
    expect(unregistered(running)).toBeLessThanOrEqual(200);
    await mesh.put([1, 2, 3]);
    await mesh.pass(2000, peers);
    await mesh.seenBy(running);
    expect([1, 2, 3].map((file) => running.analyzer.file(fileOf(file))?.health.available)).toEqual([6, 6, 6]);
  });

  it('holds no more of one peer than its quota', async () => {
    const running = await started({ 'analyzer.maxUnregisteredPerPeer': 20 });
    await lies(running);
    expect(unregistered(running)).toBe(20);
    expect(running.analyzer.health().alerts.map(({ alert }) => alert.key)).not.toContain('files-refused');
  });

  it('is free again when the peer is revoked', async () => {
    const running = await started();
    await lies(running);
    expect(unregistered(running)).toBeGreaterThan(0);
    await mesh.enrol(liar, { revoked: true });
    await mesh.tick(peers);
    await eventually(() => expect(unregistered(running)).toBe(0));
    expect(running.analyzer.peer(peerOf(liar))?.state).toBe('departed');
    // Its shares of real files still say why they have one fewer.
    await mesh.put([1]);
    await mesh.pass(2000, peers);
    await mesh.seenBy(running);
    expect(running.analyzer.file(fileOf(1))?.health).toMatchObject({ available: 5, retained: 5 });
  });
});
