/**
 * What the loss of peers or domains would do to the files of a mesh, before repair answers it: a function of groups of files that are
 * alike. Two figures for each count of losses, and the truth lies between them:
 *
 * - expected: the losses fall on any peers, each as likely as another. A file's shares are on distinct peers, so a part `q = lost / peers`
 *   of them is expected to go; the binomial of `SurvivalTable` tells how likely fewer than k remain.
 * - at worst: for each file the losses fall on exactly those peers that it needs most, which its tolerance tells.
 */
import type { DomainGroup, ShareGroup } from '#store/queries/resilience.ts';
import { SurvivalTable } from './survival.ts';

export interface ResilienceQuestion {
  /** Peers that are up. */
  readonly peers: number;
  /** Domains of each kind that have a peer that is up. */
  readonly domains: ReadonlyMap<string, number>;
  /** How many peers are supposed to be lost, for the figures at that point. */
  readonly lostPeers: number;
  /**
   * As if every file that can be repaired had been, up to this part of the span from k to n, on peers that hold none of its shares;
   * null for the mesh as it is.
   */
  readonly repairedTo: number | null;
}

export interface LossPoint {
  readonly lost: number;
  /** Files that cannot be recovered then. */
  readonly expectedFiles: number;
  readonly worstFiles: number;
}

export interface Resilience {
  readonly files: number;
  readonly peers: number;
  readonly points: readonly LossPoint[];
  readonly at: LossPoint & { readonly expectedBytes: number };
  /** The most peers whose loss no file can notice, whichever they are. */
  readonly anyPeers: number;
  /** For each kind of domain, the worst of each count of losses. */
  readonly domains: readonly {
    readonly kind: string;
    readonly domains: number;
    readonly worst: readonly { readonly lost: number; readonly files: number }[];
  }[];
}

/** Points of a curve: enough for a screen. */
const mostPoints = 60;

export function resilienceOf(
  measured: readonly ShareGroup[],
  byDomain: readonly DomainGroup[],
  question: ResilienceQuestion,
): Resilience {
  const { peers, repairedTo } = question;
  const groups = repairedTo === null ? measured : measured.map((group) => repaired(group, repairedTo));
  const lostPeers = Math.min(peers, Math.max(0, Math.round(question.lostPeers)));
  const pointAt = (lost: number): LossPoint & { readonly expectedBytes: number } => {
    const table = new SurvivalTable(peers === 0 ? 1 : lost / peers);
    let expectedFiles = 0;
    let expectedBytes = 0;
    let worstFiles = 0;
    for (const { available, k, files, bytes, tolerancePeers } of groups) {
      const isLostNow = available < k;
      const loss = isLostNow || lost >= peers ? 1 : lost === 0 ? 0 : 10 ** table.log10Loss(available, k);
      expectedFiles += files * loss;
      expectedBytes += bytes * loss;
      if (isLostNow || tolerancePeers <= lost) worstFiles += files;
    }
    return { lost, expectedFiles, worstFiles, expectedBytes };
  };
  return {
    files: groups.reduce((sum, { files }) => sum + files, 0),
    peers,
    points: countsUpTo(peers).map((lost) => {
      const { expectedBytes: _bytes, ...point } = pointAt(lost);
      return point;
    }),
    at: pointAt(lostPeers),
    anyPeers: Math.max(0, Math.min(peers + 1, ...groups.map(toleranceOf)) - 1),
    domains: [...question.domains].map(([kind, count]) => ({
      kind,
      domains: count,
      worst: countsUpTo(count).map((lost) => ({
        lost,
        files: byDomain
          .filter((group) => group.kind === kind && group.tolerance <= lost)
          .reduce((sum, { files }) => sum + files, 0),
      })),
    })),
  };
}

function toleranceOf({ available, k, tolerancePeers }: ShareGroup): number {
  return available < k ? 0 : tolerancePeers;
}

/** Each new share goes to a peer without one, so each adds one to what the file tolerates. A file below k cannot be repaired. */
function repaired(group: ShareGroup, part: number): ShareGroup {
  const { k, n, available, tolerancePeers } = group;
  const wanted = Math.min(n, k + Math.ceil((n - k) * part));
  if (available < k || available >= wanted) return group;
  return { ...group, available: wanted, tolerancePeers: tolerancePeers + wanted - available };
}

function countsUpTo(count: number): readonly number[] {
  const step = Math.max(1, count / mostPoints);
  const counts = new Set<number>();
  for (let at = 0; at < count; at += step) counts.add(Math.round(at));
  counts.add(count);
  return [...counts];
}
