/** Peers that have left for good, by their own word, an operator's, or a long silence. */
import type { PeerId } from '#mesh/peer-id.ts';
import type { StateChange } from '#peers/liveness/peer-register.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';

/** Frees what they held of files that nobody has registered. Should one come back, its next inventory names it again. */
export function freeDeparted(owned: Iterable<Pick<OwnedPartition, 'map'>>, departed: Iterable<PeerId>): void {
  const peers = [...departed];
  for (const { map } of owned) for (const peer of peers) map.freeUnregistered(peer);
}

export function departedIn(changes: readonly StateChange[]): readonly PeerId[] {
  return changes.filter(({ to }) => to === 'departed').map(({ peer }) => peer);
}
