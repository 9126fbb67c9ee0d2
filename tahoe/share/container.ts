/** The immutable container: the file in which a storage node keeps one share (FORMAT section 3). */
import { shareError } from './share-errors.ts';

/** 1: lease secrets in clear (older nodes). 2: their blake2b-256 (Tahoe-LAFS 1.20). The share data is the same. */
export type ContainerVersion = 1 | 2;

export interface Container {
  readonly version: ContainerVersion;
  readonly leaseCount: number;
  /** Where the share data begins in the file. */
  readonly dataOffset: number;
  /** Length of the share data, found from the end of the file as a node does. */
  readonly dataBytes: number;
}

export const containerHeaderBytes = 12;
export const leaseBytes = 72;

/**
 * @param head the file's first 12 bytes, or all of it where it is shorter.
 * @throws MeshwardError `share-foreign` (mutable container), `share-malformed`, `share-truncated`.
 */
export function parseContainer(head: Uint8Array, fileBytes: number): Container {
  if (isMutableContainer(head)) throw shareError('share-foreign', 'a mutable container, not an immutable share');
  if (head.length < containerHeaderBytes) {
    throw shareError('share-truncated', `a file of ${fileBytes} bytes cannot hold a share`);
  }
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const version = view.getUint32(0);
  if (version !== 1 && version !== 2) {
    throw shareError('share-malformed', `container version ${version} is neither 1 nor 2`);
  }
  const leaseCount = view.getUint32(8);
  const dataBytes = fileBytes - containerHeaderBytes - leaseBytes * leaseCount;
  if (dataBytes < 0) {
    throw shareError('share-malformed', `${leaseCount} leases do not fit into a file of ${fileBytes} bytes`);
  }
  return { version, leaseCount, dataOffset: containerHeaderBytes, dataBytes };
}

/** The 12 bytes that go before the share data. */
export function writeContainerHeader(version: ContainerVersion, dataBytes: number, leaseCount = 0): Uint8Array {
  const bytes = new Uint8Array(containerHeaderBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, version);
  view.setUint32(4, Math.min(0xffffffff, dataBytes));
  view.setUint32(8, leaseCount);
  return bytes;
}

/** Expiry of each lease as Unix seconds. The secrets beside it are never handed out. */
export function parseLeaseExpiries(leases: Uint8Array): number[] {
  const view = new DataView(leases.buffer, leases.byteOffset, leases.length);
  const expiries: number[] = [];
  for (let end = leaseBytes; end <= leases.length; end += leaseBytes) expiries.push(view.getUint32(end - 4));
  return expiries;
}

function isMutableContainer(head: Uint8Array): boolean {
  return head.length >= 4 && head[0] === 0x54 && head[1] === 0x61 && head[2] === 0x68 && head[3] === 0x6f;
}
