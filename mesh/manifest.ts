import type { Coding } from './coding.ts';
import type { StorageIndex } from './storage-index.ts';

/**
 * What is needed to check and rebuild a file and not to read it; the content of a Tahoe verify cap.
 * `uebHash` (32 bytes) pins the file's URI extension block, and through it every share, block and segment.
 */
export interface Manifest extends Coding {
  readonly storageIndex: StorageIndex;
  readonly uebHash: Uint8Array;
  readonly sizeBytes: number;
}

export function sameManifest(a: Manifest, b: Manifest): boolean {
  return (
    a.storageIndex === b.storageIndex &&
    a.k === b.k &&
    a.n === b.n &&
    a.sizeBytes === b.sizeBytes &&
    Buffer.compare(a.uebHash, b.uebHash) === 0
  );
}
