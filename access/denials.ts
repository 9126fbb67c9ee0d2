/** Who was denied what: counted, logged, and the newest kept in memory for those who may look. Never what was shown as a secret. */
import type { Meter } from '@opentelemetry/api';
import type { Clock } from '#mesh/clock.ts';
import type { Logger } from '#mesh/logger.ts';
import { TokenBucket } from '#mesh/token-bucket.ts';

export const denialReasons = [
  'no-credential',
  'malformed-token',
  'unknown-token',
  'expired-token',
  'revoked-token',
  'unknown-session',
  'expired-session',
  'foreign-origin',
  'no-group',
  'role',
  'rate',
] as const;

export type DenialReason = (typeof denialReasons)[number];

export interface Denial {
  readonly atMs: number;
  readonly reason: DenialReason;
  /** From which the connection came. */
  readonly address: string;
  readonly method: string;
  /** As it was written in the code, such as `/v1/files/:storageIndex`: what callers write into addresses stays out. */
  readonly route: string;
  /** Who it was, where that is known. */
  readonly caller: string | null;
}

const maxKept = 1000;
/** A flood of denials must not fill the log; what is left out is counted, and said with the next line. */
const linesPerSecond = { perSecond: 10, burst: 100 };

export class Denials {
  readonly #kept: Denial[] = [];
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #lines: TokenBucket;
  readonly #count: (reason: DenialReason) => void;
  #linesLeftOut = 0;

  constructor(clock: Clock, logger: Logger, meter: Meter) {
    this.#clock = clock;
    this.#logger = logger;
    this.#lines = new TokenBucket(linesPerSecond, clock);
    const counter = meter.createCounter('meshward_access_denials', {
      description: 'Requests over HTTP that were denied, by reason.',
    });
    for (const reason of denialReasons) counter.add(0, { reason });
    this.#count = (reason) => counter.add(1, { reason });
  }

  add(said: Omit<Denial, 'atMs'>): void {
    const denial = { atMs: this.#clock.nowMs(), ...said };
    this.#count(denial.reason);
    this.#kept.push(denial);
    if (this.#kept.length > maxKept) this.#kept.shift();
    if (this.#lines.tryTake(1) > 0) {
      this.#linesLeftOut += 1;
      return;
    }
    this.#logger.warn({ ...denial, linesLeftOut: this.#linesLeftOut }, 'access was denied');
    this.#linesLeftOut = 0;
  }

  /** Newest first. */
  newest(limit: number): readonly Denial[] {
    return this.#kept.slice(-limit).reverse();
  }
}
