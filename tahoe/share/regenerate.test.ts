import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { seededRandom, shuffled } from '#mesh/clock.ts';
import { hasCode, MeshwardError } from '#mesh/errors.ts';
import { chainOrder } from './chain-order.ts';
import {
  AheadSink,
  type MadeFile,
  type MadeFileOptions,
  MemorySink,
  makeFile,
  openShares,
  realFiles,
  shareDataOf,
} from './example-shares.ts';
import { type ShareVersion, shareHeaderBytes } from './layout.ts';
import { memoryShareSource } from './reader.ts';
import { regenerateShares } from './regenerate.ts';
import type { ShareSink } from './share-writer.ts';
import { openShare, type VerifiedShare } from './verified-share.ts';

/** The shares that `sources` give back, by share number. */
async function regenerated(
  sources: VerifiedShare[],
  numbers: number[],
  options: { windowBytes?: number | undefined; versionOf?: (shareNumber: number) => ShareVersion } = {},
): Promise<Map<number, Uint8Array>> {
  const sinks = new Map(numbers.map((number) => [number, new MemorySink()]));
  const wanted = [...sinks].map(([shareNumber, sink]) => ({
    shareNumber,
    sink,
    shareVersion: options.versionOf?.(shareNumber),
  }));
  const result = await regenerateShares({ sources, wanted, windowBytes: options.windowBytes });
  expect(result.failed).toEqual([]);
  expect([...sinks.values()].every((sink) => sink.isEnded)).toBe(true);
  return new Map([...sinks].map(([number, sink]) => [number, sink.shareData]));
}

function expectSame(found: Uint8Array | undefined, expected: Uint8Array | undefined): void {
  expect(found !== undefined && expected !== undefined && Buffer.compare(found, expected) === 0).toBe(true);
}

describe.each(realFiles())('shares of a real Tahoe-LAFS, $name', ({ manifest, numbers, path }) => {
  const { k } = manifest;
  // Eleven shares of the 25-of-100 files were uploaded by a client made to write version 2, which nothing but they tells.
  const versionOf = (shareNumber: number) => (shareDataOf(path(shareNumber))[3] === 2 ? 2 : 1);

  test('each one comes back byte for byte from random others', async () => {
    const random = seededRandom(k * 1000 + manifest.sizeBytes);
    for (let left = [...numbers]; left.length > 0; ) {
      const wanted = left.slice(0, numbers.length - k);
      left = left.slice(wanted.length);
      const others = shuffled(
        numbers.filter((number) => !wanted.includes(number)),
        random,
      );
      const sources = await openShares(manifest, others.slice(0, k), (number) => shareDataOf(path(number)));
      for (const [number, share] of await regenerated(sources, wanted, { versionOf }))
        expectSame(share, shareDataOf(path(number)));
    }
  });

  test('one at a time, with the least that any sources know of the hash tree', async () => {
    const random = seededRandom(7);
    for (const wanted of shuffled(numbers, random).slice(0, 5)) {
      const others = shuffled(
        numbers.filter((number) => number !== wanted),
        random,
      ).slice(0, k);
      const sources = await openShares(manifest, others, (number) => shareDataOf(path(number)));
      expectSame((await regenerated(sources, [wanted], { versionOf })).get(wanted), shareDataOf(path(wanted)));
    }
  });

  test('the container is Tahoe-LAFS’s up to its leases', () => {
    const file = readFileSync(path(numbers[0] as number));
    expect(file.readUInt32BE(0)).toBe(2);
    expect(file.readUInt32BE(4)).toBe(shareDataOf(path(numbers[0] as number)).length);
  });
});

