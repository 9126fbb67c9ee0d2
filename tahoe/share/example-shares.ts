/** Shares for tests: those that a real Tahoe-LAFS wrote, and files made up in memory. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseManifest, storageIndexOfKey } from '#mesh/caps.ts';
import { seededRandom } from '#mesh/clock.ts';
import type { Manifest } from '#mesh/manifest.ts';
import { type EncodeRequest, encodeShares } from './encode.ts';
import { ShareHashTree, treeNode } from './hash-tree.ts';
import { writeUebLength } from './header.ts';
import { computeLayout } from './layout.ts';
import { memoryShareSource } from './reader.ts';
import { buildChain } from './share-chain.ts';
import type { ShareSink } from './share-writer.ts';
import { buildUeb, deriveManifest } from './ueb.ts';
import { openShare, type VerifiedShare } from './verified-share.ts';

const realSharesFolder = fileURLToPath(new URL('../../test/fixtures/tahoe/shares', import.meta.url));

export interface RealFile {
  readonly name: string;
  readonly manifest: Manifest;
  /** As `ShareFolder.find` takes it. */
  readonly folder: string;
  /** Share numbers that the fixture holds. */
  readonly numbers: readonly number[];
  readonly path: (shareNumber: number) => string;
}

/** Files that Tahoe-LAFS 1.20 uploaded, as its storage nodes kept them. */
export function realFiles(): RealFile[] {
  return readdirSync(realSharesFolder).map(realFile);
}

export function realFile(name: string): RealFile {
  const folder = join(realSharesFolder, name);
  const manifest = parseManifest(readFileSync(join(folder, 'verifycap.txt'), 'utf8'));
  const path = (shareNumber: number | string): string =>
    join(folder, 'shares', manifest.storageIndex.slice(0, 2), manifest.storageIndex, String(shareNumber));
  const numbers = readdirSync(path('.')).map(Number);
  return { name, manifest, folder, numbers: numbers.sort((a, b) => a - b), path };
}

/** The share data of a container file, without container header and leases. */
export function shareDataOf(path: string): Uint8Array {
  const file = readFileSync(path);
  return new Uint8Array(file.subarray(12, file.length - 72 * file.readUInt32BE(8)));
}

export class MemorySink implements ShareSink {
  #bytes = new Uint8Array(0);
  written = 0;
  isEnded = false;
  abortedWith: unknown = null;

  begin(totalBytes: number): Promise<void> {
    this.#bytes = new Uint8Array(totalBytes);
    return Promise.resolve();
  }

  write(offset: number, bytes: Uint8Array): Promise<void> {
    if (offset !== this.written) return Promise.reject(new Error(`a gap: ${offset} after ${this.written}`));
    this.#bytes.set(bytes, offset);
    this.written += bytes.length;
    return Promise.resolve();
  }

  end(): Promise<void> {
    if (this.written !== this.#bytes.length) return Promise.reject(new Error('ended too early'));
    this.isEnded = true;
    return Promise.resolve();
  }

  abort(reason: unknown): Promise<void> {
    this.abortedWith = reason;
    return Promise.resolve();
  }

  get shareData(): Uint8Array {
    return this.#bytes;
  }
}

/** Takes parts ahead, each byte once, and knows how many. */
export class AheadSink extends MemorySink {
  ahead = 0;
  readonly #ranges: [number, number][] = [];

  writeAhead(offset: number, bytes: Uint8Array): Promise<void> {
    this.shareData.set(bytes, offset);
    this.ahead += bytes.length;
    this.#ranges.push([offset, offset + bytes.length]);
    return Promise.resolve();
  }

  override write(offset: number, bytes: Uint8Array): Promise<void> {
    for (let at = this.#ranges.find(([begin]) => begin === this.written); at; ) {
      this.written = at[1];
      at = this.#ranges.find(([begin]) => begin === this.written);
    }
    return super.write(offset, bytes);
  }
}

export interface MadeFile {
  readonly manifest: Manifest;
  readonly ciphertext: Uint8Array;
  /** Share data by share number. */
  readonly shares: readonly Uint8Array[];
}

export type MadeFileOptions = Pick<EncodeRequest, 'k' | 'n' | 'sizeBytes'> &
  Partial<Pick<EncodeRequest, 'segmentBytes' | 'shareVersion' | 'windowBytes'>> & { readonly seed?: number };

export async function makeFile(options: MadeFileOptions): Promise<MadeFile> {
  const { seed = 1, ...request } = options;
  const ciphertext = randomContent(options.sizeBytes, seed);
  const sinks = Array.from({ length: options.n }, () => new MemorySink());
  const storageIndex = storageIndexOfKey(randomContent(16, seed + 1));
  const { manifest } = await encodeShares({
    ...request,
    storageIndex,
    ciphertext: [ciphertext],
    sink: (shareNumber) => sinks[shareNumber] ?? null,
  });
  return { manifest, ciphertext, shares: sinks.map((sink) => sink.shareData) };
}

/**
 * 2-of-3, as a hostile uploader makes it: every share verifies up to the share root hash, but share 2 was coded from another
 * file (`codeword`), or the crypttext root hash is that of no file (`crypttext`).
 */
export async function makeInconsistentFile(wrong: 'codeword' | 'crypttext'): Promise<Omit<MadeFile, 'ciphertext'>> {
  const shape = { k: 2, n: 3, sizeBytes: 1000, segmentBytes: 500 };
  const [honest, other] = [await makeFile({ ...shape, seed: 1 }), await makeFile({ ...shape, seed: 9 })];
  const layout = computeLayout(shape);
  const { offsets, treeBytes } = layout;
  const originals = [
    honest.shares[0],
    honest.shares[1],
    (wrong === 'codeword' ? other : honest).shares[2],
  ] as Uint8Array[];
  const trees = originals.map((share) => share.subarray(offsets.blockTree, offsets.chain));
  const shareTree = new ShareHashTree(3);
  trees.forEach((tree, number) => shareTree.learn(shareTree.leafNode(number), treeNode(tree, 0)));
  const shareRootHash = shareTree.resolve(0) as Uint8Array;
  const crypttextTree = (originals[0] as Uint8Array).subarray(offsets.crypttextTree, offsets.blockTree);
  const crypttextRootHash = wrong === 'codeword' ? treeNode(crypttextTree, 0) : new Uint8Array(32);
  const ueb = buildUeb(layout, { crypttextHash: new Uint8Array(32), crypttextRootHash, shareRootHash });
  const shares = originals.map((share, number) =>
    Buffer.concat([
      share.subarray(0, offsets.plaintextTree),
      new Uint8Array(treeBytes),
      crypttextTree,
      trees[number] as Uint8Array,
      buildChain(shareTree, 3, number, shareRootHash, 'python3') as Uint8Array,
      writeUebLength(layout.version, ueb.bytes.length),
      ueb.bytes,
    ]),
  );
  return { manifest: deriveManifest(honest.manifest.storageIndex, ueb), shares };
}

export function randomContent(sizeBytes: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  return Uint8Array.from({ length: sizeBytes }, () => Math.floor(random() * 256));
}

/** Opens shares of a made-up or real file out of memory. */
export function openShares(
  manifest: Manifest,
  numbers: readonly number[],
  shareData: (shareNumber: number) => Uint8Array,
): Promise<VerifiedShare[]> {
  return Promise.all(numbers.map((number) => openShare(memoryShareSource(shareData(number)), manifest, number)));
}
