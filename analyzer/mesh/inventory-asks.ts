/**
 * Which peers are to be asked for an inventory, since records of theirs left the log unread. Analyzers name them in their reports, and
 * collectors ask: each peer once, and again only where nothing came of it for long.
 */
import type { PeerId } from '#mesh/peer-id.ts';
import { isAvailableState } from '#mesh/peer-state.ts';
import type { PeerFacts } from '#peers/liveness/peer-register.ts';

export interface InventoryAsk {
  readonly peer: PeerId;
  /** The peer's last request, and one. */
  readonly request: number;
}

/** A large folder takes its time to be listed, and the log its time to take the list. */
export const askAgainMs = 30 * 60_000;
/** In one report: those that were asked leave it, and others come in. */
export const asksOfReport = 500;

interface Asked {
  readonly request: number;
  readonly sinceMs: number;
}

type Known = Pick<PeerFacts, 'state' | 'inventoryRequest'>;

export class InventoryAsks {
  #asked = new Map<PeerId, Asked>();

  /**
   * @param now monotonic time in milliseconds.
   * @returns those that collectors have not granted yet. A peer that is away is left out: it takes an inventory when it starts.
   */
  open(owing: readonly PeerId[], find: (peer: PeerId) => Known | undefined, now: number): readonly InventoryAsk[] {
    const before = this.#asked;
    this.#asked = new Map();
    const open: InventoryAsk[] = [];
    for (const peer of owing) {
      const known = find(peer);
      const earlier = before.get(peer);
      if (known === undefined || !isAvailableState(known.state)) {
        if (earlier !== undefined) this.#asked.set(peer, earlier);
        continue;
      }
      const isFresh = earlier === undefined || now - earlier.sinceMs >= askAgainMs;
      const asked = isFresh ? { request: known.inventoryRequest + 1, sinceMs: now } : earlier;
      this.#asked.set(peer, asked);
      if (known.inventoryRequest < asked.request && open.length < asksOfReport)
        open.push({ peer, request: asked.request });
    }
    return open;
  }
}
