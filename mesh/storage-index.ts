import { decodeBase32, encodeBase32 } from './base32.ts';
import { MeshwardError } from './errors.ts';

declare const brand: unique symbol;

/** 16 bytes that name a file on the mesh, written as Tahoe-LAFS base32: 26 characters. */
export type StorageIndex = string & { readonly [brand]: 'StorageIndex' };

export const storageIndexBytes = 16;

/** The same as a regular expression: the last character holds three bits. */
export const storageIndexPattern = '^[a-z2-7]{25}[aeimquy4]$';

/** @throws MeshwardError `bad-input` where the text is not 26 canonical base32 characters. */
export function parseStorageIndex(text: string): StorageIndex {
  if (!isStorageIndex(text)) {
    throw new MeshwardError('bad-input', `"${text.slice(0, 60)}" is not a storage index`, {
      next: 'A storage index is 26 characters of a-z and 2-7, for example 5fsbhvm3dzua36zgwfjbeg4bvy.',
    });
  }
  return text;
}

export function isStorageIndex(text: string): text is StorageIndex {
  return text.length === 26 && decodeBase32(text) !== null;
}

/** @param bytes at least `offset + 16` bytes. */
export function storageIndexFromBytes(bytes: Uint8Array, offset = 0): StorageIndex {
  if (bytes.length < offset + storageIndexBytes) throw new RangeError('a storage index has 16 bytes');
  return encodeBase32(bytes.subarray(offset, offset + storageIndexBytes)) as StorageIndex;
}

export function storageIndexToBytes(index: StorageIndex): Uint8Array {
  return decodeBase32(index) as Uint8Array;
}

/** The partition of a storage index: its first four bytes as a big-endian number, modulo the count of partitions. */
export function partitionOfStorageIndex(bytes: Uint8Array, offset: number, partitionCount: number): number {
  const head =
    (bytes[offset] as number) * 0x1000000 +
    (((bytes[offset + 1] as number) << 16) | ((bytes[offset + 2] as number) << 8) | (bytes[offset + 3] as number));
  return head % partitionCount;
}
