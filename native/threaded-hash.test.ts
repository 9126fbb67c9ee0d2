import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { blockHashes } from './hash.ts';
import { isaLevelsSupported, loadNative } from './load.ts';
import { blockHashesAsync } from './threaded-hash.ts';

const levels = isaLevelsSupported();

afterEach(() => {
  loadNative().setIsaLevel(levels.at(-1) as string);
});

function bytesOf(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => Math.imul(i, 2654435761) >>> 24);
}

describe.each(levels)('at level %s', (level) => {
  test('any data in blocks of any length has the hashes that it has on the event loop', async () => {
    loadNative().setIsaLevel(level);
    const block = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 4000, max: 300_000 }));
    await fc.assert(
      fc.asyncProperty(fc.nat(60), block, fc.nat(), fc.constantFrom('block', 'crypttext-segment'), checkOne),
      { numRuns: 30 },
    );
  });
});

async function checkOne(whole: number, blockBytes: number, rest: number, tag: string): Promise<void> {
  const data = bytesOf(Math.min(3_000_000, whole * blockBytes + (rest % blockBytes)));
  const hashes = await blockHashesAsync(data, blockBytes, tag as 'block');
  expect(Buffer.compare(hashes, blockHashes(data, blockBytes, tag as 'block'))).toBe(0);
}

test('a call that is called off rejects, and one of no block size', async () => {
  const signal = AbortSignal.abort();
  await expect(blockHashesAsync(bytesOf(5_000_000), 40_000, 'block', { signal })).rejects.toMatchObject({
    code: 'cancelled',
  });
  await expect(blockHashesAsync(bytesOf(10), 0, 'block')).rejects.toMatchObject({ code: 'bad-input' });
});