const shapes: MadeFileOptions[] = [
  { k: 1, n: 1, sizeBytes: 56 },
  { k: 1, n: 4, sizeBytes: 1000, segmentBytes: 100 },
  { k: 3, n: 3, sizeBytes: 1000, segmentBytes: 300 },
  { k: 3, n: 10, sizeBytes: 599, segmentBytes: 300 },
  { k: 3, n: 10, sizeBytes: 600, segmentBytes: 300 },
  { k: 3, n: 10, sizeBytes: 601, segmentBytes: 300 },
  { k: 3, n: 10, sizeBytes: 300 * 11 + 7, segmentBytes: 300 },
  { k: 7, n: 20, sizeBytes: 70 * 1025, segmentBytes: 70 },
  { k: 25, n: 100, sizeBytes: 130_001, segmentBytes: 25_000 },
  { k: 20, n: 256, sizeBytes: 5000, segmentBytes: 2000 },
  { k: 256, n: 256, sizeBytes: 5000, segmentBytes: 2560 },
  { k: 3, n: 10, sizeBytes: 2000, segmentBytes: 300, shareVersion: 2 },
];

describe.each(shapes)('made-up files $k-of-$n, $sizeBytes bytes', (shape) => {
  const { k, n } = shape;

  test('nothing that was let go of is looked at again', async () => {
    const file = await makeFile(shape);
    const [wanted, ...others] = shuffled([...file.shares.keys()], seededRandom(n + 1)) as [number, ...number[]];
    const numbers = k === n ? [wanted, ...others] : others.slice(0, k);
    for (const headBytes of [0, undefined]) {
      let letGoBytes = 0;
      const sources = await Promise.all(
        numbers.map((number) => {
          const share = file.shares[number] as Uint8Array;
          const source = {
            read: (offset: number, length: number) => Promise.resolve(share.slice(offset, offset + length)),
            letGo: ({ buffer }: Uint8Array) => {
              letGoBytes += buffer.byteLength;
              (buffer as ArrayBuffer).transfer(0);
            },
          };
          return openShare(source, file.manifest, number, headBytes);
        }),
      );
      const made = await regenerated(sources, [wanted], {
        windowBytes: 5000,
        versionOf: () => shape.shareVersion ?? 1,
      });
      await Promise.all(sources.map((share) => share.close()));
      expectSame(made.get(wanted), file.shares[wanted]);
      expect(letGoBytes).toBeGreaterThanOrEqual(shape.sizeBytes);
    }
  });

  test('any missing shares come back from any k, whatever the window', async () => {
    const file = await makeFile(shape);
    const random = seededRandom(n);
    for (const windowBytes of [1, 5000, undefined]) {
      const order = shuffled([...file.shares.keys()], random);
      const sources = await openFrom(file, order.slice(0, k));
      const wanted = k === n ? order.slice(0, 1) : order.slice(k, k + 1 + Math.floor(random() * (n - k)));
      for (const [number, share] of await regenerated(sources, wanted, {
        windowBytes,
        versionOf: () => shape.shareVersion ?? 1,
      }))
        expectSame(share, file.shares[number]);
    }
  });
});

function openFrom(file: MadeFile, numbers: number[]): Promise<VerifiedShare[]> {
  return openShares(file.manifest, numbers, (number) => file.shares[number] as Uint8Array);
}

/** Shares of which some have one byte changed in the block of one segment. */
function openFlipped(file: MadeFile, numbers: number[], segments: Readonly<Record<number, number>>) {
  return openShares(file.manifest, numbers, (number) => {
    const data = Uint8Array.from(file.shares[number] as Uint8Array);
    const segment = segments[number];
    if (segment === undefined) return data;
    const at = shareHeaderBytes[1] + segment * 10_000 + 77;
    data[at] = (data[at] as number) ^ 1;
    return data;
  });
}

/** A share that reads well until segment `goodSegments`, then fails with `error` or gives wrong bytes. */
async function failingShare(
  file: MadeFile,
  number: number,
  goodSegments: number,
  error: Error | null,
): Promise<VerifiedShare> {
  const data = file.shares[number] as Uint8Array;
  const [probe] = await openFrom(file, [number]);
  const end =
    (probe as VerifiedShare).layout.offsets.blocks + goodSegments * (probe as VerifiedShare).layout.blockBytes;
  const blocksEnd = (probe as VerifiedShare).layout.offsets.plaintextTree;
  const good = memoryShareSource(data);
  return openShare(
    {
      async read(offset, length) {
        const bytes = await good.read(offset, length);
        const isBad = offset + length > end && offset >= 0x44 && offset < blocksEnd;
        if (!isBad) return bytes;
        if (error !== null) throw error;
        return bytes.map((byte) => byte ^ 1);
      },
    },
    file.manifest,
    number,
  );
}

