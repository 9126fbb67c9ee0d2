import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MeshwardError } from '#mesh/errors.ts';
import { loadNative } from '../load.ts';
import {
  availabilityEntries,
  fullConfidence,
  healthFigures,
  NativeShareMap,
  nativePlacementStates,
  peerFlags,
} from '../share-map.ts';

const everyFlag = peerFlags.available | peerFlags.counted | peerFlags.retained;

function indexesOf(from: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count * 16);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < count; i++) {
    view.setUint32(i * 16, Math.imul(from + i, 2654435761));
    view.setUint32(i * 16 + 12, from + i);
  }
  return bytes;
}

/** `files` files of 3-of-10 with every share, each on a peer of its own. */
function meshOf(files: number, options: { settleMs?: number; maxFiles?: number } = {}): NativeShareMap {
  const map = new NativeShareMap({ maxFiles: options.maxFiles ?? 1e6, settleMs: options.settleMs ?? 0 });
  const fileClass = map.addClass({ k: 3, n: 10, repairBelow: 6, policy: 0, byOwner: true });
  map.setPeers({
    flags: new Uint8Array(10).fill(everyFlag),
    domains: Uint16Array.from({ length: 10 }, (_, peer) => peer % 2),
    domainCounts: new Uint32Array([2]),
  });
  const storageIndexes = indexesOf(0, files);
  map.registerFiles(
    {
      storageIndexes,
      uebHashes: new Uint8Array(files * 32).map((_, i) => i),
      sizesBytes: new Float64Array(files).fill(1000),
      classes: new Uint32Array(files).fill(fileClass),
    },
    1_700_000_000_000,
  );
  for (let peer = 0; peer < 10; peer++) {
    const shares = new Uint8Array(files).fill(peer);
    map.apply(peer, 1, storageIndexes, shares, new Uint8Array(files).fill(1));
  }
  return map;
}

function takeAll(map: NativeShareMap): void {
  map.takePlacements();
  map.takeFiles();
}

describe('memory', () => {
  // What the map itself counts; bench/share-map.ts holds it against what the process has.
  test('is at most 10 bytes a share at 3-of-10 and 6 at 25-of-100, manifests and index included', () => {
    const files = 120_000;
    const small = meshOf(files);
    takeAll(small);
    small.look(0);
    expect(small.memoryBytes / small.counts.placements).toBeLessThan(10);

    const large = new NativeShareMap({ maxFiles: 1e6, settleMs: 0 });
    const fileClass = large.addClass({ k: 25, n: 100, repairBelow: 50, policy: 0, byOwner: true });
    const storageIndexes = indexesOf(0, 20_000);
    large.registerFiles(
      {
        storageIndexes,
        uebHashes: new Uint8Array(20_000 * 32),
        sizesBytes: new Float64Array(20_000).fill(1e9),
        classes: new Uint32Array(20_000).fill(fileClass),
      },
      1_700_000_000_000,
    );
    for (let peer = 0; peer < 100; peer++) {
      large.apply(peer, 1, storageIndexes, new Uint8Array(20_000).fill(peer), new Uint8Array(20_000).fill(1));
      takeAll(large);
    }
    large.look(0);
    expect(large.memoryBytes / large.counts.placements).toBeLessThan(6);
  });

  test('of files that are forgotten is used again', () => {
    const map = new NativeShareMap({ maxFiles: 1e6, settleMs: 0 });
    const churn = (round: number): void => {
      const indexes = indexesOf(round * 5000, 5000);
      map.apply(1, 1, indexes, new Uint8Array(5000), new Uint8Array(5000).fill(1));
      map.apply(1, 1, indexes, new Uint8Array(5000), new Uint8Array(5000).fill(3));
      takeAll(map);
      map.look(0);
    };
    churn(0);
    const before = map.memoryBytes;
    for (let round = 1; round < 10; round++) churn(round);
    expect(map.counts).toMatchObject({ files: 0, placements: 0 });
    expect(map.memoryBytes).toBeLessThan(before * 2);
  });
});

