/** For tests: the secrets of an upload, their headers, and a share that is stored with them. */
import { expect } from 'vitest';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { secretValue } from './authorization.ts';
import type { PeerClient } from './client.ts';
import * as message from './message.ts';

export const leases = { renewSecret: new Uint8Array(32).fill(1), cancelSecret: new Uint8Array(32).fill(2) };
export const uploadSecret = new Uint8Array(20).fill(3);
export const lease = [
  secretValue('lease-renew-secret', leases.renewSecret),
  secretValue('lease-cancel-secret', leases.cancelSecret),
];
export const upload = secretValue('upload-secret', uploadSecret);
export const secrets = 'x-tahoe-authorization';
export const cbor = { accept: message.cborType, 'content-type': message.cborType };

export async function storeShare(
  peer: PeerClient,
  index: StorageIndex,
  shareNumber: number,
  data: Uint8Array,
): Promise<void> {
  await peer.allocate(index, { shareNumbers: [shareNumber], allocatedBytes: data.length, uploadSecret, ...leases });
  expect(await peer.write(index, shareNumber, 0, data, uploadSecret)).toEqual({ isComplete: true, required: [] });
}

export function allocateBody(shareNumbers: number[], allocatedBytes: number): Uint8Array {
  return message.encodeAllocateRequest({ shareNumbers, allocatedBytes });
}
