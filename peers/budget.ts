/**
 * How much may move a second: bytes and requests, in all, for each peer and for each domain, as a source and as a target. Token
 * buckets that may run into debt, so that a request of any size is let through in its turn, and bursts are one second's worth.
 */
import type { RateName, Rates } from '#mesh/campaigns/limits.ts';
import { type Clock, sleep } from '#mesh/clock.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { Domains } from '#mesh/peer-state.ts';
import { TokenBucket, TokenBuckets } from '#mesh/token-bucket.ts';

/** Most bytes a second, read and written: in all, for each peer and for each domain. 0 is unlimited, and what is left out too. */
export interface BudgetRates {
  readonly bytesPerSecond: number;
  /** As a source, and as a target. */
  readonly peerBytesPerSecond?: number;
  readonly domainBytesPerSecond?: number;
}

export interface BudgetRequest {
  readonly bytes: number;
  readonly peerId: PeerId;
  readonly domains: Domains;
  /** What the peer is: read from, written to, or only asked. @default source */
  readonly as?: 'source' | 'target' | 'asked';
  /** Critical repairs do not wait; what they move is on the account of the others all the same. */
  readonly urgent: boolean;
  readonly signal?: AbortSignal;
}

export interface BudgetUse {
  readonly bytesPerSecond: number;
  readonly requestsPerSecond: number;
}

export interface Budget {
  /** Resolves when the bytes may move. Rejects with the signal's reason; then nothing was spent. */
  spend(request: BudgetRequest): Promise<void>;
  /** Holds from now on; who waits under the old ones waits no more. */
  setRates(rates: Rates): void;
  readonly rates: Rates;
  /** Of the last seconds. */
  used(): BudgetUse;
}

/** Peers, and domains, whose account is kept. */
const maxNames = 20_000;
const useSpanMs = 10_000;

export function createBudget(configured: BudgetRates, clock: Clock): Budget {
  const { bytesPerSecond, peerBytesPerSecond = 0, domainBytesPerSecond = 0 } = configured;
  let rates: Rates = {
    bytes: bytesPerSecond,
    requests: 0,
    peerReadBytes: peerBytesPerSecond,
    peerWriteBytes: peerBytesPerSecond,
    peerRequests: 0,
    domainReadBytes: domainBytesPerSecond,
    domainWriteBytes: domainBytesPerSecond,
    domainRequests: 0,
  };
  let buckets = bucketsOf(rates, clock);
  let changed = new AbortController();
  const use = new UseMeter(clock);

  return {
    get rates() {
      return rates;
    },
    setRates(next) {
      if (JSON.stringify(next) === JSON.stringify(rates)) return;
      rates = next;
      buckets = bucketsOf(rates, clock);
      changed.abort();
      changed = new AbortController();
    },
    used: () => use.now(),
    async spend({ bytes, peerId, domains, as = 'source', urgent, signal }) {
      use.add(bytes);
      const taken = takenFrom(buckets, peerId, domains, as).map(({ bucket, of }) => {
        const amount = of === 'bytes' ? bytes : 1;
        return { bucket, amount, waitMs: bucket.take(amount) };
      });
      const waitMs = Math.max(...taken.map((one) => one.waitMs));
      if (urgent || waitMs <= 0) return;
      const over = changed.signal;
      try {
        await sleep(clock, waitMs, signal === undefined ? over : AbortSignal.any([signal, over]));
      } catch (error) {
        if (over.aborted && signal?.aborted !== true) return;
        for (const { bucket, amount } of taken) bucket.giveBack(amount);
        throw error;
      }
    },
  };
}

type Buckets = Readonly<
  { all: TokenBucket; requests: TokenBucket } & Record<Exclude<RateName, 'bytes' | 'requests'>, TokenBuckets>
>;

function bucketsOf(rates: Rates, clock: Clock): Buckets {
  const rate = (name: RateName) => ({ perSecond: rates[name], burst: rates[name] });
  const each = (name: RateName): TokenBuckets => new TokenBuckets(rate(name), clock, maxNames);
  return {
    all: new TokenBucket(rate('bytes'), clock),
    requests: new TokenBucket(rate('requests'), clock),
    peerReadBytes: each('peerReadBytes'),
    peerWriteBytes: each('peerWriteBytes'),
    peerRequests: each('peerRequests'),
    domainReadBytes: each('domainReadBytes'),
    domainWriteBytes: each('domainWriteBytes'),
    domainRequests: each('domainRequests'),
  };
}

interface Taken {
  readonly bucket: TokenBucket;
  readonly of: 'bytes' | 'requests';
}

function takenFrom(buckets: Buckets, peerId: PeerId, domains: Domains, as: NonNullable<BudgetRequest['as']>): Taken[] {
  const names = Object.entries(domains).map(([kind, value]) => `${kind}=${value}`);
  const bytes = (bucket: TokenBucket): Taken => ({ bucket, of: 'bytes' });
  const requests = (bucket: TokenBucket): Taken => ({ bucket, of: 'requests' });
  const isSource = as === 'source';
  const ofPeer = isSource ? buckets.peerReadBytes : buckets.peerWriteBytes;
  const ofDomain = isSource ? buckets.domainReadBytes : buckets.domainWriteBytes;
  return [
    requests(buckets.requests),
    requests(buckets.peerRequests.of(peerId)),
    ...names.map((name) => requests(buckets.domainRequests.of(name))),
    ...(as === 'asked'
      ? []
      : [bytes(buckets.all), bytes(ofPeer.of(peerId)), ...names.map((name) => bytes(ofDomain.of(name)))]),
  ];
}

/** What was spent in the span before this one and in this one: enough to tell a rate that is never older than two spans. */
class UseMeter {
  readonly #clock: Clock;
  #sinceMs: number;
  #before = { bytes: 0, requests: 0, spanMs: 0 };
  #bytes = 0;
  #requests = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.monotonicMs();
  }

  add(bytes: number): void {
    this.#turn();
    this.#bytes += bytes;
    this.#requests++;
  }

  now(): BudgetUse {
    this.#turn();
    const seconds = (this.#before.spanMs + this.#clock.monotonicMs() - this.#sinceMs) / 1000;
    if (seconds <= 0) return { bytesPerSecond: 0, requestsPerSecond: 0 };
    return {
      bytesPerSecond: Math.round((this.#before.bytes + this.#bytes) / seconds),
      requestsPerSecond: Math.round(((this.#before.requests + this.#requests) / seconds) * 10) / 10,
    };
  }

  #turn(): void {
    const nowMs = this.#clock.monotonicMs();
    const elapsedMs = nowMs - this.#sinceMs;
    if (elapsedMs < useSpanMs) return;
    const isRecent = elapsedMs < 2 * useSpanMs;
    this.#before = isRecent
      ? { bytes: this.#bytes, requests: this.#requests, spanMs: elapsedMs }
      : { bytes: 0, requests: 0, spanMs: useSpanMs };
    this.#sinceMs = nowMs;
    this.#bytes = 0;
    this.#requests = 0;
  }
}
