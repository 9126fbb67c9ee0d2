/** What the analyzer holds of the peers, as the repairer sees it: refreshed now and then, never older than it says. */
import type { Clock } from '#mesh/clock.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { type Domains, isWritableState, type PeerState } from '#mesh/peer-state.ts';
import { buildPlacementField, type PlacementField } from './placement-field.ts';

export interface PeerFact {
  readonly peerId: PeerId;
  readonly state: PeerState;
  /** What the peer can still take, in bytes. */
  readonly freeBytes: number;
  readonly domains: Domains;
  /** Since when the peer is in this state, where that is known. */
  readonly stateSinceMs?: number;
}

export interface PeerView {
  /** Undefined for a peer that is not known. */
  fact(peerId: PeerId): PeerFact | undefined;
  facts(): readonly PeerFact[];
  /** Every peer that a repair may write to, prepared for choosing targets. */
  writable(): PlacementField;
  /** When the facts were read; undefined before the first time. */
  readonly refreshedAtMs: number | undefined;
  /** Reads anew when the facts are older than `refreshMs`; keeps the old ones and throws where reading fails. */
  refresh(): Promise<void>;
}

export interface PeerViewOptions {
  /** Reads the facts of every peer, from the analyzer's API or the database. */
  readonly fetchPeers: () => Promise<readonly PeerFact[]>;
  readonly clock: Clock;
  /** Age at which facts are read again. */
  readonly refreshMs: number;
}

export function createPeerView(options: PeerViewOptions): PeerView {
  let facts: readonly PeerFact[] = [];
  let byId = new Map<PeerId, PeerFact>();
  let field = buildPlacementField([]);
  let refreshedAtMs: number | undefined;
  let running: Promise<void> | undefined;

  async function read(): Promise<void> {
    facts = await options.fetchPeers();
    byId = new Map(facts.map((fact) => [fact.peerId, fact]));
    field = buildPlacementField(facts.filter((fact) => isWritableState(fact.state)));
    refreshedAtMs = options.clock.nowMs();
  }

  return {
    fact: (peerId) => byId.get(peerId),
    facts: () => facts,
    writable: () => field,
    get refreshedAtMs() {
      return refreshedAtMs;
    },
    async refresh() {
      if (refreshedAtMs !== undefined && options.clock.nowMs() - refreshedAtMs < options.refreshMs) return;
      running ??= read().finally(() => {
        running = undefined;
      });
      await running;
    },
  };
}
