/**
 * How many bytes a second may move: in all, for each peer and for each domain. Token buckets that may run into debt, so that
 * a request of any size is let through in its turn, and bursts are one second's worth.
 */
import { type Clock, sleep } from '#mesh/clock.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { Domains } from '#mesh/peer-state.ts';

export interface BudgetOptions {
  /** 0 is unlimited, for each of the three. */
  readonly bytesPerSecond: number;
  readonly peerBytesPerSecond?: number;
  readonly domainBytesPerSecond?: number;
  readonly clock: Clock;
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

export function createBudget(options: BudgetOptions): Budget {
  const { clock } = options;
  const all = new Bucket(options.bytesPerSecond);
  const ofPeers = new BucketMap(options.peerBytesPerSecond ?? 0);
  const ofDomains = new BucketMap(options.domainBytesPerSecond ?? 0);

  return {
    async spend({ bytes, peerId, domains, urgent, signal }) {
      const nowMs = clock.monotonicMs();
      const buckets = [
        all,
        ...ofPeers.of([peerId], nowMs),
        ...ofDomains.of(
          Object.entries(domains).map(([kind, value]) => `${kind}=${value}`),
          nowMs,
        ),
      ];
      let waitMs = 0;
      for (const bucket of buckets) waitMs = Math.max(waitMs, bucket.take(bytes, nowMs));
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

class Bucket {
  readonly #bytesPerSecond: number;
  #level: number;
  #filledAtMs: number | undefined;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#level = bytesPerSecond;
  }

  /** Takes the bytes, into debt where need be; how long until the debt is paid. */
  take(bytes: number, nowMs: number): number {
    if (this.#bytesPerSecond === 0) return 0;
    this.#fill(nowMs);
    this.#level -= bytes;
    return this.#level >= 0 ? 0 : (-this.#level * 1000) / this.#bytesPerSecond;
  }

  giveBack(bytes: number): void {
    this.#level = Math.min(this.#bytesPerSecond, this.#level + bytes);
  }

  isFull(nowMs: number): boolean {
    this.#fill(nowMs);
    return this.#level >= this.#bytesPerSecond;
  }

  #fill(nowMs: number): void {
    const elapsedMs = nowMs - (this.#filledAtMs ?? nowMs);
    this.#filledAtMs = nowMs;
    this.#level = Math.min(this.#bytesPerSecond, this.#level + (elapsedMs * this.#bytesPerSecond) / 1000);
  }
}

/** Buckets by name; a full one says nothing, so full ones are forgotten when there are many. */
class BucketMap {
  readonly #bytesPerSecond: number;
  readonly #buckets = new Map<string, Bucket>();
  #sweepAtSize = 1024;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  of(names: readonly string[], nowMs: number): Bucket[] {
    if (this.#bytesPerSecond === 0) return [];
    if (this.#buckets.size >= this.#sweepAtSize) this.#forgetFull(nowMs);
    return names.map((name) => {
      const bucket = this.#buckets.get(name) ?? new Bucket(this.#bytesPerSecond);
      this.#buckets.set(name, bucket);
      return bucket;
    });
  }

  #forgetFull(nowMs: number): void {
    for (const [name, bucket] of this.#buckets) if (bucket.isFull(nowMs)) this.#buckets.delete(name);
    this.#sweepAtSize = Math.max(1024, this.#buckets.size * 2);
  }
}