describe('sources that fail on the way', () => {
  const shape = { k: 3, n: 10, sizeBytes: 400_000, segmentBytes: 30_000 };
  const oneSegment = 30_000;

  test('a spare takes over at the same segment, and the chain stays whole', async () => {
    const file = await makeFile(shape);
    const dead = await failingShare(file, 0, 5, new Error('connection reset'));
    const corrupt = await failingShare(file, 4, 8, null);
    const sources = [dead, corrupt, ...(await openFrom(file, [7, 8, 9]))];
    const sinks = [1, 2].map((shareNumber) => ({ shareNumber, sink: new MemorySink() }));
    const result = await regenerateShares({ sources, wanted: sinks, windowBytes: oneSegment });
    for (const { shareNumber, sink } of sinks) expectSame(sink.shareData, file.shares[shareNumber]);
    expect(result.replaced.map(({ shareNumber, replacedBy }) => [shareNumber, replacedBy])).toEqual([
      [0, 8],
      [4, 9],
    ]);
    expect(hasCode(result.replaced[1]?.error, 'share-corrupt')).toBe(true);
    expect(result.sources).toEqual([8, 9, 7]);
  });

  test('bad blocks in the midst of one large window are found, however many shares have some', async () => {
    const file = await makeFile(shape);
    const sources = await openFlipped(file, [0, 1, 2, 8, 9], { 0: 5, 1: 9 });
    const sink = new MemorySink();
    const result = await regenerateShares({ sources, wanted: [{ shareNumber: 5, sink }] });
    expectSame(sink.shareData, file.shares[5]);
    expect(result.replaced.map(({ shareNumber, error }) => [shareNumber, (error as MeshwardError).details])).toEqual([
      [0, { segment: 5 }],
      [1, { segment: 9 }],
    ]);
    expect(result.sources).toEqual([8, 9, 2]);
  });

  test('a window that was read before a share was replaced never holds one share twice', async () => {
    const file = await makeFile(shape);
    // Segment 5 is read while segment 4 is worked on, there still from share 0, whose place then goes to 7. Share 1 is bad in
    // segment 5, and what is offered for it is another copy of share 0.
    const sources = await openFlipped(file, [0, 1, 2], { 0: 4, 1: 5 });
    const offers = [...(await openFrom(file, [7])), ...(await openFrom(file, [0]))];
    const sink = new MemorySink();
    const result = await regenerateShares({
      sources,
      wanted: [{ shareNumber: 5, sink }],
      windowBytes: oneSegment,
      replace: () => Promise.resolve(offers.shift() ?? null),
    });
    expectSame(sink.shareData, file.shares[5]);
    expect(result.sources).toEqual([7, 0, 2]);
  });

  test('the provider is asked with the share and its error, and never twice for one place', async () => {
    const file = await makeFile(shape);
    const sources = [
      await failingShare(file, 0, 3, new Error('gone')),
      await failingShare(file, 1, 3, new Error('gone')),
      ...(await openFrom(file, [2])),
    ];
    const asked: number[] = [];
    const offers = await openFrom(file, [2, 5, 5, 6]);
    const sink = new MemorySink();
    await regenerateShares({
      sources,
      wanted: [{ shareNumber: 9, sink }],
      windowBytes: oneSegment,
      replace: (shareNumber, error) => {
        expect(error).toBeInstanceOf(Error);
        asked.push(shareNumber);
        return Promise.resolve(offers.shift() ?? null);
      },
    });
    expectSame(sink.shareData, file.shares[9]);
    // Share 2 is in use, so it is passed over; so is the second 5.
    expect(asked).toEqual([0, 0, 1, 1]);
  });

  test('nothing left: not-enough-shares, and every sink is aborted', async () => {
    const file = await makeFile(shape);
    const sources = [await failingShare(file, 0, 2, null), ...(await openFrom(file, [1, 2]))];
    const sink = new MemorySink();
    const work = regenerateShares({ sources, wanted: [{ shareNumber: 5, sink }], windowBytes: oneSegment });
    await expect(work).rejects.toMatchObject({ code: 'not-enough-shares', details: { have: 2 } });
    expect(sink.isEnded).toBe(false);
    expect(hasCode(sink.abortedWith, 'not-enough-shares')).toBe(true);
  });

  test('fewer than k distinct shares are refused before anything begins', async () => {
    const file = await makeFile(shape);
    const sink = new MemorySink();
    const work = regenerateShares({ sources: await openFrom(file, [1, 1, 2]), wanted: [{ shareNumber: 5, sink }] });
    await expect(work).rejects.toMatchObject({ code: 'not-enough-shares' });
    expect(sink.written).toBe(0);
  });
});

