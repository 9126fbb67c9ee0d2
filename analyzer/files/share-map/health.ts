/** The health of one file as a function of its placements and the peers' states. */

import type { FileRegistration } from '#mesh/events/share-batch.ts';
import { gradeOf, marginOf } from '#mesh/grade.ts';
import { happinessOf } from '#mesh/happiness.ts';
import type { Policy } from '#mesh/policy.ts';
import type { TablePeer } from './peer-table.ts';
import type { FileHealth } from './share-map.ts';

export interface HealthInput {
  readonly shareNumber: number;
  readonly corrupt: boolean;
  readonly peer: TablePeer;
}

export function healthOf(
  registration: FileRegistration,
  policy: Policy,
  placements: Iterable<HealthInput>,
  isSettling: (counted: number) => boolean,
): FileHealth {
  const { manifest, tag } = registration;
  const available = new Set<number>();
  const counted = new Set<number>();
  const retained = new Set<number>();
  const sharesOfPeer = new Map<string, number>();
  const sharesOfDomain = new Map<string, Map<string, number>>();
  const holdersOf = new Map<number, string[]>();
  let corrupt = 0;

  for (const { shareNumber, corrupt: isCorrupt, peer } of placements) {
    if (shareNumber >= manifest.n) continue;
    if (isCorrupt) {
      corrupt++;
      continue;
    }
    if (peer.retained) retained.add(shareNumber);
    if (peer.counted) counted.add(shareNumber);
    if (!peer.available) continue;
    available.add(shareNumber);
    const holders = holdersOf.get(shareNumber);
    if (holders === undefined) holdersOf.set(shareNumber, [peer.peer]);
    else holders.push(peer.peer);
    add(sharesOfPeer, peer.peer);
    for (const [kind, domain] of Object.entries(peer.domains)) {
      let ofKind = sharesOfDomain.get(kind);
      if (ofKind === undefined) sharesOfDomain.set(kind, (ofKind = new Map()));
      add(ofKind, domain);
    }
  }

  const spare = available.size - manifest.k;
  return {
    storageIndex: manifest.storageIndex,
    manifest,
    tag,
    policy,
    available: available.size,
    counted: counted.size,
    retained: retained.size,
    corrupt,
    margin: marginOf(available.size, manifest.k),
    grade: gradeOf(available.size, policy),
    settling: isSettling(counted.size),
    distinctPeers: sharesOfPeer.size,
    happiness: happinessOf(holdersOf),
    tolerancePeers: toleranceOf(sharesOfPeer.values(), spare),
    toleranceDomains: Object.fromEntries(
      [...sharesOfDomain].map(([kind, shares]) => [kind, toleranceOf(shares.values(), spare)]),
    ),
  };
}

/**
 * The fewest holders whose loss takes more than `spare` shares: the largest first. A share that two holders have is
 * counted for both, so the figure never promises more than there is.
 */
export function toleranceOf(sharesPerHolder: Iterable<number>, spare: number): number {
  if (spare < 0) return 0;
  let taken = 0;
  let holders = 0;
  for (const shares of [...sharesPerHolder].sort((a, b) => b - a)) {
    taken += shares;
    holders++;
    if (taken > spare) return holders;
  }
  return holders;
}

/** Whether what people and the repairer see of a file is the same. */
export function sameHealth(a: FileHealth, b: FileHealth): boolean {
  return (
    a.available === b.available &&
    a.counted === b.counted &&
    a.retained === b.retained &&
    a.corrupt === b.corrupt &&
    a.grade === b.grade &&
    a.settling === b.settling &&
    a.policy === b.policy &&
    a.distinctPeers === b.distinctPeers &&
    a.happiness === b.happiness &&
    a.tolerancePeers === b.tolerancePeers &&
    a.manifest === b.manifest &&
    sameRecord(a.toleranceDomains, b.toleranceDomains)
  );
}

function sameRecord(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