describe('a share map', () => {
  test('finds every one of many files again, and no other', () => {
    const map = meshOf(50_000);
    for (let i = 0; i < 50_000; i += 97) expect(map.placements(indexesOf(i, 1)).shareNumbers.length).toBe(10);
    expect(map.find(indexesOf(50_000, 1))).toBeNull();
  });

  test('keeps several peers for a share, and promotes the second when the first loses it', () => {
    const map = meshOf(1);
    const index = indexesOf(0, 1);
    const one = new Uint8Array([1]);
    map.apply(3, 1, index, new Uint8Array([0]), one);
    expect(map.counts.placements).toBe(11);
    map.apply(0, 1, index, new Uint8Array([0]), new Uint8Array([3]));
    expect([...map.placements(index).peers].sort()).toEqual([1, 2, 3, 3, 4, 5, 6, 7, 8, 9]);
    expect(map.health(index, 0)?.figures[healthFigures.available]).toBe(10);
    expect(map.health(index, 0)?.figures[healthFigures.distinctPeers]).toBe(9);
  });

  test('takes away at once what an inventory did not name, long before its room is freed', () => {
    const map = meshOf(40_000);
    takeAll(map);
    map.sweepNow({ atMs: 0 });
    map.apply(4, 2, indexesOf(0, 10_000), new Uint8Array(10_000).fill(4), new Uint8Array(10_000).fill(1));
    expect(map.endInventory(4, 2)).toBe(30_000);
    expect(map.counts).toMatchObject({ placements: 370_000, deadPlacements: 30_000 });
    const sweep = map.sweepNow({ atMs: 0 });
    expect(sweep.files[9]).toBe(30_000);
    expect(sweep.files[10]).toBe(10_000);
    expect(map.placements(indexesOf(20_000, 1)).shareNumbers.length).toBe(9);
    let slices = 0;
    while (map.reap(20)) slices++;
    expect(slices).toBeGreaterThan(3);
    expect(map.takePlacements().states.filter((state) => state === nativePlacementStates.lost).length).toBe(30_000);
  });

  test('tells changes in bounded portions', () => {
    const map = meshOf(1000);
    let rows = 0;
    for (let left = 1; left > 0; ) {
      const portion = map.takePlacements(1024);
      expect(portion.peers.length).toBeLessThanOrEqual(1024);
      rows += portion.peers.length;
      left = portion.left;
    }
    expect(rows).toBe(10_000);
  });

  test('keeps ten inventories that never ended apart as far as codes reach, and loses no placement', () => {
    const map = meshOf(100);
    const indexes = indexesOf(0, 100);
    for (let generation = 2; generation < 30; generation++) {
      map.apply(
        0,
        generation,
        indexes.subarray(0, 16 * (100 - generation)),
        new Uint8Array(100 - generation),
        new Uint8Array(100 - generation).fill(1),
      );
      expect(map.counts.placements).toBe(1000);
    }
    map.apply(0, 99, indexes, new Uint8Array(100), new Uint8Array(100).fill(1));
    expect(map.endInventory(0, 99)).toBe(0);
    expect(map.counts.placements).toBe(1000);
  });
});

describe('confidence in peers', () => {
  const trusted = (confidences?: readonly number[]) => ({
    flags: new Uint8Array(10).fill(everyFlag),
    domains: Uint16Array.from({ length: 10 }, (_, peer) => peer % 2),
    domainCounts: new Uint32Array([2]),
    ...(confidences === undefined ? {} : { confidences: Uint16Array.from(confidences) }),
  });
  const halves = Array.from({ length: 10 }, () => 500);

  test('is full where nothing is said: what is available may be expected', () => {
    const map = meshOf(1);
    expect(map.health(indexesOf(0, 1), 0)?.expected[0]).toBe(10 * fullConfidence);
    expect(map.sweepNow({ atMs: 0 })).toMatchObject({ expectedBelowK: 0, expectedBelowRepair: 0 });
  });

  test('weighs into what may be expected and makes no file a changed one', () => {
    const map = meshOf(300);
    map.sweepNow({ atMs: 0 });
    map.setPeers(trusted(halves));
    expect(map.health(indexesOf(0, 1), 0)?.expected[0]).toBe(5000);
    const swept = map.sweepNow({ atMs: 0 });
    expect([swept.changed.count, swept.expectedBelowK, swept.expectedBelowRepair]).toEqual([0, 0, 300]);
  });

  test('counts a share that several peers have as the most trusted of them', () => {
    const map = meshOf(1);
    map.setPeers(trusted([100, 900, ...halves.slice(2)]));
    map.apply(1, 1, indexesOf(0, 1), new Uint8Array([0]), new Uint8Array([1]));
    expect(map.health(indexesOf(0, 1), 0)?.expected[0]).toBe(900 + 900 + 8 * 500);
  });

  test('can be tried out in a what-if that leaves the map as it is', async () => {
    const map = meshOf(20);
    const whatIf = await map.sweep({ atMs: 0, whatIfPeers: trusted(Array.from({ length: 10 }, () => 100)) });
    expect([whatIf.expectedBelowK, whatIf.expectedBelowRepair]).toEqual([20, 20]);
    expect(map.sweepNow({ atMs: 0 }).expectedBelowK).toBe(0);
  });

  test('goes with a snapshot, as the peers do', () => {
    const map = meshOf(20);
    map.setPeers(trusted(halves));
    takeAll(map);
    const copy = new NativeShareMap({ maxFiles: 1e6, settleMs: 0 });
    for (const part of map.snapshot()) copy.readSnapshotPart(part);
    expect(copy.sweepNow({ atMs: 0 }).changed.expected).toEqual(new Uint32Array(20).fill(5000));
  });

  test('above what there is, or for other peers than there are, is refused', () => {
    const map = meshOf(1);
    expect(() => map.setPeers(trusted(halves.with(3, fullConfidence + 1)))).toThrow(/confidence/);
    expect(() => map.setPeers(trusted(halves.slice(1)))).toThrow(/9 confidences where 10 are wanted/);
  });
});

