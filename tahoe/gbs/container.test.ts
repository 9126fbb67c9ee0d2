import { describe, expect, it } from 'vitest';
import { containerHeader, findLease, leaseBytes, leaseRecord, parseContainer } from './container.ts';

const secretsOf = (fill: number) => ({
  renewSecret: new Uint8Array(32).fill(fill),
  cancelSecret: new Uint8Array(32).fill(fill + 1),
});

describe('the immutable container', () => {
  it('tells the share data from the end of the file, whatever the length field says', () => {
    expect(parseContainer(containerHeader(1000, 3), 12 + 1000 + 3 * leaseBytes)).toEqual({
      version: 2,
      leaseCount: 3,
      dataBytes: 1000,
    });
    expect(parseContainer(containerHeader(5, 0), 12 + 1000)?.dataBytes).toBe(1000);
    expect(containerHeader(2 ** 33, 0).subarray(4, 8)).toEqual(Uint8Array.of(255, 255, 255, 255));
  });

  it('is not seen in foreign, mutable or cut-off files', () => {
    expect(parseContainer(new Uint8Array(12), 100)).toBeNull();
    expect(parseContainer(Buffer.from('Tahoe mutable container v1'), 500)).toBeNull();
    expect(parseContainer(containerHeader(0, 2), 12 + leaseBytes)).toBeNull();
    expect(parseContainer(new Uint8Array(5), 5)).toBeNull();
  });

  it.each([1, 2] as const)('finds a lease again by its secret (version %i)', (version) => {
    const leases = Buffer.concat([1, 5, 9].map((fill) => leaseRecord(version, 0, secretsOf(fill), 1_700_000_000_000)));
    expect(findLease(leases, version, secretsOf(5))).toBe(1);
    expect(findLease(leases, version, secretsOf(6))).toBe(-1);
    expect(leases.readUInt32BE(68)).toBe(1_700_000_000);
    const showsSecret = leases.includes(Buffer.alloc(32, 5));
    expect(showsSecret).toBe(version === 1);
  });
});
