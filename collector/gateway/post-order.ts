/**
 * The order of each peer's posts: one at a time, and none twice that this gateway has seen through.
 *
 * A peer numbers its batches and its events (two lanes) and sends the next one only after the last one was acknowledged.
 * So a post at or below the highest one acknowledged here is in the log already, and needs no second record. What this
 * gateway does not know (it started anew, or another one took the post) is appended again: analyzers drop it by its order.
 */
import { compareOrder, type EventOrder } from '#mesh/incarnation.ts';
import { Refusal } from './answers.ts';

interface Lane {
  /** Resolves when the post under way is done with; null where there is none. */
  busy: Promise<void> | null;
  waiting: number;
  acknowledged: EventOrder | null;
}

/** How many posts of a lane may wait for the one under way: a retry after the peer's own timeout, and no more. */
const maxWaiting = 1;

export class PostOrder {
  readonly #lanes = new Map<string, Lane>();
  readonly #maxLanes: number;

  constructor(maxLanes: number) {
    this.#maxLanes = maxLanes;
  }

  get size(): number {
    return this.#lanes.size;
  }

  /**
   * Runs `append` when its turn has come; remembers `order` once it has resolved.
   * @returns whether the post was known already, in which case `append` was not run.
   * @throws Refusal `peer-limit` where the lane has posts waiting already.
   */
  async run(key: string, order: EventOrder, append: () => Promise<void>): Promise<{ duplicate: boolean }> {
    const lane = this.#lane(key);
    // Again after each wait: another post may have come between the end of the last one and this one's turn.
    while (lane.busy !== null) await waitForTurn(lane);
    if (lane.acknowledged !== null && compareOrder(order, lane.acknowledged) <= 0) return { duplicate: true };
    const done = Promise.withResolvers<void>();
    lane.busy = done.promise;
    try {
      await append();
      lane.acknowledged = order;
      return { duplicate: false };
    } finally {
      lane.busy = null;
      done.resolve();
    }
  }

  #lane(key: string): Lane {
    const lane = this.#lanes.get(key) ?? { busy: null, waiting: 0, acknowledged: null };
    this.#lanes.delete(key);
    this.#lanes.set(key, lane);
    if (this.#lanes.size > this.#maxLanes) this.#evictIdle(lane);
    return lane;
  }

  /** Forgets the lane that was idle longest. Lanes in use are bounded by the posts under way, so the search is short. */
  #evictIdle(exempt: Lane): void {
    for (const [key, lane] of this.#lanes) {
      if (lane === exempt || lane.busy !== null || lane.waiting > 0) continue;
      this.#lanes.delete(key);
      return;
    }
  }
}

async function waitForTurn(lane: Lane): Promise<void> {
  if (lane.waiting >= maxWaiting) {
    throw new Refusal(429, 'peer-limit', 'an earlier post of this peer is still under way, and one waits for it', {
      next: 'Send one post at a time, and the next one after the answer.',
      retryAfterMs: 1000,
    });
  }
  lane.waiting += 1;
  try {
    while (lane.busy !== null) await lane.busy;
  } finally {
    lane.waiting -= 1;
  }
}
