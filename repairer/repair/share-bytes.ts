/** How long the shares of a file are, before and after one of them has told. */
import type { Manifest } from '#mesh/manifest.ts';
import { chooseSegmentBytes, computeLayout, shareTotalBytes, type VerifiedShare } from '#tahoe/share/index.ts';

const usualUebBytes = 336;

/** Shares up to this length are held whole, and sent in one exchange to peers that take them so. */
export const wholeShareMemoryBytes = 512 * 1024;

/** For the plan, before a share tells. */
export function expectedShareBytes({ manifest: { k, n, sizeBytes } }: { readonly manifest: Manifest }): number {
  return shareTotalBytes(
    computeLayout({ k, n, sizeBytes, segmentBytes: chooseSegmentBytes(sizeBytes, k) }),
    usualUebBytes,
  );
}

/** New shares have the version that their numbers demand, as regeneration writes them: 2 only where every source has it. */
export function bytesOfNewShare(opened: readonly VerifiedShare[]): number {
  const { ueb } = opened[0] as VerifiedShare;
  const layout = opened.every((share) => share.layout.version === 2) ? computeLayout(ueb, 2) : computeLayout(ueb);
  return shareTotalBytes(layout, ueb.bytes.length);
}
