/** What a campaign does with one file: a function of the campaign, the file as the store has it, and the peers. */
import type { CampaignDefinition } from '#mesh/campaigns/definition.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { type Domains, isCountedState, type PeerState } from '#mesh/peer-state.ts';
import type { Policy } from '#mesh/policy.ts';
import type { PlacedShare } from '#peers/locate.ts';

export interface FileToAssign {
  readonly n: number;
  readonly policy: Pick<Policy, 'repairUpTo' | 'maxSharesPerPeer' | 'maxSharesPerDomain'>;
  /** Sound shares on peers, whatever their state. */
  readonly placements: readonly PlacedShare[];
}

export interface AssignedPeer {
  readonly state: PeerState;
  readonly domains: Domains;
}

export type Assignment =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'verify' }
  | {
      readonly kind: 'repair';
      /** Distinct share numbers that shall count afterwards. */
      readonly upTo: number;
      readonly maxSharesPerPeer: number;
      /** Shares that are to be elsewhere, as `peer/number`. */
      readonly leaving: ReadonlySet<string>;
      readonly numbers: ReadonlySet<number>;
      readonly avoids: (peerId: PeerId) => boolean;
    };

export type PeerLookup = (peerId: PeerId) => AssignedPeer | undefined;

export function assign(definition: CampaignDefinition, file: FileToAssign, peerOf: PeerLookup): Assignment {
  switch (definition.kind) {
    case 'verify':
      return file.placements.length === 0 ? { kind: 'nothing' } : { kind: 'verify' };
    case 'repair':
      return assignRepair(definition, file, peerOf);
    case 'drain':
    case 'replace':
      return assignLeaving(definition, file, peerOf);
    case 'rebalance':
      return assignSpread(definition, file, peerOf);
  }
}

export function placeOf({ peerId, shareNumber }: PlacedShare): string {
  return `${peerId}/${shareNumber}`;
}

function assignRepair({ upTo: wanted }: CampaignDefinition, file: FileToAssign, peerOf: PeerLookup): Assignment {
  const upTo = Math.min(file.n, wanted ?? file.policy.repairUpTo);
  if (distinct(counted(file, peerOf)).size >= upTo) return { kind: 'nothing' };
  const { maxSharesPerPeer } = file.policy;
  return { kind: 'repair', upTo, maxSharesPerPeer, leaving: new Set(), numbers: new Set(), avoids: () => false };
}

function assignLeaving({ leave, onto }: CampaignDefinition, file: FileToAssign, peerOf: PeerLookup): Assignment {
  const leaves = new Set<string>(leave);
  const held = file.placements.filter(({ peerId }) => leaves.has(peerId));
  const elsewhere = distinct(counted(file, peerOf).filter(({ peerId }) => !leaves.has(peerId)));
  const numbers = new Set([...distinct(held)].filter((number) => !elsewhere.has(number)));
  if (numbers.size === 0) return { kind: 'nothing' };
  return {
    kind: 'repair',
    upTo: elsewhere.size + numbers.size,
    // A peer that takes another one's place takes as many as that one held.
    maxSharesPerPeer: Math.max(file.policy.maxSharesPerPeer, onto === null ? 1 : numbers.size),
    leaving: new Set(held.map(placeOf)),
    numbers,
    avoids: (peerId) => leaves.has(peerId) || (onto !== null && peerId !== onto),
  };
}

/**
 * Share numbers that only one domain holds go with it. Of those beyond what a domain shall hold at most, another copy is placed
 * outside of every domain that is full.
 */
function assignSpread({ domainKind }: CampaignDefinition, file: FileToAssign, peerOf: PeerLookup): Assignment {
  const kind = domainKind ?? '';
  const standing = counted(file, peerOf);
  const domainOf = (peerId: PeerId): string | undefined => peerOf(peerId)?.domains[kind];
  const byNumber = Map.groupBy(standing, ({ shareNumber }) => shareNumber);
  const alone = new Map<string, number[]>();
  for (const [number, shares] of [...byNumber].sort(([a], [b]) => a - b)) {
    const domains = new Set(shares.map(({ peerId }) => domainOf(peerId)));
    const [only] = domains;
    if (domains.size === 1 && only !== undefined) alone.set(only, [...(alone.get(only) ?? []), number]);
  }
  const most = file.policy.maxSharesPerDomain;
  const crowded = [...alone].filter(([, numbers]) => numbers.length > most);
  if (crowded.length === 0) return { kind: 'nothing' };
  const full = new Set([...alone].filter(([, numbers]) => numbers.length >= most).map(([domain]) => domain));
  const numbers = new Set(crowded.flatMap(([, held]) => held.slice(most)));
  return {
    kind: 'repair',
    upTo: distinct(standing).size,
    maxSharesPerPeer: file.policy.maxSharesPerPeer,
    leaving: new Set(standing.filter(({ shareNumber }) => numbers.has(shareNumber)).map(placeOf)),
    numbers,
    avoids: (peerId) => {
      const domain = domainOf(peerId);
      return domain === undefined || full.has(domain);
    },
  };
}

function counted({ placements }: FileToAssign, peerOf: PeerLookup): PlacedShare[] {
  return placements.filter(({ peerId }) => {
    const peer = peerOf(peerId);
    return peer !== undefined && isCountedState(peer.state);
  });
}

function distinct(shares: readonly PlacedShare[]): Set<number> {
  return new Set(shares.map(({ shareNumber }) => shareNumber));
}
