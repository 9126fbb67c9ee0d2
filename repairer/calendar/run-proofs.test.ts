import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { PlacedShare } from '#peers/locate.ts';
import type { ProofRow } from '#store/tables.ts';
import { type FakeFile, type FakeMesh, fakeMesh, storeFile } from '../testing/fake-mesh.ts';
import { runProofs } from './run-proofs.ts';

const coding = { k: 3, n: 10 };

interface Ran {
  readonly said: string;
  readonly kept: readonly ProofRow[];
  readonly outcomes: readonly string[];
}

async function prove(
  mesh: FakeMesh,
  files: readonly FakeFile[],
  known: (file: FakeFile) => readonly PlacedShare[],
  holdReason: () => string = () => '',
): Promise<Ran> {
  const kept: ProofRow[] = [];
  const outcomes: string[] = [];
  const { transfer } = mesh.tools.mesh;
  const said = await runProofs(
    {
      sample: (count) => Promise.resolve(files.slice(0, count).map(({ manifest }) => ({ manifest, margin: 7 }))),
      keep: (_table, rows) => Promise.resolve(void kept.push(...rows)),
      transfer,
      peers: () => mesh.peers.map(({ peerId }) => peerId),
      known: (index) =>
        Promise.resolve(files.filter(({ manifest }) => manifest.storageIndex === index).flatMap((file) => known(file))),
      holdReason,
      clock: mesh.clock,
      random: mesh.random,
      logger: pino({ level: 'silent' }),
      onProof: (outcome) => outcomes.push(outcome),
    },
    'weekly',
    files.length,
    new AbortController().signal,
  );
  return { said, kept, outcomes };
}

const asked = (mesh: FakeMesh): number => mesh.peers.reduce((sum, { calls }) => sum + calls.list, 0);

/** Where the shares of the file lie, as they were put. */
const placesIn =
  (mesh: FakeMesh) =>
  ({ shares }: FakeFile): readonly PlacedShare[] =>
    shares.map((_, shareNumber) => ({ shareNumber, peerId: mesh.peers[shareNumber]?.peerId as PlacedShare['peerId'] }));

describe('proofs that are due', () => {
  it('ask no peer where shares are, where that is known', async () => {
    const mesh = await fakeMesh(12);
    const files = [await storeFile(mesh, coding, 5000, 1), await storeFile(mesh, coding, 5000, 2)];
    const { said, kept, outcomes } = await prove(mesh, files, placesIn(mesh));
    expect(said).toBe('2 files recovered');
    expect(outcomes).toEqual(['proven', 'proven']);
    expect(kept.map(({ outcome, reason }) => [outcome, reason])).toEqual(
      files.map(() => ['proven', 'calendar weekly']),
    );
    expect(asked(mesh)).toBe(0);
  });

  it('ask every peer where what is known does not give the file back', async () => {
    const mesh = await fakeMesh(12);
    const file = await storeFile(mesh, coding, 5000);
    for (const peer of mesh.peers.slice(0, 6)) peer.shares.clear();
    const { said } = await prove(mesh, [file], (one) => placesIn(mesh)(one).slice(0, 6));
    expect(said).toBe('1 file recovered');
    expect(asked(mesh)).toBeGreaterThan(0);
  });

  it('tell of a file that should be recoverable and is not', async () => {
    const mesh = await fakeMesh(12);
    const file = await storeFile(mesh, coding, 5000);
    for (const peer of mesh.peers.slice(2)) peer.shares.clear();
    const { said, outcomes } = await prove(mesh, [file], placesIn(mesh));
    expect(said).toBe('0 files recovered, 1 could not be, 1 of them against what their margin says');
    expect(outcomes).toEqual(['disagrees']);
  });

  it('leave the rest where something holds them', async () => {
    const mesh = await fakeMesh(12);
    const files = [await storeFile(mesh, coding, 5000, 1), await storeFile(mesh, coding, 5000, 2)];
    const reasons = ['', 'a repair waits'];
    const { said } = await prove(mesh, files, placesIn(mesh), () => reasons.shift() as string);
    expect(said).toBe('1 file recovered; the rest was left: a repair waits');
  });
});
