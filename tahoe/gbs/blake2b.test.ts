import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blake2b } from './blake2b.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('BLAKE2b', () => {
  it('equals hashlib.blake2b(…, digest_size=32) of Python', () => {
    expect(hex(blake2b(new Uint8Array(0), 32))).toBe(
      '0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8',
    );
    expect(hex(blake2b(Buffer.from('abc'), 32))).toBe(
      'bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319',
    );
    const counting = Uint8Array.from({ length: 200 }, (_, i) => i);
    expect(hex(blake2b(counting, 32))).toBe('63c3d97a9f8894d5e043a707b0fee7f7ec4c049a23bbf1079df20b4165f9e22d');
  });

  it('equals BLAKE2b-512 of OpenSSL for every length around its blocks', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (input) => {
        expect(hex(blake2b(input, 64))).toBe(createHash('blake2b512').update(input).digest('hex'));
      }),
    );
    for (const length of [127, 128, 129, 255, 256, 257]) {
      const input = new Uint8Array(length).fill(0x5a);
      expect(hex(blake2b(input, 64))).toBe(createHash('blake2b512').update(input).digest('hex'));
    }
  });
});
