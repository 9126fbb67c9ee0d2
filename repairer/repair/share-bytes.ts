/** How long the shares of a file are, before and after one of them has told. */
import type { Manifest } from '#mesh/manifest.ts';
import { chooseSegmentBytes, computeLayout, shareTotalBytes, type VerifiedShare } from '#tahoe/share/index.ts';

const usualUebBytes = 336;

const alwaysWholeBytes = 512 * 1024;
const mostWholeBytes = 4 * 1024 * 1024;
const wholeMemoryBytes = 32 * 1024 * 1024;

/**
 * Whether new shares of a file are held whole until their peers have them, and sent in one exchange to those that take them so: small
 * ones always, larger ones where few are missing.
 */
export function areHeldWhole(count: number, shareBytes: number): boolean {
  return shareBytes <= alwaysWholeBytes || (shareBytes <= mostWholeBytes && count * shareBytes <= wholeMemoryBytes);
}

/** For the plan, before a share tells. */
export function expectedShareBytes({ manifest: { k, n, sizeBytes } }: { readonly manifest: Manifest }): number {
  return shareTotalBytes(
    computeLayout({ k, n, sizeBytes, segmentBytes: chooseSegmentBytes(sizeBytes, k) }),
    usualUebBytes,
  );
}

/** As much as a repair of the file may hold in memory. */
export function bytesOfAllShares(entry: { readonly manifest: Manifest }): number {
  return entry.manifest.n * expectedShareBytes(entry);
}

/** New shares have the version that their numbers demand, as regeneration writes them: 2 only where every source has it. */
export function bytesOfNewShare(opened: readonly VerifiedShare[]): number {
  const { ueb } = opened[0] as VerifiedShare;
  const layout = opened.every((share) => share.layout.version === 2) ? computeLayout(ueb, 2) : computeLayout(ueb);
  return shareTotalBytes(layout, ueb.bytes.length);
}
