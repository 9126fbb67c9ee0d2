import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';
import { compressFrame } from 'lz4-napi';
import { compress as compressSnappy } from 'snappy';
import { describe, expect, test } from 'vitest';
import { expand } from './compression.ts';

const text = Buffer.from('what peers say of their shares. '.repeat(5000));
const limit = 1024 * 1024;

/** As Java's producers frame it: a mark, two versions, and blocks of 32 KiB after their lengths. */
async function framedSnappy(bytes: Buffer): Promise<Buffer> {
  const parts: Buffer[] = [Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])];
  for (let at = 0; at < bytes.length; at += 32_768) {
    const block = await compressSnappy(bytes.subarray(at, at + 32_768));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

const codecs: readonly [string, number, (bytes: Buffer) => Promise<Buffer>][] = [
  ['gzip', 1, promisify(gzip) as (bytes: Buffer) => Promise<Buffer>],
  ['snappy in one block', 2, (bytes) => compressSnappy(bytes)],
  ['snappy in frames', 2, framedSnappy],
  ['lz4', 3, (bytes) => compressFrame(bytes)],
  ['zstd', 4, promisify(zstdCompress) as (bytes: Buffer) => Promise<Buffer>],
];

describe.each(codecs)('%s', (_name, codec, compress) => {
  test('comes back as it was', async () => {
    for (const bytes of [text, Buffer.alloc(0), Buffer.from('x')]) {
      expect(Buffer.compare(await expand(codec, await compress(bytes), limit), bytes)).toBe(0);
    }
  });

  test('that would fill the memory, is cut short, or is something else, is refused', async () => {
    await expect(expand(codec, await compress(Buffer.alloc(4 * limit)), limit)).rejects.toThrow();
    const packed = await compress(text);
    await expect(expand(codec, packed.subarray(0, packed.length - 20), limit)).rejects.toThrow();
    await expect(expand(codec, Buffer.from('no such thing at all, and long enough'), limit)).rejects.toThrow();
  });
});

test('what is not compressed is left as it is', async () => {
  expect(await expand(0, text, limit)).toBe(text);
});

test('a codec that Kafka does not have is refused', async () => {
  await expect(expand(5, text, limit)).rejects.toThrow('codec 5');
});