describe('sinks and callers', () => {
  test('a sink that fails does not stop the others', async () => {
    const file = await makeFile({ k: 3, n: 10, sizeBytes: 900_000 });
    const full = new MeshwardError('gbs-refused', 'no space', { next: 'Choose another peer.' });
    const failing: ShareSink = {
      begin: () => Promise.resolve(),
      write: (offset) => (offset > 0 ? Promise.reject(full) : Promise.resolve()),
      end: () => Promise.resolve(),
    };
    const sink = new MemorySink();
    const wanted = [
      { shareNumber: 8, sink: failing },
      { shareNumber: 9, sink },
    ];
    const result = await regenerateShares({ sources: await openFrom(file, [0, 1, 2]), wanted });
    expectSame(sink.shareData, file.shares[9]);
    expect(result.written.map(({ shareNumber }) => shareNumber)).toEqual([9]);
    expect(result.failed).toEqual([{ shareNumber: 8, error: full }]);
  });

  test('where every sink fails the work ends with the first one’s error', async () => {
    const file = await makeFile({ k: 3, n: 10, sizeBytes: 900 });
    const sink: ShareSink = {
      begin: () => Promise.reject(new Error('refused')),
      write: async () => {},
      end: async () => {},
    };
    const work = regenerateShares({ sources: await openFrom(file, [0, 1, 2]), wanted: [{ shareNumber: 9, sink }] });
    await expect(work).rejects.toThrow('refused');
  });

  test('a cancelled work aborts its sinks', async () => {
    const file = await makeFile({ k: 3, n: 10, sizeBytes: 900 });
    const sink = new MemorySink();
    const work = regenerateShares({
      sources: await openFrom(file, [0, 1, 2]),
      wanted: [{ shareNumber: 9, sink }],
      signal: AbortSignal.abort(),
    });
    await expect(work).rejects.toMatchObject({ code: 'cancelled' });
    expect(sink.abortedWith).not.toBeNull();
  });

  test('work that is called off in the midst of it ends there and aborts its sinks', async () => {
    const file = await makeFile({ k: 3, n: 10, sizeBytes: 400_000, segmentBytes: 30_000 });
    const stop = new AbortController();
    const sink = new MemorySink();
    const stopping: ShareSink = {
      begin: (totalBytes) => sink.begin(totalBytes),
      write(offset, bytes) {
        if (offset > 0) stop.abort();
        return sink.write(offset, bytes);
      },
      end: () => sink.end(),
      abort: (reason) => sink.abort(reason),
    };
    const work = regenerateShares({
      sources: await openFrom(file, [0, 1, 2]),
      wanted: [{ shareNumber: 9, sink: stopping }],
      signal: stop.signal,
      windowBytes: 1,
    });
    await expect(work).rejects.toMatchObject({ code: 'cancelled' });
    expect(hasCode(sink.abortedWith, 'cancelled')).toBe(true);
    expect(sink.isEnded).toBe(false);
  });

  test('shares of another file, numbers out of range or twice, and too many hashes are refused', async () => {
    const file = await makeFile({ k: 2, n: 4, sizeBytes: 900 });
    const other = await makeFile({ k: 2, n: 4, sizeBytes: 900, seed: 5 });
    const [own, foreign] = [await openFrom(file, [0, 1]), await openFrom(other, [1])];
    const wanted = (...numbers: number[]) => numbers.map((shareNumber) => ({ shareNumber, sink: new MemorySink() }));
    const refused = { code: 'bad-input' };
    await expect(regenerateShares({ sources: [...own, ...foreign], wanted: wanted(3) })).rejects.toMatchObject(refused);
    for (const numbers of [[], [4], [-1], [3, 3]]) {
      await expect(regenerateShares({ sources: own, wanted: wanted(...numbers) })).rejects.toMatchObject(refused);
    }
    const work = regenerateShares({ sources: own, wanted: wanted(3), hashMemoryBytes: 16 });
    await expect(work).rejects.toMatchObject(refused);
  });
});

