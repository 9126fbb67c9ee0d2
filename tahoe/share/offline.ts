/** Brings back shares on plain files, without a mesh. */
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { Manifest } from '#mesh/manifest.ts';
import type { ContainerVersion } from './container.ts';
import { ShareFolder, type StoredShare } from './folder.ts';
import { ContainerFile } from './reader.ts';
import { type RegenerateResult, regenerateShares } from './regenerate.ts';
import { openShare, type VerifiedShare } from './verified-share.ts';
import { verifyShare } from './verify.ts';

export interface FolderRegeneration {
  readonly manifest: Manifest;
  /** A share folder, or a node's `storage` or base folder. */
  readonly fromDir: string;
  /** @default every share that is missing in `fromDir` or bad there: then every byte of those that are there is checked first */
  readonly shareNumbers?: readonly number[] | undefined;
  /** A share folder, likewise; made where it is missing. */
  readonly outDir: string;
  /** Whether any share in `outDir` may be replaced. One that was found bad may be in any case. @default false */
  readonly replaceExisting?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface BadShare {
  readonly shareNumber: number;
  readonly path: string;
  readonly error: unknown;
}

export interface FolderRegenerationResult extends RegenerateResult {
  /** Of the shares that were written. */
  readonly paths: readonly string[];
  /** Shares found bad or unreadable, at once or on the way. */
  readonly bad: readonly BadShare[];
  /** Those of them that were not made anew. */
  readonly leftBad: readonly BadShare[];
}

/**
 * Brings back shares of one file from the others in a folder. A source that turns out bad is reported and another one
 * takes its place. Shares that are asked for are sources only where there are not enough others.
 *
 * @throws MeshwardError `not-enough-shares` where fewer than `k` good ones are there; its details name the bad ones.
 */
export async function regenerateFromFolder(request: FolderRegeneration): Promise<FolderRegenerationResult> {
  const { manifest, outDir, replaceExisting, signal } = request;
  const from = await ShareFolder.find(request.fromDir);
  const out = await ShareFolder.find(outDir);
  const bad: BadShare[] = [];
  const stored = await from.listFile(manifest.storageIndex);
  const opened = await openEach(stored, manifest, bad, request.shareNumbers === undefined, signal);
  try {
    if (opened.length < manifest.k) throw tooFew(opened.length, manifest, bad);
    const wantedNumbers = request.shareNumbers ?? missingNumbers(manifest, opened);
    if (wantedNumbers.length === 0)
      return { written: [], failed: [], replaced: [], hashedOnly: [], sources: [], paths: [], bad, leftBad: bad };
    const containerVersion = containerVersionOf(opened);
    const badPaths = new Set(bad.map(({ path }) => path));
    const wanted = wantedNumbers.map((shareNumber) => {
      const mayReplace = replaceExisting || badPaths.has(out.sharePath(manifest.storageIndex, shareNumber));
      const options = { containerVersion, replaceExisting: mayReplace };
      return { shareNumber, sink: out.sink(manifest.storageIndex, shareNumber, options) };
    });
    const shares = opened.map(({ share }) => share);
    const isWanted = (share: VerifiedShare): boolean => wantedNumbers.includes(share.shareNumber);
    const sources = [...shares.filter((share) => !isWanted(share)), ...shares.filter(isWanted)];
    const result = await regenerateShares({ sources, wanted, signal });
    for (const { shareNumber, error } of result.replaced) {
      bad.push({ shareNumber, path: from.sharePath(manifest.storageIndex, shareNumber), error });
    }
    const paths = result.written.map(({ shareNumber }) => out.sharePath(manifest.storageIndex, shareNumber));
    const writtenNumbers = new Set(result.written.map(({ shareNumber }) => shareNumber));
    const leftBad = bad.filter(({ shareNumber }) => !writtenNumbers.has(shareNumber));
    return { ...result, paths, bad, leftBad };
  } finally {
    await Promise.all(opened.map(({ share }) => share.close()));
  }
}

interface OpenedShare {
  readonly share: VerifiedShare;
  readonly containerVersion: ContainerVersion;
}

/** All of them: their hash chains tell what would otherwise have to be computed. At most `n` files are open. */
async function openEach(
  stored: readonly StoredShare[],
  manifest: Manifest,
  bad: BadShare[],
  checksBlocks: boolean,
  signal: AbortSignal | undefined,
): Promise<OpenedShare[]> {
  const opened: OpenedShare[] = [];
  for (const { path, shareNumber } of stored) {
    let file: ContainerFile | null = null;
    try {
      file = await ContainerFile.open(path);
      const share = await openShare(file, manifest, shareNumber);
      if (checksBlocks) await verifyShare(share, { signal });
      opened.push({ share, containerVersion: file.container.version });
    } catch (error) {
      await file?.close();
      if (signal?.aborted) throw error;
      bad.push({ shareNumber, path, error });
    }
  }
  return opened;
}

/** Version 1 only where every share has it: a node that old knows no other. */
function containerVersionOf(opened: readonly OpenedShare[]): ContainerVersion {
  return opened.every(({ containerVersion }) => containerVersion === 1) ? 1 : 2;
}

function missingNumbers(manifest: Manifest, opened: readonly OpenedShare[]): number[] {
  const have = new Set(opened.map(({ share }) => share.shareNumber));
  return Array.from({ length: manifest.n }, (_, shareNumber) => shareNumber).filter((number) => !have.has(number));
}

function tooFew(found: number, manifest: Manifest, bad: readonly BadShare[]): MeshwardError {
  const badOnes = bad.map(({ shareNumber, error }) => ({ shareNumber, reason: describeError(error) }));
  return new MeshwardError(
    'not-enough-shares',
    `${found} good shares are there and ${manifest.k} are needed (${bad.length} bad ones)`,
    {
      next: 'Add shares of this file from other peers to the folder and try again.',
      details: { have: found, bad: badOnes },
    },
  );
}
