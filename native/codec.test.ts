import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { encode, type RegenerateRequest, regenerate, regenerateAsync } from './codec.ts';
import { isaLevelsSupported, loadNative } from './load.ts';

interface VectorCase {
  k: number;
  m: number;
  data: string[];
  shares: string[];
  decode_ids: number[];
}
const vectors = JSON.parse(readFileSync(new URL('./codec/fixtures/vectors.json', import.meta.url), 'utf8')) as {
  fixed: Omit<VectorCase, 'decode_ids'>;
  cases: VectorCase[];
};
const levels = isaLevelsSupported();
const best = levels.at(-1) as string;
const fromHex = (text: string): Buffer => Buffer.from(text, 'hex');
const range = (end: number): number[] => Array.from({ length: end }, (_, i) => i);

afterEach(() => {
  loadNative().setIsaLevel(best);
});

/** A block at the given distance from a 64-byte boundary of its buffer, filled from a seed. */
function blockAt(offset: number, length: number, seed: number): Uint8Array {
  const block = new Uint8Array(offset + length + 64).subarray(offset, offset + length);
  let state = seed | 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    block[i] = state >>> 24;
  }
  return block;
}

describe.each(levels)('at level %s', (level) => {
  test('encodes to the same bytes as zfec, all shares wanted', () => {
    loadNative().setIsaLevel(level);
    for (const { k, m, data, shares } of [vectors.fixed, ...vectors.cases]) {
      const made = encode({ k, n: m, primary: data.map(fromHex), wantedNumbers: range(m) });
      expect(made.map((share) => Buffer.from(share).toString('hex'))).toEqual(shares);
    }
  });

  test('gives the data and every other share back from the decode set of each zfec case', () => {
    loadNative().setIsaLevel(level);
    for (const { k, m, shares, decode_ids: ids } of vectors.cases) {
      const sources = ids.map((id) => fromHex(shares[id] as string));
      const made = regenerate({ k, n: m, sourceNumbers: ids, sources, wantedNumbers: range(m).toReversed() });
      expect(made.map((share) => Buffer.from(share).toString('hex'))).toEqual(shares.toReversed());
    }
  });

  test('equals the scalar level for random codings, lengths and alignments, and touches nothing beside its outputs', () => {
    const coding = fc
      .integer({ min: 1, max: 256 })
      .chain((n) => fc.tuple(fc.integer({ min: 1, max: Math.min(n, 60) }), fc.constant(n)));
    const length = fc.oneof(
      fc.integer({ min: 0, max: 300 }),
      fc.integer({ min: 4000, max: 9000 }),
      fc.constantFrom(4096, 8192, 41_944 >> 2),
    );
    const shapes = fc.record({
      coding,
      length,
      offsets: fc.infiniteStream(fc.nat(63)),
      seed: fc.nat(),
      wanted: fc.integer({ min: 0, max: 40 }),
    });
    fc.assert(
      fc.property(shapes, ({ coding: [k, n], length, offsets, seed, wanted }) => {
        const nextOffset = (): number => offsets.next().value as number;
        const order = range(n).sort(
          (a, b) => (Math.imul(a + seed, 2654435761) >>> 0) - (Math.imul(b + seed, 2654435761) >>> 0),
        );
        const sourceNumbers = order.slice(0, k);
        const sources = sourceNumbers.map((number) => blockAt(nextOffset(), length, seed + number));
        const wantedNumbers = order.slice(-Math.min(n, wanted)).slice(0, wanted);
        const request = { k, n, sourceNumbers, sources, wantedNumbers };
        loadNative().setIsaLevel('scalar');
        const expected = regenerate(request);
        loadNative().setIsaLevel(level);
        const margins = wantedNumbers.map(() => blockAt(0, length + 192, 7));
        const outputs = margins.map((margin) => {
          const offset = 1 + nextOffset();
          return margin.subarray(offset, offset + length);
        });
        const untouched = margins.map((margin) => margin.slice());
        const made = regenerate({ ...request, outputs });
        for (const [i, output] of made.entries()) {
          expect(Buffer.compare(output, expected[i] as Uint8Array)).toBe(0);
          const start = output.byteOffset - (margins[i] as Uint8Array).byteOffset;
          (untouched[i] as Uint8Array).set(output, start);
          expect(Buffer.compare(margins[i] as Uint8Array, untouched[i] as Uint8Array)).toBe(0);
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('any k shares', () => {
  test('give back every share of the file they were made from', () => {
    const coding = fc
      .integer({ min: 1, max: 256 })
      .chain((n) => fc.tuple(fc.integer({ min: 1, max: n }), fc.constant(n)));
    fc.assert(
      fc.property(coding, fc.nat(100), fc.nat(), ([k, n], length, seed) => {
        const primary = range(k).map((number) => blockAt(0, length, seed + number));
        const shares = encode({ k, n, primary, wantedNumbers: range(n) });
        expect(shares.slice(0, k).every((share, i) => Buffer.compare(share, primary[i] as Uint8Array) === 0)).toBe(
          true,
        );
        const sourceNumbers = range(n)
          .sort((a, b) => (Math.imul(a + seed, 40503) & 0xffff) - (Math.imul(b + seed, 40503) & 0xffff))
          .slice(0, k);
        const sources = sourceNumbers.map((number) => shares[number] as Uint8Array);
        const again = regenerate({ k, n, sourceNumbers, sources, wantedNumbers: range(n) });
        expect(again.every((share, i) => Buffer.compare(share, shares[i] as Uint8Array) === 0)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a faulty request is refused before anything is written', () => {
  const good: RegenerateRequest = {
    k: 2,
    n: 5,
    sourceNumbers: [4, 1],
    sources: [new Uint8Array(8), new Uint8Array(8)],
    wantedNumbers: [0, 3],
  };
  const slab = new Uint8Array(24);
  test.each<[string, Partial<RegenerateRequest>, string]>([
    ['k above n', { k: 6 }, 'bad-coding'],
    ['n above 256', { n: 257 }, 'bad-coding'],
    ['k of zero', { k: 0 }, 'bad-coding'],
    ['too few sources', { sources: [new Uint8Array(8)] }, 'codec-failed'],
    ['too few numbers', { sourceNumbers: [1] }, 'codec-failed'],
    ['a source named twice', { sourceNumbers: [1, 1] }, 'codec-failed'],
    ['a source number of n', { sourceNumbers: [5, 1] }, 'codec-failed'],
    ['a fractional number', { sourceNumbers: [0.5, 1] }, 'codec-failed'],
    ['a wanted share named twice', { wantedNumbers: [3, 3] }, 'codec-failed'],
    ['a negative wanted number', { wantedNumbers: [-1] }, 'codec-failed'],
    ['blocks of different lengths', { sources: [new Uint8Array(8), new Uint8Array(9)] }, 'codec-failed'],
    ['an output of another length', { outputs: [new Uint8Array(8), new Uint8Array(7)] }, 'codec-failed'],
    ['too few outputs', { outputs: [new Uint8Array(8)] }, 'codec-failed'],
    ['outputs that overlap each other', { outputs: [slab.subarray(0, 8), slab.subarray(7, 15)] }, 'codec-failed'],
    [
      'an output over a source',
      { sources: [slab.subarray(0, 8), slab.subarray(8, 16)], outputs: [slab.subarray(15, 23), new Uint8Array(8)] },
      'codec-failed',
    ],
  ])('%s', (_, change, code) => {
    expect(() => regenerate({ ...good, ...change })).toThrow(expect.objectContaining({ code }));
  });

  test('a block that is not a Uint8Array', () => {
    const sources = [new Uint16Array(8), new Uint8Array(8)] as unknown as Uint8Array[];
    expect(() => regenerate({ ...good, sources })).toThrow(expect.objectContaining({ code: 'codec-failed' }));
  });
});

describe('regenerateAsync', () => {
  const large = (): RegenerateRequest => ({
    k: 25,
    n: 100,
    sourceNumbers: range(25).map((i) => i * 3),
    sources: range(25).map((i) => blockAt(i % 5, 300_001, i)),
    wantedNumbers: range(50).map((i) => 50 + i),
  });

  test('gives the same bytes as regenerate, for work that is cut over the threads and for small work', async () => {
    const request = large();
    const small = { ...request, sources: request.sources.map((block) => block.subarray(0, 10)) };
    for (const each of [request, small]) {
      const made = await regenerateAsync(each);
      expect(made.every((share, i) => Buffer.compare(share, regenerate(each)[i] as Uint8Array) === 0)).toBe(true);
    }
  });

  test('keeps many jobs apart', async () => {
    const requests = range(12).map((shift) => ({
      ...large(),
      sources: range(25).map((i) => blockAt(0, 60_000, i + 100 * shift)),
    }));
    const made = await Promise.all(requests.map((request) => regenerateAsync(request)));
    for (const [i, shares] of made.entries()) {
      const expected = regenerate(requests[i] as RegenerateRequest);
      expect(shares.every((share, j) => Buffer.compare(share, expected[j] as Uint8Array) === 0)).toBe(true);
    }
  });

  test('an abort before the start and one on the way reject with `cancelled`', async () => {
    await expect(regenerateAsync(large(), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
    const controller = new AbortController();
    const running = regenerateAsync(large(), { signal: controller.signal });
    controller.abort(new Error('changed my mind'));
    await expect(running).rejects.toMatchObject({
      code: 'cancelled',
      cause: expect.objectContaining({ message: 'changed my mind' }),
    });
  });

  test('refuses work as `service-busy` when the queue is full, and takes work again afterwards', async () => {
    const request = large();
    const outputs = request.wantedNumbers.map(() => new Uint8Array(300_001));
    const controller = new AbortController();
    const attempts = range(400).map(() => regenerateAsync({ ...request, outputs }, { signal: controller.signal }));
    controller.abort();
    const settled = await Promise.allSettled(attempts);
    const codes = new Set(
      settled.map((result) => (result.status === 'rejected' ? (result.reason as { code: string }).code : 'done')),
    );
    expect(codes).toContain('service-busy');
    const made = await regenerateAsync(request);
    expect(Buffer.compare(made[0] as Uint8Array, regenerate(request)[0] as Uint8Array)).toBe(0);
  });

  test('refuses blocks in resizable memory, and faulty requests by rejecting', async () => {
    const request = large();
    const resizable = new Uint8Array(new ArrayBuffer(300_001, { maxByteLength: 400_000 }));
    const sources = [resizable, ...request.sources.slice(1)];
    await expect(regenerateAsync({ ...request, sources })).rejects.toMatchObject({ code: 'codec-failed' });
    await expect(regenerateAsync({ ...request, k: 0 })).rejects.toMatchObject({ code: 'bad-coding' });
  });
});

describe('worker threads', () => {
  /** @param work what the thread does with `request`; it may be a statement of its own */
  const start = (work: string, shareBytes: number): Worker => {
    const source = `
      import { parentPort } from 'node:worker_threads';
      import { regenerateAsync } from ${JSON.stringify(new URL('./codec.ts', import.meta.url).href)};
      const sources = Array.from({ length: 25 }, (_, i) => new Uint8Array(${shareBytes}).fill(i));
      const numbers = (from, count) => Array.from({ length: count }, (_, i) => from + i);
      const request = { k: 25, n: 100, sourceNumbers: numbers(0, 25), sources, wantedNumbers: numbers(50, 50) };
      ${work}
    `;
    return new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { execArgv: [] });
  };
  const firstMessage = (worker: Worker): Promise<unknown> =>
    new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));

  test('have the codec each for themselves', async () => {
    const answer = 'parentPort.postMessage((await regenerateAsync(request))[0][0]);';
    const answers = await Promise.all([start(answer, 2_000_000), start(answer, 2_000_000)].map(firstMessage));
    const expected = encode({
      k: 25,
      n: 100,
      primary: range(25).map((i) => Uint8Array.of(i)),
      wantedNumbers: [50],
    })[0]?.[0];
    expect(answers).toEqual([expected, expected]);
  });

  test('can be terminated while their job runs', async () => {
    const worker = start("regenerateAsync(request); parentPort.postMessage('started');", 2_000_000);
    await firstMessage(worker);
    expect(await worker.terminate()).toBe(1);
  });

  test('can be terminated while their jobs are answered', async () => {
    const endless = `
      const work = async () => { for (;;) await regenerateAsync(request); };
      work(); work();
      parentPort.postMessage('started');
    `;
    for (let thread = 0; thread < 12; thread++) {
      const worker = start(endless, 20_000);
      await firstMessage(worker);
      expect(await worker.terminate()).toBe(1);
    }
  });
});