describe('a snapshot', () => {
  const sorted = (map: NativeShareMap, file: number): unknown => {
    const { shareNumbers, peers, states, generations } = map.placements(indexesOf(file, 1));
    return Array.from(shareNumbers, (share, i) => [share, peers[i], states[i], generations[i]]).sort();
  };

  test('holds files, placements, generations and what was reported', () => {
    const map = meshOf(3000);
    map.apply(11, 7, indexesOf(0, 500), new Uint8Array(500).fill(4), new Uint8Array(500).fill(4));
    map.apply(11, 7, indexesOf(2990, 30), new Uint8Array(30).fill(200), new Uint8Array(30).fill(1));
    map.deleteFiles(indexesOf(10, 5));
    map.endInventory(2, 1);
    map.sweepNow({ atMs: 5 });
    takeAll(map);
    const copy = new NativeShareMap({ maxFiles: 1e6, settleMs: 0 });
    for (const part of map.snapshot()) copy.readSnapshotPart(part);
    expect(copy.counts).toEqual(map.counts);
    for (let file = 0; file < 3020; file += 7) {
      expect(sorted(copy, file)).toEqual(sorted(map, file));
      expect(copy.find(indexesOf(file, 1))).toEqual(map.find(indexesOf(file, 1)));
    }
    const [swept, sweptCopy] = [map.sweepNow({ atMs: 6 }), copy.sweepNow({ atMs: 6 })];
    expect(sweptCopy.changed.count).toBe(0);
    expect(sweptCopy.files).toEqual(swept.files);
    copy.apply(0, 1, indexesOf(0, 3000), new Uint8Array(3000), new Uint8Array(3000).fill(3));
    expect(copy.counts.placements).toBe(map.counts.placements - 3000);
  });

  test('is refused while changes wait to be taken', () => {
    const map = meshOf(10);
    expect(() => [...map.snapshot()]).toThrow(/take its changes/);
  });

  test('that is damaged, cut off or out of order is an error and nothing worse', () => {
    const map = meshOf(9000);
    map.apply(11, 7, indexesOf(0, 100), new Uint8Array(100).fill(4), new Uint8Array(100).fill(4));
    takeAll(map);
    const parts = [...map.snapshot()];
    expect(parts.length).toBe(3);
    const read = (bytes: readonly Uint8Array[]): void => {
      const copy = new NativeShareMap({ maxFiles: 1e6, settleMs: 0 });
      for (const part of bytes) copy.readSnapshotPart(part);
    };
    expect(() => read([parts[0], parts[2]] as Uint8Array[])).toThrow(/out of order/);
    expect(() => read([parts[0], parts[0]] as Uint8Array[])).toThrow(/not a new one/);
    fc.assert(
      fc.property(fc.nat(2), fc.nat(), fc.nat(255), fc.boolean(), (which, at, value, cut) => {
        const part = (parts[which] as Uint8Array).slice();
        const position = at % part.length;
        const damaged = cut ? part.subarray(0, position) : part;
        if (!cut) part[position] = (part[position] as number) ^ (value || 1);
        expect(() => read(parts.with(which, damaged as Uint8Array<ArrayBuffer>))).toThrow(MeshwardError);
      }),
      { numRuns: 60 },
    );
  });
});

