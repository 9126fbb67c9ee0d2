import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { regenerate } from './codec.ts';
import { hashMany } from './hash.ts';
import { isaLevelsSupported, loadNative } from './load.ts';
import { regenerateSegments, regenerateSegmentsAsync, type SegmentsRequest } from './segments.ts';

const levels = isaLevelsSupported();
const blockTag = 'allmydata_encoded_subshare_v1';

afterEach(() => {
  loadNative().setIsaLevel(levels.at(-1) as string);
});

function blockOf(length: number, offset: number, seed: number): Uint8Array {
  const block = new Uint8Array(offset + length).subarray(offset);
  for (let i = 0; i < length; i++) block[i] = Math.imul(i + seed, 2654435761) >>> 24;
  return block;
}

function requestOf(k: number, wanted: number, lengths: readonly number[], offset: number): SegmentsRequest {
  const sourceNumbers = Array.from({ length: k }, (_, i) => i * 2);
  return {
    k,
    n: 256,
    sourceNumbers,
    wantedNumbers: Array.from({ length: wanted }, (_, i) => i * 2 + 1),
    segments: lengths.map((length, s) => ({
      sources: sourceNumbers.map((number) => blockOf(length, offset, number + 1000 * s)),
    })),
  };
}

function expectEqualsOneByOne(request: SegmentsRequest, made: ReturnType<typeof regenerateSegments>): void {
  loadNative().setIsaLevel('scalar');
  for (const [s, { sources }] of request.segments.entries()) {
    const expected = regenerate({ ...request, sources });
    const segment = made[s] as (typeof made)[number];
    expect(segment.outputs.length).toBe(expected.length);
    expect(segment.outputs.every((output, i) => Buffer.compare(output, expected[i] as Uint8Array) === 0)).toBe(true);
    expect(Buffer.compare(segment.sourceHashes, hashMany(blockTag, sources))).toBe(0);
    expect(Buffer.compare(segment.outputHashes, hashMany(blockTag, expected))).toBe(0);
  }
}

describe.each(levels)('at level %s', (level) => {
  test('segments of any lengths give the outputs and block hashes that one-by-one scalar work gives', () => {
    const lengths = fc.array(fc.oneof(fc.nat(200), fc.integer({ min: 8000, max: 8400 }), fc.nat(30_000)), {
      maxLength: 4,
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.nat(40), lengths, fc.nat(63), (k, wanted, lengths, offset) => {
        const request = requestOf(k, wanted, lengths, offset);
        loadNative().setIsaLevel(level);
        expectEqualsOneByOne(request, regenerateSegments(request));
      }),
      { numRuns: 40 },
    );
  });
});

test('on the pool: the same, with a short tail segment', async () => {
  const request = requestOf(25, 50, [41_944, 41_944, 41_944, 1111], 16);
  expectEqualsOneByOne(request, await regenerateSegmentsAsync(request));
});

test('an abort rejects with `cancelled`', async () => {
  const controller = new AbortController();
  const running = regenerateSegmentsAsync(requestOf(25, 50, [400_000, 400_000], 0), { signal: controller.signal });
  controller.abort();
  await expect(running).rejects.toMatchObject({ code: 'cancelled' });
});

test('an output that overlaps another segment’s source or output is refused', () => {
  const request = requestOf(2, 1, [64, 64], 0);
  const shared = new Uint8Array(100);
  const [first, second] = request.segments as [
    SegmentsRequest['segments'][number],
    SegmentsRequest['segments'][number],
  ];
  const refused = expect.objectContaining({ code: 'codec-failed' });
  const overOutput = [
    { ...first, outputs: [shared.subarray(0, 64)] },
    { ...second, outputs: [shared.subarray(63 - 27, 100)] },
  ];
  expect(() => regenerateSegments({ ...request, segments: overOutput })).toThrow(refused);
  const overSource = [first, { ...second, outputs: [first.sources[1] as Uint8Array] }];
  expect(() => regenerateSegments({ ...request, segments: overSource })).toThrow(refused);
});

test('segments that fall short of k blocks are refused', () => {
  const request = requestOf(3, 1, [10], 0);
  const segments = [{ sources: (request.segments[0]?.sources ?? []).slice(1) }];
  expect(() => regenerateSegments({ ...request, segments })).toThrow(expect.objectContaining({ code: 'codec-failed' }));
});
