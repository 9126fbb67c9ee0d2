import { describe, expect, it } from 'vitest';
import { parsePeerId } from '#mesh/peer-id.ts';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import { leaseSecretsFor, leaseSeedOfPeer } from './lease-secrets.ts';

const counting = (from: number, length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => from + i);

describe('lease secrets', () => {
  it('equal those of allmydata.util.hashutil (tahoe-lafs 1.20.0)', () => {
    const secrets = leaseSecretsFor(counting(0, 32), storageIndexFromBytes(counting(0, 16)), counting(100, 20));
    expect(Buffer.from(secrets.renewSecret).toString('hex')).toBe(
      'cfbc33b4e22956737ec74f51044b98ba18544bf0e3b6a355714d63692d5b4256',
    );
    expect(Buffer.from(secrets.cancelSecret).toString('hex')).toBe(
      '1e79a671a2e738310e0595c7a0241b92b21f5ab46d00fdb7136e8ee5262f43f3',
    );
  });

  it('have a seed for peers without a tub id', () => {
    const seed = leaseSeedOfPeer(parsePeerId('A'.repeat(43)));
    expect(seed).toEqual(new Uint8Array(20));
  });

  it('refuse secrets and seeds of another length', () => {
    const index = storageIndexFromBytes(counting(0, 16));
    expect(() => leaseSecretsFor(counting(0, 31), index, counting(0, 20))).toThrow(RangeError);
    expect(() => leaseSecretsFor(counting(0, 32), index, counting(0, 19))).toThrow(RangeError);
  });
});
