import { describe, expect, it } from 'vitest';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { settle } from '#mesh/testing/manual-clock.ts';
import type { ProofRow } from '#store/tables.ts';
import { type FakeMesh, fakeMesh } from '../testing/fake-mesh.ts';
import { runCanary } from './run-canary.ts';

interface Canary {
  readonly mesh: FakeMesh;
  readonly forgotten: StorageIndex[];
  readonly kept: ProofRow[];
  readonly stop: AbortController;
  readonly run: Promise<string>;
}

/** @param counted what the analyzer says of the file, each time that it is asked. */
async function canary(counted: () => number | null): Promise<Canary> {
  const mesh = await fakeMesh(12);
  const forgotten: StorageIndex[] = [];
  const kept: ProofRow[] = [];
  const stop = new AbortController();
  const { transfer, peerView } = mesh.tools.mesh;
  const { clock, random, randomBytes, leaseSecret } = mesh.tools.runtime;
  const run = runCanary(
    {
      transfer,
      field: () => peerView.writable(),
      peers: () => mesh.peers.map(({ peerId }) => peerId),
      keep: async (_table, rows) => void kept.push(...rows),
      forget: async (index) => void forgotten.push(index),
      counted: async () => counted(),
      clock,
      random,
      randomBytes,
      leaseSecret,
    },
    'canary',
    60_000,
    stop.signal,
  );
  run.catch(() => undefined);
  return { mesh, forgotten, kept, stop, run };
}

async function pass(mesh: FakeMesh, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await settle();
    await mesh.clock.advance(1000);
  }
  await settle();
}

describe('a canary', () => {
  it('that was repaired is recovered, and then taken out of the mesh’s care', async () => {
    let looks = 0;
    const { mesh, forgotten, kept, run } = await canary(() => (++looks < 3 ? null : 10));
    await pass(mesh, 10);
    expect(await run).toMatch(/^put with \d shares, repaired to 10 after \d+ s, and recovered$/);
    expect(kept).toMatchObject([{ outcome: 'proven', reason: 'canary canary' }]);
    expect(forgotten).toEqual([kept[0]?.storageIndex]);
  });

  it('that nobody repairs fails in time, and is taken out of the mesh’s care', async () => {
    const { mesh, forgotten, run } = await canary(() => 5);
    await pass(mesh, 70);
    await expect(run).rejects.toMatchObject({ code: 'promise-broken' });
    expect(forgotten).toHaveLength(1);
  });

  it('that is called off is taken out of the mesh’s care', async () => {
    const { mesh, forgotten, stop, run } = await canary(() => 5);
    await pass(mesh, 3);
    stop.abort(new Error('stopping'));
    await expect(run).rejects.toThrow('stopping');
    expect(forgotten).toHaveLength(1);
  });
});
