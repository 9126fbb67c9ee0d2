import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { Coding } from '#mesh/coding.ts';
import type { PeerBatch } from '#mesh/events/share-batch.ts';
import { type PeerId, peerIdFromBytes } from '#mesh/peer-id.ts';
import { type PeerState, peerStates } from '#mesh/peer-state.ts';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { isaLevel, isaLevelsSupported, loadNative } from '#native/load.ts';
import { NativeShareMap } from './native-share-map.ts';
import type { Exposure } from './peer-numbering.ts';
import { PeerTable } from './peer-table.ts';
import type { FileHealth } from './share-map.ts';
import { changeRows, codings, fileNames, files, healthRows, policyFor, totalRows } from './testing/compared-maps.ts';
import { PlainShareMap } from './testing/plain-share-map.ts';

// --- whole files over many peers ------------------------------------------------------------------------------------

const meshPeers = Array.from({ length: 300 }, (_, i) => peerIdFromBytes(new Uint8Array(32).fill(i).fill(i >> 8, 0, 2)));

/** Some kinds have few domains and some many, and not every peer names each. */
const domainKinds = { region: 5, zone: 16, operator: 3, rack: 60, network: 12, site: 9 } as const;

function meshOf(seed: number): PeerTable {
  let state = seed | 1;
  const below = (limit: number): number => {
    state = Math.imul(state, 1664525) + 1013904223;
    return (state >>> 8) % limit;
  };
  const table = new PeerTable();
  for (const peer of meshPeers) {
    table.setConfidence(peer, below(3) > 0 ? 1000 : below(1001));
    table.setState(peer, below(10) < 8 ? 'up' : (peerStates[below(peerStates.length)] as PeerState));
    const named = Object.entries(domainKinds).filter(() => below(8) > 0);
    table.setDomains(peer, Object.fromEntries(named.map(([kind, count]) => [kind, `${kind}${below(count)}`])));
  }
  return table;
}

interface MeshFile {
  readonly coding: number;
  /** Peers from one share to the next; 0 puts everything on one peer. */
  readonly stride: number;
  readonly offset: number;
  readonly missing: readonly number[];
  readonly corrupt: readonly number[];
  readonly doubled: readonly number[];
}

const fewShares = fc.array(fc.nat(99), { maxLength: 3 });
const meshFile: fc.Arbitrary<MeshFile> = fc.record({
  coding: fc.nat(codings.length - 1),
  stride: fc.constantFrom(1, 1, 1, 7, 0, 150, 100),
  offset: fc.nat(299),
  missing: fc.oneof(fewShares, fc.array(fc.nat(99), { maxLength: 80 })),
  corrupt: fc.oneof(fc.constant([]), fewShares),
  doubled: fc.oneof(fc.constant([]), fewShares),
});

/** What the peers say of such files, a batch each. */
function batchesOf(meshFiles: readonly MeshFile[], table: PeerTable): readonly PeerBatch[] {
  const events = new Map<number, { file: number; share: number; kind: number }[]>();
  meshFiles.forEach(({ coding, stride, offset, missing, corrupt, doubled }, file) => {
    for (let share = 0; share < (codings[coding] as Coding).n; share++) {
      if (missing.includes(share)) continue;
      const kind = corrupt.includes(share) ? 4 : 1;
      const holders = doubled.includes(share) ? [0, 1] : [0];
      for (const extra of holders) {
        const peer = (offset + share * stride + extra * 13) % meshPeers.length;
        events.set(peer, [...(events.get(peer) ?? []), { file, share, kind }]);
      }
    }
  });
  const registrations = meshFiles.map(({ coding }, file) => ({
    manifest: {
      storageIndex: fileNames[file] as StorageIndex,
      uebHash: new Uint8Array(32).fill(file),
      ...(codings[coding] as Coding),
      sizeBytes: 1000 + file,
    },
    origin: 'owner' as const,
    tag: '',
  }));
  return [...events].map(([peer, ofPeer]) => ({
    peer: table.row(peer).peer,
    incarnation: 1,
    sequence: 1,
    storageIndexes: Buffer.concat(ofPeer.map(({ file }) => files[file] as Uint8Array)),
    shareNumbers: Uint8Array.from(ofPeer, ({ share }) => share),
    kinds: Uint8Array.from(ofPeer, ({ kind }) => kind),
    registrations,
    deletedFiles: new Uint8Array(0),
    inventory: null,
  }));
}

