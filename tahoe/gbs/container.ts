/** The immutable container around a share on disk: header of 12 bytes, share data, leases of 72 bytes (FORMAT section 3). */

import { blake2b } from '@noble/hashes/blake2.js';
import type { LeaseSecrets } from '../identity/lease-secrets.ts';

export const containerHeaderBytes = 12;
export const leaseBytes = 72;
/** What Tahoe grants on upload and on renewal. */
export const leaseDurationMs = 31 * 24 * 3600 * 1000;

/** Version 2 keeps hashes of the lease secrets, version 1 (older servers) the secrets themselves. */
export interface Container {
  readonly version: 1 | 2;
  readonly leaseCount: number;
  readonly dataBytes: number;
}

/** @returns null where the bytes are no immutable container: foreign, mutable, or shorter than its leases. */
export function parseContainer(header: Uint8Array, fileBytes: number): Container | null {
  if (header.length < containerHeaderBytes) return null;
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  const version = view.getUint32(0);
  const leaseCount = view.getUint32(8);
  const dataBytes = fileBytes - containerHeaderBytes - leaseBytes * leaseCount;
  return (version === 1 || version === 2) && dataBytes >= 0 ? { version, leaseCount, dataBytes } : null;
}

/** Header of a version 2 container. */
export function containerHeader(dataBytes: number, leaseCount: number): Uint8Array {
  const bytes = new Uint8Array(containerHeaderBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 2);
  view.setUint32(4, Math.min(0xffff_ffff, dataBytes));
  view.setUint32(8, leaseCount);
  return bytes;
}

/** @param owner 0 for the lease of an upload, 1 for one that was added later (as Tahoe has it). */
export function leaseRecord(version: 1 | 2, owner: number, secrets: LeaseSecrets, expiresMs: number): Uint8Array {
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
export function findLease(leases: Uint8Array, version: 1 | 2, secrets: LeaseSecrets): number {
  const wanted = storedSecret(version, secrets.renewSecret);
  for (let at = 0; at + leaseBytes <= leases.length; at += leaseBytes) {
    if (Buffer.compare(leases.subarray(at + 4, at + 36), wanted) === 0) return at / leaseBytes;
  }
  return -1;
}

function storedSecret(version: 1 | 2, secret: Uint8Array): Uint8Array {
  return version === 2 ? hashedSecret(secret) : secret;
}

/** BLAKE2b-256. `node:crypto` has BLAKE2b-512 only, which is another function and not a longer form of it. */
export function hashedSecret(secret: Uint8Array): Uint8Array {
  return blake2b(secret, { dkLen: 32 });
}
