/** Leases behind the share data of an immutable container, 72 bytes each (FORMAT section 3). */
import { blake2b } from '@noble/hashes/blake2.js';
import type { LeaseSecrets } from '../identity/lease-secrets.ts';
import { type ContainerVersion, leaseBytes } from '../share/container.ts';

/** What Tahoe grants on upload and on renewal. */
export const leaseDurationMs = 31 * 24 * 3600 * 1000;

/** @param owner 0 for the lease of an upload, 1 for one that was added later (as Tahoe has it). */
export function leaseRecord(
  version: ContainerVersion,
  owner: number,
  secrets: LeaseSecrets,
  expiresMs: number,
): Uint8Array {
  const bytes = new Uint8Array(leaseBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, owner);
  bytes.set(storedSecret(version, secrets.renewSecret), 4);
  bytes.set(storedSecret(version, secrets.cancelSecret), 36);
  view.setUint32(68, expiryOf(expiresMs));
  return bytes;
}

/** The expiry field of a lease record: Unix seconds. */
export function expiryOf(expiresMs: number): number {
  return Math.min(0xffff_ffff, Math.max(0, Math.floor(expiresMs / 1000)));
}

/** Index of the lease in `leases` that these secrets renew, or −1. */
export function findLease(leases: Uint8Array, version: ContainerVersion, secrets: LeaseSecrets): number {
  const wanted = storedSecret(version, secrets.renewSecret);
  for (let at = 0; at + leaseBytes <= leases.length; at += leaseBytes) {
    if (Buffer.compare(leases.subarray(at + 4, at + 36), wanted) === 0) return at / leaseBytes;
  }
  return -1;
}

/** Version 2 keeps hashes of the lease secrets, version 1 (older servers) the secrets themselves. */
function storedSecret(version: ContainerVersion, secret: Uint8Array): Uint8Array {
  return version === 2 ? hashedSecret(secret) : secret;
}

/** BLAKE2b-256. `node:crypto` has BLAKE2b-512 only, which is another function and not a longer form of it. */
export function hashedSecret(secret: Uint8Array): Uint8Array {
  return blake2b(secret, { dkLen: 32 });
}
