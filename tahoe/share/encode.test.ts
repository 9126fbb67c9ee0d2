import { describe, expect, test } from 'vitest';
import { formatCap, parseCap, storageIndexOfKey } from '#mesh/caps.ts';
import { seededRandom, shuffled } from '#mesh/clock.ts';
import type { Manifest } from '#mesh/manifest.ts';
import { decodeCiphertext } from './decode.ts';
import { encodeShares } from './encode.ts';
import { encodePlaintext, newFileKey } from './encrypt.ts';
import {
  MemorySink,
  makeFile,
  makeInconsistentFile,
  openShares,
  randomContent,
  realFiles,
  shareDataOf,
} from './example-shares.ts';
import { memoryShareSource } from './reader.ts';
import { recoverPlaintext } from './recover.ts';
import { regenerateShares } from './regenerate.ts';
import { openShare } from './verified-share.ts';

async function gathered(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts);
}

describe.each(realFiles())('a file that a real Tahoe-LAFS uploaded, $name', ({ manifest, numbers, path }) => {
  test('decoded and encoded again gives every share byte for byte, and the same cap', async () => {
    const order = shuffled(numbers, seededRandom(11));
    const sources = await openShares(manifest, order.slice(0, manifest.k), (number) => shareDataOf(path(number)));
    const ciphertext = await gathered(decodeCiphertext(sources));
    expect(ciphertext.length).toBe(manifest.sizeBytes);
    for (const shareVersion of [1, 2] as const) {
      const sinks = new Map(numbers.map((number) => [number, new MemorySink()]));
      const { n, k, sizeBytes, storageIndex } = manifest;
      const result = await encodeShares({
        n,
        k,
        sizeBytes,
        storageIndex,
        shareVersion,
        ciphertext: [ciphertext],
        sink: (shareNumber) => sinks.get(shareNumber) ?? null,
      });
      expect(result.manifest).toEqual(manifest);
      expect(result.failed).toEqual([]);
      for (const [number, sink] of sinks) {
        const real = shareDataOf(path(number));
        if (real[3] === shareVersion) expect(Buffer.compare(sink.shareData, real)).toBe(0);
      }
    }
  });
});

describe('ciphertext', () => {
  const sizes = [56, 299, 300, 301, 599, 600, 601, 300 * 8, 300 * 8 + 1, 300 * 13 - 1];

  test.each(sizes)('of %i bytes comes back from any k shares, whole segments at a time', async (sizeBytes) => {
    const file = await makeFile({ k: 3, n: 7, sizeBytes, segmentBytes: 300, windowBytes: 2500 });
    const random = seededRandom(sizeBytes);
    for (const windowBytes of [1, 1500, undefined]) {
      const numbers = shuffled([0, 1, 2, 3, 4, 5, 6], random).slice(0, 3);
      const sources = await openShares(file.manifest, numbers, (number) => file.shares[number] as Uint8Array);
      const found: Uint8Array[] = [];
      for await (const piece of decodeCiphertext(sources, { windowBytes })) found.push(Buffer.from(piece));
      expect(Buffer.compare(Buffer.concat(found), file.ciphertext)).toBe(0);
      expect(found.slice(0, -1).every((piece) => piece.length % 300 === 0)).toBe(true);
    }
  });

  test('is the same whatever chunks it came in and whatever the window', async () => {
    const options = { k: 3, n: 7, sizeBytes: 5000, segmentBytes: 300 };
    const whole = await makeFile(options);
    const small = await makeFile({ ...options, windowBytes: 1 });
    const sinks = Array.from({ length: 7 }, () => new MemorySink());
    const chunks = Array.from({ length: 5000 / 8 }, (_, i) => whole.ciphertext.subarray(i * 8, i * 8 + 8));
    const { storageIndex } = whole.manifest;
    await encodeShares({ ...options, storageIndex, ciphertext: chunks, sink: (number) => sinks[number] ?? null });
    for (let number = 0; number < 7; number++) {
      expect(Buffer.compare(small.shares[number] as Uint8Array, whole.shares[number] as Uint8Array)).toBe(0);
      expect(Buffer.compare(sinks[number]?.shareData as Uint8Array, whole.shares[number] as Uint8Array)).toBe(0);
    }
  });

  test('a corrupt source is replaced on the way; a corrupt crypttext hash tree is read from another share', async () => {
    const file = await makeFile({ k: 2, n: 5, sizeBytes: 3000, segmentBytes: 300 });
    const damaged = (number: number, where: 'block' | 'crypttext') => {
      const copy = Buffer.from(file.shares[number] as Uint8Array);
      const position = where === 'block' ? 0x24 + 700 : copy.readUInt32BE(0x14) + 70;
      copy[position] = (copy[position] as number) ^ 1;
      return openShare(memoryShareSource(copy), file.manifest, number);
    };
    const sources = [await damaged(0, 'crypttext'), await damaged(3, 'block')];
    const spares = await openShares(file.manifest, [4], (number) => file.shares[number] as Uint8Array);
    const replace = () => Promise.resolve(spares.pop() ?? null);
    expect(
      Buffer.compare(await gathered(decodeCiphertext(sources, { replace, windowBytes: 1 })), file.ciphertext),
    ).toBe(0);
    expect(spares).toEqual([]);
  });
});