/** Thousands of small files, each registered once; every round ends inventories, moves shares and adds files. */
function busyBatch(table: PeerTable, peer: number, round: number, sequence: number): PeerBatch {
  const numbers = Array.from({ length: 200 }, (_, i) => (peer * 61 + i * 7 + round * 13) % (300 + round * 100));
  const column = new Uint8Array(numbers.length * 16);
  const view = new DataView(column.buffer);
  numbers.forEach((number, i) => view.setUint32(i * 16 + 4, number * 2654435761));
  return {
    peer: table.row(peer).peer,
    incarnation: 1,
    sequence,
    storageIndexes: column,
    shareNumbers: Uint8Array.from(numbers, (number, i) => (number + i + peer) % 12),
    kinds: new Uint8Array(numbers.length).fill(1),
    registrations: numbers
      .filter((number) => number % 5 !== round % 5)
      .map((number) => {
        const index = new Uint8Array(16);
        new DataView(index.buffer).setUint32(4, number * 2654435761);
        const manifest = {
          storageIndex: storageIndexFromBytes(index),
          uebHash: new Uint8Array(32).fill(number),
          k: 3,
          n: 10,
          sizeBytes: number,
        };
        return { manifest, origin: 'owner' as const, tag: '' };
      }),
    deletedFiles: new Uint8Array(0),
    inventory: { phase: round % 2 === 0 ? 'begin' : 'end', generation: 1 + (round >> 1) },
  };
}

type Counts = Record<string, [number, number]>;

const exposureRows = ({ peers: ofPeers, domains }: Exposure): Counts =>
  Object.fromEntries(
    [...[...ofPeers].map(([peer, row]) => [peer, row] as const), ...[...domains].flatMap(([, ofKind]) => [...ofKind])]
      .map(([name, { filesBelowK, filesBelowRepair }]): [string, [number, number]] => [
        name,
        [filesBelowK, filesBelowRepair],
      ])
      .sort(),
  );

/** By the definition: for each file and each peer or domain, the available shares that it holds. */
function plainExposure(map: PlainShareMap, healths: readonly FileHealth[], table: PeerTable): Exposure {
  const ofPeers = new Map<PeerId, { filesBelowK: number; filesBelowRepair: number }>();
  const ofDomains = new Map<string, { filesBelowK: number; filesBelowRepair: number }>();
  for (const { storageIndex, available, policy, manifest } of healths) {
    const peerShares = new Map<PeerId, number>();
    const domainShares = new Map<string, number>();
    for (const placement of map.placements(storageIndex)) {
      if (!placement.available || placement.shareNumber >= manifest.n) continue;
      peerShares.set(placement.peer, (peerShares.get(placement.peer) ?? 0) + 1);
      for (const domain of Object.values(table.row(table.numberOf(placement.peer)).domains))
        domainShares.set(domain, (domainShares.get(domain) ?? 0) + 1);
    }
    const note = <K>(
      shares: ReadonlyMap<K, number>,
      rows: Map<K, { filesBelowK: number; filesBelowRepair: number }>,
    ) => {
      for (const [name, count] of shares) {
        const row = rows.get(name) ?? { filesBelowK: 0, filesBelowRepair: 0 };
        if (available >= manifest.k && available - count < manifest.k) row.filesBelowK++;
        if (available >= policy.repairBelow && available - count < policy.repairBelow) row.filesBelowRepair++;
        if (row.filesBelowK + row.filesBelowRepair > 0) rows.set(name, row);
      }
    };
    note(peerShares, ofPeers);
    note(domainShares, ofDomains);
  }
  return { peers: ofPeers, domains: new Map([['any', ofDomains]]) };
}

