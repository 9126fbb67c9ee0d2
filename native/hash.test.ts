import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { blockHashes, hashMany, hashTree, pairHash, sha256d, taggedHash } from './hash.ts';
import { isaLevelsSupported, loadNative } from './load.ts';

const levels = isaLevelsSupported();
const sha256 = (...parts: Uint8Array[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
const netstring = (bytes: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(`${bytes.length}:`), bytes, Buffer.from(',')]);
const expectedTagged = (tag: string, data: Uint8Array): Buffer => sha256(sha256(netstring(Buffer.from(tag)), data));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytesOf = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 131 + seed * 17 + (i >> 8)) & 255);

afterEach(() => {
  loadNative().setIsaLevel(levels.at(-1) as string);
  loadNative().useSha(true);
});

describe.each(levels)('at level %s', (level) => {
  test('every length around the block borders hashes as node:crypto does, with tags of every length', () => {
    loadNative().setIsaLevel(level);
    for (let length = 0; length <= 200; length++) {
      const data = bytesOf(length, length);
      expect(hex(sha256d(data))).toBe(hex(sha256(sha256(data))));
      const tag = 't'.repeat(length % 129);
      expect(hex(taggedHash(tag, data))).toBe(hex(expectedTagged(tag, data)));
    }
  });

  test.each([
    { sha: true, extensions: 'as this processor has them' },
    { sha: false, extensions: 'left out' },
  ])('many blocks of any lengths, at any alignment, hash as one by one, SHA extensions $extensions', ({ sha }) => {
    loadNative().setIsaLevel(level);
    loadNative().useSha(sha);
    const lengths = fc.oneof(
      fc.array(fc.nat(300), { maxLength: 40 }),
      fc.tuple(fc.nat(1000), fc.nat(40)).map(([length, count]) => Array.from({ length: count }, () => length)),
    );
    fc.assert(
      fc.property(lengths, fc.nat(63), fc.string({ maxLength: 30 }), (lengths, offset, tag) => {
        const blocks = lengths.map((length, i) => bytesOf(length + offset, i).subarray(offset));
        const expected = blocks.map((block) => hex(expectedTagged(tag, block))).join('');
        expect(hex(hashMany(tag, blocks))).toBe(expected);
      }),
      { numRuns: 150 },
    );
  });

  test('blockHashes cuts the data, with a short last block', () => {
    loadNative().setIsaLevel(level);
    fc.assert(
      fc.property(fc.nat(3000), fc.integer({ min: 1, max: 400 }), (length, blockBytes) => {
        const data = bytesOf(length, 3);
        const expected: string[] = [];
        for (let at = 0; at < length; at += blockBytes) {
          expected.push(hex(expectedTagged('allmydata_encoded_subshare_v1', data.subarray(at, at + blockBytes))));
        }
        expect(hex(blockHashes(data, blockBytes, 'block'))).toBe(expected.join(''));
      }),
      { numRuns: 60 },
    );
    const segment = bytesOf(100, 1);
    expect(hex(blockHashes(segment, 100, 'crypttext-segment'))).toBe(
      hex(expectedTagged('allmydata_crypttext_segment_v1', segment)),
    );
  });

  test('hashTree holds leaves, empty leaves and inner nodes breadth first', () => {
    loadNative().setIsaLevel(level);
    for (const leafCount of [1, 2, 3, 5, 8, 11, 100]) {
      const leaves = Array.from({ length: leafCount }, (_, i) => sha256(bytesOf(4, i)));
      const padded = 2 ** Math.ceil(Math.log2(leafCount));
      const nodes: Buffer[] = [];
      for (let i = 0; i < padded; i++) {
        nodes[padded - 1 + i] = leaves[i] ?? expectedTagged('Merkle tree empty leaf', Buffer.from(String(i)));
      }
      for (let i = padded - 2; i >= 0; i--) {
        const children = Buffer.concat([netstring(nodes[2 * i + 1] as Buffer), netstring(nodes[2 * i + 2] as Buffer)]);
        nodes[i] = expectedTagged('Merkle tree internal node', children);
        expect(hex(pairHash(nodes[2 * i + 1] as Buffer, nodes[2 * i + 2] as Buffer))).toBe(hex(nodes[i] as Buffer));
      }
      expect(hex(hashTree(Buffer.concat(leaves)))).toBe(hex(Buffer.concat(nodes)));
    }
  });
});

test('tags are hashed as UTF-8', () => {
  expect(hex(taggedHash('tâg', Buffer.from('x')))).toBe(hex(expectedTagged('tâg', Buffer.from('x'))));
});

test('faulty arguments are refused as bad input', () => {
  const refused = expect.objectContaining({ code: 'bad-input' });
  expect(() => blockHashes(new Uint8Array(4), 0, 'block')).toThrow(refused);
  expect(() => blockHashes(new Uint8Array(4), 1.5, 'block')).toThrow(refused);
  expect(() => hashTree(new Uint8Array(33))).toThrow(refused);
  expect(() => hashTree(new Uint8Array(0))).toThrow(refused);
  expect(() => pairHash(new Uint8Array(31), new Uint8Array(32))).toThrow(refused);
  expect(() => taggedHash('t'.repeat(129), new Uint8Array(1))).toThrow(refused);
  expect(() => sha256d('text' as unknown as Uint8Array)).toThrow(refused);
});

test('useSha wants true or false', () => {
  expect(() => loadNative().useSha('no' as unknown as boolean)).toThrow('useSha wants true or false');
});