describe('hash trees of long shares', () => {
  test.each([4097, 5000, 6144, 8191, 8192, 8193])(
    'go ahead as they grow, byte for byte, with %i segments',
    async (segments) => {
      const file = await makeFile({ k: 3, n: 10, sizeBytes: segments * 3 - 1, segmentBytes: 3 });
      const sources = await openFrom(file, [2, 5, 7]);
      const sinks = [0, 9].map((shareNumber) => ({ shareNumber, sink: new AheadSink() }));
      const hashMemoryBytes = 32 * (4 * segments + (2 + 5) * (9 * 512 + 32));
      await regenerateShares({ sources, wanted: sinks, hashMemoryBytes, windowBytes: 3000 });
      for (const { shareNumber, sink } of sinks) {
        expectSame(sink.shareData, file.shares[shareNumber]);
        expect(sink.isEnded).toBe(true);
        // Whole pages of leaves, and pieces of that length of the levels above them.
        const pages = Math.floor(segments / 512);
        expect(sink.ahead).toBeGreaterThanOrEqual(pages * 512 * 32);
        expect(sink.ahead).toBeLessThan(2 * pages * 512 * 32);
      }
    },
  );

  test('a sink that fails ahead costs its share only', async () => {
    const file = await makeFile({ k: 3, n: 10, sizeBytes: 5000 * 3, segmentBytes: 3 });
    const [failing, sink] = [new AheadSink(), new AheadSink()];
    failing.writeAhead = () => Promise.reject(new Error('gone'));
    const wanted = [
      { shareNumber: 0, sink: failing },
      { shareNumber: 9, sink },
    ];
    const result = await regenerateShares({ sources: await openFrom(file, [2, 5, 7]), wanted });
    expect(result.failed.map(({ shareNumber }) => shareNumber)).toEqual([0]);
    expect(failing.abortedWith).toMatchObject({ message: 'gone' });
    expectSame(sink.shareData, file.shares[9]);
  });
});

describe('chains', () => {
  test('are written in the order of the surviving shares', async () => {
    const file = await makeFile({ k: 3, n: 10, sizeBytes: 900 });
    const asPython2 = file.shares.map((share, number) => reorderChain(share, chainOrder(10, number, 'python2')));
    const sources = await openShares(file.manifest, [0, 4, 8], (number) => asPython2[number] as Uint8Array);
    expectSame((await regenerated(sources, [3])).get(3), asPython2[3]);
  });

  test('known from spares save computing shares that nobody wants', async () => {
    const file = await makeFile({ k: 3, n: 100, sizeBytes: 900 });
    const hashedOnly = async (numbers: number[]) => {
      const wanted = [{ shareNumber: 64, sink: new MemorySink() }];
      return (await regenerateShares({ sources: await openFrom(file, numbers), wanted })).hashedOnly;
    };
    expect((await hashedOnly([0, 1, 2])).length).toBe(35);
    expect(await hashedOnly([0, 1, 2, 65])).toEqual([]);
  });
});

/** The same share with its chain entries in another order; the chain lies right before the UEB. */
function reorderChain(share: Uint8Array, order: number[]): Uint8Array {
  const copy = Buffer.from(share);
  const [chain, end] = [copy.readUInt32BE(0x1c), copy.readUInt32BE(0x20)];
  const entries = new Map<number, Uint8Array>();
  for (let at = chain; at < end; at += 34)
    entries.set(copy.readUInt16BE(at), Uint8Array.from(copy.subarray(at, at + 34)));
  order.forEach((node, i) => copy.set(entries.get(node) as Uint8Array, chain + i * 34));
  return new Uint8Array(copy);
}
