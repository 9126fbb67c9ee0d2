import { describe, expect, it } from 'vitest';
import { findLease, hashedSecret, leaseRecord } from './lease-records.ts';

const secretsOf = (fill: number) => ({
  renewSecret: new Uint8Array(32).fill(fill),
  cancelSecret: new Uint8Array(32).fill(fill + 1),
});
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('lease records', () => {
  it.each([1, 2] as const)('are found again by their secret (version %i)', (version) => {
    const leases = Buffer.concat([1, 5, 9].map((fill) => leaseRecord(version, 0, secretsOf(fill), 1_700_000_000_000)));
    expect(findLease(leases, version, secretsOf(5))).toBe(1);
    expect(findLease(leases, version, secretsOf(6))).toBe(-1);
    expect(leases.readUInt32BE(68)).toBe(1_700_000_000);
    const showsSecret = leases.includes(Buffer.alloc(32, 5));
    expect(showsSecret).toBe(version === 1);
  });

  it('hash secrets as hashlib.blake2b(…, digest_size=32) of Python does', () => {
    expect(hex(hashedSecret(new Uint8Array(0)))).toBe(
      '0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8',
    );
    expect(hex(hashedSecret(Buffer.from('abc')))).toBe(
      'bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319',
    );
    const counting = Uint8Array.from({ length: 200 }, (_, i) => i);
    expect(hex(hashedSecret(counting))).toBe('63c3d97a9f8894d5e043a707b0fee7f7ec4c049a23bbf1079df20b4165f9e22d');
  });
});
