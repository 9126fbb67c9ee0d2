/** How much may be under way at once, in requests and in bytes of bodies: what bounds the memory of a collector. */
import { Refusal } from './answers.ts';

export interface AdmissionLimits {
  readonly maxRequests: number;
  readonly maxBodyBytes: number;
  /** Bodies up to this size (heartbeats) may use the last quarter of both limits: a flood of batches must not make peers look silent. */
  readonly smallBodyBytes: number;
}

export interface Admitted {
  /** Gives the place back; a second call does nothing. */
  release(): void;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  #requests = 0;
  #bodyBytes = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get requests(): number {
    return this.#requests;
  }

  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** @throws Refusal `service-busy` where there is no place. */
  admit(bodyBytes: number): Admitted {
    const { maxRequests, maxBodyBytes, smallBodyBytes } = this.#limits;
    const share = bodyBytes <= smallBodyBytes ? 1 : 0.75;
    if (this.#requests + 1 > Math.max(1, maxRequests * share) || this.#bodyBytes + bodyBytes > maxBodyBytes * share) {
      throw new Refusal(503, 'service-busy', 'the collector has as many posts under way as it takes', {
        next: 'Send the same post again after the time that Retry-After names.',
        retryAfterMs: 1000,
      });
    }
    this.#requests += 1;
    this.#bodyBytes += bodyBytes;
    let released = false;
    return {
      release: () => {
        if (released) return;
        released = true;
        this.#requests -= 1;
        this.#bodyBytes -= bodyBytes;
      },
    };
  }
}
