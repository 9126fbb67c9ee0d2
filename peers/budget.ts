/**
 * How many bytes a second may move: in all, for each peer and for each domain. Token buckets that may run into debt, so that
 * a request of any size is let through in its turn, and bursts are one second's worth.
 */

import { type Clock, sleep } from '#mesh/clock.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { Domains } from '#mesh/peer-state.ts';
import { type Rate, TokenBucket, TokenBuckets } from '#mesh/token-bucket.ts';

/** Most bytes a second, read and written: in all, for each peer and for each domain. 0 is unlimited, and what is left out too. */
export interface BudgetRates {
  readonly bytesPerSecond: number;
  readonly peerBytesPerSecond?: number;
  readonly domainBytesPerSecond?: number;
}

export interface BudgetRequest {
  readonly bytes: number;
  readonly peerId: PeerId;
  readonly domains: Domains;
  /** Critical repairs do not wait; what they move is on the account of the others all the same. */
  readonly urgent: boolean;
  readonly signal?: AbortSignal;
}

export interface Budget {
  /** Resolves when the bytes may move. Rejects with the signal's reason; then nothing was spent. */
  spend(request: BudgetRequest): Promise<void>;
}

/** Peers, and domains, whose account is kept. */
const maxNames = 20_000;

export function createBudget(rates: BudgetRates, clock: Clock): Budget {
  const all = new TokenBucket(secondOf(rates.bytesPerSecond), clock);
  const ofPeers = new TokenBuckets(secondOf(rates.peerBytesPerSecond), clock, maxNames);
  const ofDomains = new TokenBuckets(secondOf(rates.domainBytesPerSecond), clock, maxNames);

  return {
    async spend({ bytes, peerId, domains, urgent, signal }) {
      const buckets = [
        all,
        ofPeers.of(peerId),
        ...Object.entries(domains).map(([kind, value]) => ofDomains.of(`${kind}=${value}`)),
      ];
      const waitMs = Math.max(...buckets.map((bucket) => bucket.take(bytes)));
      if (urgent || waitMs <= 0) return;
      try {
        await sleep(clock, waitMs, signal);
      } catch (error) {
        for (const bucket of buckets) bucket.giveBack(bytes);
        throw error;
      }
    },
  };
}

function secondOf(bytesPerSecond = 0): Rate {
  return { perSecond: bytesPerSecond, burst: bytesPerSecond };
}
