/** Files to repair: shares made once a coding and size, and laid out under as many storage indexes as are wanted, with some left out. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatCap, storageIndexOfKey } from '#mesh/caps.ts';
import type { Coding } from '#mesh/coding.ts';
import type { Manifest } from '#mesh/manifest.ts';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import { leaseDurationMs, leaseRecord } from '#tahoe/gbs/lease-records.ts';
import { containerHeaderBytes, writeContainerHeader } from '#tahoe/share/container.ts';
import { encodeShares, type ShareSink } from '#tahoe/share/index.ts';

export interface MadeFile {
  readonly coding: Coding;
  readonly sizeBytes: number;
  readonly uebHash: Uint8Array;
  readonly shareBytes: number;
  /** Whole container files, by share number. */
  readonly containers: readonly Uint8Array[];
}

export interface DamagedFile {
  readonly manifest: Manifest;
  /** Of a key that the shares were not made with: Tahoe's repairer wants one, and does not decrypt. */
  readonly readCap: string;
  /** What is left: where each share lies, by its holder's place in the list that was given. */
  readonly kept: readonly { readonly shareNumber: number; readonly holder: number }[];
}

const lease = { renewSecret: new Uint8Array(32).fill(1), cancelSecret: new Uint8Array(32).fill(2) };

export async function makeFile(coding: Coding, sizeBytes: number): Promise<MadeFile> {
  const containers: Uint8Array[] = [];
  const { manifest, shareBytes } = await encodeShares({
    ...coding,
    storageIndex: storageIndexFromBytes(new Uint8Array(16)),
    sizeBytes,
    ciphertext: noise(sizeBytes),
    sink: (number) => containerSink(containers, number),
  });
  return { coding, sizeBytes, uebHash: manifest.uebHash, shareBytes, containers };
}

/** Lays `keep` shares of a new file out over the folders, each of which holds `shares/`. */
export async function layOut(made: MadeFile, keep: number, folders: readonly string[]): Promise<DamagedFile> {
  const { coding, sizeBytes, uebHash, containers } = made;
  const seed = randomBytes(16);
  const storageIndex = storageIndexOfKey(seed);
  const numbers = drawn(coding.n, seed.readUInt32LE(0)).slice(0, keep);
  const kept = numbers.map((shareNumber) => ({
    shareNumber,
    holder: (shareNumber + seed.readUInt32LE(4)) % folders.length,
  }));
  for (const { shareNumber, holder } of kept) {
    const folder = join(folders[holder] as string, 'shares', storageIndex.slice(0, 2), storageIndex);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, String(shareNumber)), containers[shareNumber] as Uint8Array);
  }
  const manifest = { ...coding, storageIndex, uebHash, sizeBytes };
  return { manifest, kept, readCap: formatCap({ kind: 'read', key: seed, manifest }) };
}

function containerSink(containers: Uint8Array[], number: number): ShareSink {
  let container = new Uint8Array(0);
  return {
    begin(totalBytes) {
      const record = leaseRecord(2, 0, lease, Date.now() + leaseDurationMs);
      container = new Uint8Array(containerHeaderBytes + totalBytes + record.length);
      container.set(writeContainerHeader(2, totalBytes, 1));
      container.set(record, containerHeaderBytes + totalBytes);
      containers[number] = container;
      return Promise.resolve();
    },
    write(offset, bytes) {
      container.set(bytes, containerHeaderBytes + offset);
      return Promise.resolve();
    },
    end: () => Promise.resolve(),
  };
}

/** Content that nothing makes smaller. */
export function* noise(sizeBytes: number): Iterable<Uint8Array> {
  const block = createHash('shake256', { outputLength: 1024 * 1024 })
    .update('bench')
    .digest();
  for (let left = sizeBytes; left > 0; left -= block.length) {
    block.writeUInt32LE(left % 0xffff_ffff);
    yield left < block.length ? block.subarray(0, left) : Uint8Array.from(block);
  }
}

/** All share numbers in an order that the seed gives. */
function drawn(n: number, seed: number): number[] {
  const place = (number: number): string => createHash('sha256').update(`${seed}/${number}`).digest('hex');
  return Array.from({ length: n }, (_, number) => ({ number, place: place(number) }))
    .sort((a, b) => (a.place < b.place ? -1 : 1))
    .map(({ number }) => number);
}