describe('whatever JavaScript hands over', () => {
  type Method = (...values: unknown[]) => unknown;
  const native = loadNative() as unknown as {
    ShareMapCore: (new (...values: unknown[]) => Record<string, Method>) & { prototype: object };
  };
  const methods = Object.getOwnPropertyNames(native.ShareMapCore.prototype).filter((name) => name !== 'constructor');
  const detached = (): Uint8Array => {
    const bytes = new Uint8Array(32);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    return bytes;
  };
  const value = fc.oneof(
    fc.constantFrom<unknown>(
      undefined,
      null,
      -1,
      0,
      1,
      2,
      255,
      256,
      1e6,
      2 ** 32,
      2 ** 53,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      0.5,
      'x',
      {},
      [],
    ),
    fc.uint8Array({ maxLength: 100 }),
    fc.nat(6).map((count) => indexesOf(0, count)),
    fc.nat(6).map((count) => new Uint8Array(count).fill(1)),
    fc.nat(6).map((count) => new Uint8Array(count * 32)),
    fc.uint32Array({ maxLength: 7 }),
    fc.nat(6).map((count) => new Uint32Array(count)),
    fc.uint16Array({ maxLength: 10 }),
    fc.float64Array({ maxLength: 6 }),
    fc.constant(0).map(detached),
  );
  const refused = /^(TypeError|RangeError|Error)$/;

  test('is taken or refused with an error, never a crash, and leaves a map that works', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(...methods), fc.array(value, { maxLength: 7 })), {
          minLength: 10,
          maxLength: 80,
        }),
        async (calls) => {
          const core = new native.ShareMapCore(new Uint8Array(16), 100, 10);
          (core['addClass'] as Method)(3, 10, 6, 0, true);
          (core['addClass'] as Method)(1, 256, 2, 1, false);
          const promises: unknown[] = [];
          for (const [name, values] of calls) {
            try {
              promises.push((core[name] as Method)(...values));
            } catch (error) {
              expect((error as Error).constructor.name).toMatch(refused);
            }
          }
          await Promise.all(promises);
          const swept = (core['sweep'] as Method)(1e9, 2, 1000) as { files: Uint32Array; policies: Uint32Array };
          expect(swept.files.length).toBe(swept.policies.length * availabilityEntries);
        },
      ),
      { numRuns: 300 },
    );
  });

  test.each([
    ['a seed of another length', () => new native.ShareMapCore(new Uint8Array(15), 1, 1)],
    ['a method without its map', () => (native.ShareMapCore.prototype as Record<string, Method>)['counts']?.call({})],
  ])('is refused: %s', (_, call) => {
    expect(call).toThrow();
  });

  test('comes back as MeshwardError bad-input with what to do', () => {
    const map = meshOf(1);
    expect(() => map.apply(0, 1, new Uint8Array(15), new Uint8Array(1), new Uint8Array(1))).toThrow(
      expect.objectContaining({ code: 'bad-input', next: expect.stringContaining('columns') }),
    );
    expect(() => map.apply(2 ** 20, 1, new Uint8Array(0), new Uint8Array(0), new Uint8Array(0))).toThrow(MeshwardError);
    expect(() => map.addClass({ k: 4, n: 3, repairBelow: 3, policy: 0, byOwner: false })).toThrow(MeshwardError);
  });

  test('one sweep at a time', async () => {
    const map = meshOf(2000);
    const first = map.sweep({ atMs: 0, threads: 2 });
    await expect(map.sweep({ atMs: 0 })).rejects.toThrow(/under way/);
    expect((await first).changed.count).toBe(2000);
  });
});

describe('worker threads', () => {
  test('can be terminated while a sweep runs', async () => {
    const source = `
      import { parentPort } from 'node:worker_threads';
      import { NativeShareMap } from ${JSON.stringify(new URL('../share-map.ts', import.meta.url).href)};
      const files = 300_000;
      const map = new NativeShareMap({ maxFiles: files, settleMs: 0 });
      const storageIndexes = new Uint8Array(files * 16);
      for (let i = 0; i < files; i++) new DataView(storageIndexes.buffer).setUint32(i * 16, i);
      map.apply(0, 1, storageIndexes, new Uint8Array(files), new Uint8Array(files).fill(1));
      // One after the other: however late it is terminated, a sweep runs.
      const sweepOn = async () => { for (;;) await map.sweep({ atMs: 1, threads: 2 }); };
      sweepOn();
      parentPort.postMessage('started');
    `;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { execArgv: [] });
    await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
    expect(await worker.terminate()).toBe(1);
  });
});