describe('shares of an uploader that lied', () => {
  const regenerating = async (
    file: { manifest: Manifest; shares: readonly Uint8Array[] },
    from: number[],
    wanted: number,
  ) => {
    const sources = await openShares(file.manifest, from, (number) => file.shares[number] as Uint8Array);
    const sink = new MemorySink();
    const work = regenerateShares({ sources, wanted: [{ shareNumber: wanted, sink }] });
    await expect(work).rejects.toMatchObject({ code: 'file-irrecoverable' });
    expect(sink.isEnded).toBe(false);
    return sources;
  };

  test('which are not of one codeword give nothing, from whichever of them', async () => {
    const file = await makeInconsistentFile('codeword');
    const sources = await regenerating(file, [0, 2], 1);
    await expect(gathered(decodeCiphertext(sources))).rejects.toMatchObject({ code: 'file-irrecoverable' });
    await regenerating(file, [0, 1], 2);
    await regenerating(file, [0, 1, 2], 2);
  });

  test('which are of one codeword but not of the file that the UEB names give nothing', async () => {
    await regenerating(await makeInconsistentFile('crypttext'), [0, 1], 2);
  });
});

describe('plaintext', () => {
  test('comes back from its read cap and k shares', async () => {
    const plaintext = randomContent(100_000, 3);
    const sinks = Array.from({ length: 10 }, () => new MemorySink());
    const { readCap, manifest } = await encodePlaintext({
      k: 3,
      n: 10,
      sizeBytes: plaintext.length,
      segmentBytes: 30_000,
      key: newFileKey(),
      plaintext: [plaintext],
      sink: (number) => sinks[number] ?? null,
    });
    const cap = parseCap(formatCap(readCap));
    if (cap.kind !== 'read') throw new Error('not a read cap');
    expect(cap.manifest).toEqual(manifest);
    expect(manifest.storageIndex).toBe(storageIndexOfKey(readCap.key));
    const sources = await openShares(manifest, [9, 4, 7], (number) => sinks[number]?.shareData as Uint8Array);
    expect(Buffer.compare(await gathered(recoverPlaintext(cap, sources)), plaintext)).toBe(0);
    const foreign = await makeFile({ k: 3, n: 10, sizeBytes: 100_000, segmentBytes: 30_000 });
    const others = await openShares(foreign.manifest, [9, 4, 7], (number) => foreign.shares[number] as Uint8Array);
    await expect(gathered(recoverPlaintext(cap, others))).rejects.toMatchObject({ code: 'bad-input' });
  });
});

describe('what cannot be encoded', () => {
  const request = { storageIndex: storageIndexOfKey(new Uint8Array(16)), k: 3, n: 10, sink: () => null };

  test('a file so small that its cap holds it', async () => {
    const ciphertext = [new Uint8Array(55)];
    await expect(encodeShares({ ...request, sizeBytes: 55, ciphertext })).rejects.toMatchObject({ code: 'bad-input' });
  });

  test('a ciphertext of another size than the one given', async () => {
    const sink = new MemorySink();
    for (const length of [999, 1001]) {
      const work = encodeShares({
        ...request,
        sink: () => sink,
        sizeBytes: 1000,
        ciphertext: [new Uint8Array(length)],
      });
      await expect(work).rejects.toMatchObject({ code: 'bad-input' });
      expect(sink.isEnded).toBe(false);
    }
    expect(sink.abortedWith).not.toBeNull();
  });

  test('impossible codings and segment sizes', async () => {
    const ciphertext = [new Uint8Array(1000)];
    await expect(encodeShares({ ...request, k: 11, sizeBytes: 1000, ciphertext })).rejects.toMatchObject({
      code: 'bad-coding',
    });
    const work = encodeShares({ ...request, segmentBytes: 100, sizeBytes: 1000, ciphertext });
    await expect(work).rejects.toMatchObject({ code: 'bad-input' });
  });
});
