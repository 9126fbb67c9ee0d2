import { describe, expect, test } from 'vitest';
import { realFiles, shareDataOf } from './example-shares.ts';
import { computeLayout } from './layout.ts';
import { buildUeb, deriveManifest, parseUeb, parseUebOf, uebBytesOf } from './ueb.ts';

const hashes = {
  crypttextHash: new Uint8Array(32).fill(1),
  crypttextRootHash: new Uint8Array(32).fill(2),
  shareRootHash: new Uint8Array(32).fill(3),
};
const layout = computeLayout({ k: 3, n: 10, sizeBytes: 1000, segmentBytes: 300 });
const ueb = buildUeb(layout, hashes);
const text = Buffer.from(ueb.bytes).toString('latin1');
const bytesOf = (changed: string) => Uint8Array.from(Buffer.from(changed, 'latin1'));

describe.each(realFiles())('the UEB of a real file, $name', ({ manifest, numbers, path }) => {
  const data = Buffer.from(shareDataOf(path(numbers[0] as number)));
  const start = data.readUInt32BE(0x20) + 4;

  test('matches its cap and is rebuilt byte for byte from its numbers and hashes', () => {
    const real = parseUebOf(data.subarray(start), manifest);
    expect(deriveManifest(manifest.storageIndex, real)).toEqual(manifest);
    const again = buildUeb(computeLayout(real), { ...real, crypttextHash: real.crypttextHash as Uint8Array });
    expect(Buffer.compare(again.bytes, data.subarray(start))).toBe(0);
    expect(uebBytesOf(computeLayout(real))).toBe(again.bytes.length);
  });
});

describe('UEB', () => {
  test('is read back as it was built', () => {
    expect(parseUeb(ueb.bytes)).toEqual(ueb);
  });

  test('may hold fields that are unknown here and may lack those that only repeat others', () => {
    const old = `${text}plaintext_hash:32:${'p'.repeat(32)},plaintext_root_hash:32:${'q'.repeat(32)},`;
    expect(parseUeb(bytesOf(old))).toMatchObject({ k: 3, n: 10, sizeBytes: 1000 });
    const sparse = text
      .replace('codec_name:3:crs,', '')
      .replace('num_segments:1:4,', '')
      .replace(/crypttext_hash:32:.{32},/s, '');
    expect(parseUeb(bytesOf(sparse)).crypttextHash).toBeNull();
  });

  test.each([
    ['a coding that is none', text.replace('needed_shares:1:3', 'needed_shares:1:0')],
    ['numbers that contradict each other', text.replace('num_segments:1:4', 'num_segments:1:5')],
    ['another codec', text.replace('3:crs', '3:foo')],
    ['a segment size that k does not divide', text.replace('segment_size:3:300', 'segment_size:3:301')],
    ['a size of zero', text.replace('size:4:1000', 'size:1:0')],
    ['a negative size', text.replace('size:4:1000', 'size:2:-1')],
    ['a size beyond numbers', text.replace('size:4:1000', `size:30:${'9'.repeat(30)}`)],
    ['a missing root hash', text.replace(/share_root_hash:32:.{32},/s, '')],
    ['a short hash', text.replace(/share_root_hash:32:.{32},/s, 'share_root_hash:3:abc,')],
    ['a field twice', `${text}size:4:1000,`],
    ['a length beyond its end', text.replace('size:4:1000', 'size:9999:1000')],
    ['no end', text.slice(0, -1)],
    ['trailing text', `${text}x`],
    ['nothing', ''],
    ['2000 bytes', `${text}x:${1980 - text.length}:${'x'.repeat(1980 - text.length)},`.padEnd(2000, ',')],
  ])('with %s is refused', (_, changed) => {
    expect(() => parseUeb(bytesOf(changed))).toThrow(expect.objectContaining({ code: 'share-malformed' }) as Error);
  });

  test('that is sound but not the cap’s is told from one that is damaged', () => {
    const manifest = deriveManifest('a'.repeat(26) as never, ueb);
    const other = buildUeb(computeLayout({ k: 3, n: 10, sizeBytes: 1001, segmentBytes: 300 }), hashes);
    expect(() => parseUebOf(other.bytes, manifest)).toThrow(
      expect.objectContaining({ code: 'share-mismatch' }) as Error,
    );
    const damaged = ueb.bytes.slice();
    damaged[60] = 9;
    expect(() => parseUebOf(damaged, manifest)).toThrow(expect.objectContaining({ code: 'share-corrupt' }) as Error);
    const wrongCap = { ...manifest, sizeBytes: 999 };
    expect(() => parseUebOf(ueb.bytes, wrongCap)).toThrow(expect.objectContaining({ code: 'share-mismatch' }) as Error);
  });
});