describe('a sweep of the native share map', () => {
  const levelBefore = isaLevel();
  afterAll(() => loadNative().setIsaLevel(levelBefore));

  test.each(isaLevelsSupported())('judges whole files over many peers as the plain one does (%s)', (level) => {
    loadNative().setIsaLevel(level);
    fc.assert(
      fc.property(fc.array(meshFile, { minLength: 1, maxLength: 8 }), fc.nat(0xffffffff), (meshFiles, seed) => {
        const table = meshOf(seed);
        const options = { peers: table, policyFor, maxFiles: 100, settleMs: 0 };
        const [plain, native] = [new PlainShareMap(options), new NativeShareMap(options)];
        for (const batch of batchesOf(meshFiles, table)) {
          plain.apply(batch, 0);
          native.apply(batch, 0);
        }
        const expected = plain.sweep(1);
        const found = native.sweep(1);
        expect(healthRows(found.changed)).toEqual(healthRows(expected.changed));
        expect(totalRows(found.totals)).toEqual(totalRows(expected.totals));
        expect(found.shortfall).toEqual(expected.shortfall);
        expect(exposureRows(found.exposure)).toEqual(exposureRows(plainExposure(plain, expected.changed, table)));
      }),
      { numRuns: 60 },
    );
  });

  test('tells in a what-if what would be, and notes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(meshFile, { minLength: 1, maxLength: 4 }),
        fc.nat(0xffffffff),
        fc.nat(0xffffffff),
        async (meshFiles, seed, otherSeed) => {
          const table = meshOf(seed);
          const options = { peers: table, policyFor, maxFiles: 100, settleMs: 0 };
          const native = new NativeShareMap({ ...options, sweepThreads: 3 });
          for (const batch of batchesOf(meshFiles, table)) native.apply(batch, 0);
          native.sweep(1);
          const others = meshOf(otherSeed);
          const plain = new PlainShareMap({ ...options, peers: others });
          for (const batch of batchesOf(meshFiles, others)) plain.apply(batch, 0);
          const whatIf = await native.whatIf(1, others);
          const expected = plain.sweep(1);
          expect(totalRows(whatIf.totals)).toEqual(totalRows(expected.totals));
          expect(whatIf.shortfall).toEqual(expected.shortfall);
          expect(native.sweep(1).changed).toEqual([]);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('takes events while a sweep is under way, and the next sweep finds everything', async () => {
    const table = meshOf(1);
    const options = { peers: table, policyFor, maxFiles: 5000, settleMs: 0 };
    const [plain, native] = [new PlainShareMap(options), new NativeShareMap({ ...options, sweepThreads: 2 })];
    let sequence = 0;
    const applyToBoth = (batch: PeerBatch): void => {
      plain.apply(batch, 0);
      native.apply(batch, 0);
    };
    for (let round = 0; round < 12; round++) {
      const sweeping = native.sweepBeside(round, 10_000);
      for (let peer = 0; peer < 40; peer++) applyToBoth(busyBatch(table, peer, round, ++sequence));
      await sweeping;
    }
    native.sweep(100);
    plain.sweep(100);
    const again = native.sweep(101);
    expect(again.changed).toEqual([]);
    expect(totalRows(again.totals)).toEqual(totalRows(plain.sweep(101).totals));
    expect(changeRows(native.takeChanges())).toEqual(changeRows(plain.takeChanges()));
  });

  test('tells of no more changed files than it was asked for, and of the rest later', async () => {
    const table = meshOf(2);
    const native = new NativeShareMap({ peers: table, policyFor, maxFiles: 5000, settleMs: 0 });
    for (let peer = 0; peer < 10; peer++) native.apply(busyBatch(table, peer, 0, peer + 1), 0);
    const first = await native.sweepBeside(1, 100);
    const judged = native.fileCount - first.totals.filesWithoutManifest;
    expect([[...first.changed()].length, first.changedLater]).toEqual([100, judged - 100]);
    const second = native.sweep(1);
    expect([second.changed.length, second.changedLater]).toEqual([judged - 100, 0]);
  });
});
