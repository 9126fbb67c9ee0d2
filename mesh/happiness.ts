/**
 * Servers of happiness: the largest matching of distinct peers to distinct share numbers, as Tahoe-LAFS counts it.
 * Kuhn's augmenting paths; where every share is on a peer of its own, the first pass finds them all.
 *
 * @param holdersOf for each share number, the peers that hold it.
 */
export function happinessOf(holdersOf: ReadonlyMap<number, readonly string[]>): number {
  const shareOf = new Map<string, number>();
  let happiness = 0;
  for (const share of holdersOf.keys()) if (augment(share, holdersOf, shareOf, new Set())) happiness++;
  return happiness;
}

function augment(
  share: number,
  holdersOf: ReadonlyMap<number, readonly string[]>,
  shareOf: Map<string, number>,
  seen: Set<string>,
): boolean {
  const holders = holdersOf.get(share) ?? [];
  const free = holders.find((peer) => !shareOf.has(peer));
  if (free !== undefined) {
    shareOf.set(free, share);
    return true;
  }
  for (const peer of holders) {
    if (seen.has(peer)) continue;
    seen.add(peer);
    if (!augment(shareOf.get(peer) as number, holdersOf, shareOf, seen)) continue;
    shareOf.set(peer, share);
    return true;
  }
  return false;
}
