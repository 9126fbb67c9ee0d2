/** What is held of the peers, as repairs see it: prepared for choosing among them, and with its age. */
import type { PeerId } from '#mesh/peer-id.ts';
import { type Domains, isWritableState, type PeerState } from '#mesh/peer-state.ts';
import { freeBytesOf, type PeerFacts } from './liveness/peer-register.ts';
import { buildPlacementField, type PlacementField } from './placement-field.ts';

export interface PeerFact {
  readonly peerId: PeerId;
  readonly state: PeerState;
  /** What the peer can still take, in bytes. */
  readonly freeBytes: number;
  readonly domains: Domains;
  /** Since when the peer is in this state, by our own clock, where that is known. */
  readonly stateSinceMs?: number;
  /** Log time since the peer was heard, where that is known. */
  readonly silenceMs?: number;
  /** Log time since when readers cannot reach it, where it is heard all the same. */
  readonly unreachableMs?: number;
  /** Log time since when what it says to hold was mostly not there, where it is heard all the same. */
  readonly doubtedMs?: number;
  /** Why it has enough to do by its own words, where it has. */
  readonly busy?: string;
}

export interface PeersFreshness {
  /** Old facts are still the best there are; but nothing bold is done by them. */
  readonly isFresh: boolean;
  /** Infinite where nothing was ever heard. */
  readonly ageMs: number;
}

export interface PeerView {
  /** Undefined for a peer that is not known. */
  fact(peerId: PeerId): PeerFact | undefined;
  facts(): readonly PeerFact[];
  /** Every peer that a repair may write to, prepared for choosing targets. */
  writable(): PlacementField;
  freshness(): PeersFreshness;
  /** Takes in what has changed since the last call. */
  refresh(): void;
}

/** Where facts come from, and how old they are. */
export interface PeerFactSource {
  facts(): readonly PeerFact[];
  ageMs(): number;
}

/** @param staleAfterMs facts that are older are old. */
export function createPeerView(source: PeerFactSource, staleAfterMs: number): PeerView {
  let facts: readonly PeerFact[] = [];
  let byId = new Map<PeerId, PeerFact>();
  let field: PlacementField | undefined;
  const view: PeerView = {
    fact: (peerId) => byId.get(peerId),
    facts: () => facts,
    writable() {
      field ??= buildPlacementField(facts.filter((fact) => isWritableState(fact.state)));
      return field;
    },
    freshness() {
      const ageMs = source.ageMs();
      return { isFresh: ageMs <= staleAfterMs, ageMs };
    },
    refresh() {
      facts = source.facts();
      byId = new Map(facts.map((fact) => [fact.peerId, fact]));
      field = undefined;
    },
  };
  view.refresh();
  return view;
}

/** A peer that was never heard has not gone silent: it is not there yet. */
export function peerFactsOf(
  peers: readonly PeerFacts[],
  nowMs: number,
  busy: ReadonlyMap<PeerId, string> = new Map(),
): PeerFact[] {
  return peers.flatMap((facts) => {
    const { peer, state, domains, silenceMs, inStateMs, unreachableMs, doubtedMs } = facts;
    if (silenceMs === null) return [];
    // A peer that has not said what it can take is given nothing yet.
    const freeBytes = freeBytesOf(facts) ?? 0;
    const known = { peerId: peer, state, domains, freeBytes, silenceMs, stateSinceMs: nowMs - inStateMs };
    const busyFor = busy.get(peer);
    return [
      {
        ...known,
        ...(unreachableMs === null ? {} : { unreachableMs }),
        ...(doubtedMs === null ? {} : { doubtedMs }),
        ...(busyFor === undefined ? {} : { busy: busyFor }),
      },
    ];
  });
}
