/** How much may be under way at once, in requests and in bytes of bodies: what bounds the memory of a collector. */
import { Refusal } from './answers.ts';

export interface AdmissionLimits {
  readonly maxRequests: number;
  readonly maxBodyBytes: number;
  /** Bodies up to this size (heartbeats) may use the last quarter of both limits: a flood of batches must not make peers look silent. */
  readonly smallBodyBytes: number;
  /** Requests of one caller at once: one that sends its bodies drop by drop must not hold everybody's places. @default no limit */
  readonly maxRequestsPerCaller?: number;
}

export interface Admitted {
  /** Gives the place back; a second call does nothing. */
  release(): void;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  #requests = 0;
  #bodyBytes = 0;
  readonly #requestsOfCaller = new Map<string, number>();

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get requests(): number {
    return this.#requests;
  }

  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** @throws Refusal `service-busy` where there is no place, `peer-limit` where the caller has its part of them. */
  admit(bodyBytes: number, caller = ''): Admitted {
    const { maxRequests, maxBodyBytes, smallBodyBytes, maxRequestsPerCaller } = this.#limits;
    const ofCaller = this.#requestsOfCaller.get(caller) ?? 0;
    if (ofCaller >= (maxRequestsPerCaller ?? Number.POSITIVE_INFINITY)) {
      throw new Refusal(429, 'peer-limit', 'this peer has as many posts under way as one peer may', {
        next: 'Send one post at a time, and the next one after the answer.',
        retryAfterMs: 1000,
      });
    }
    const share = bodyBytes <= smallBodyBytes ? 1 : 0.75;
    if (this.#requests + 1 > Math.max(1, maxRequests * share) || this.#bodyBytes + bodyBytes > maxBodyBytes * share) {
      throw new Refusal(503, 'service-busy', 'the collector has as many posts under way as it takes', {
        next: 'Send the same post again after the time that Retry-After names.',
        retryAfterMs: 1000,
      });
    }
    this.#requests += 1;
    this.#bodyBytes += bodyBytes;
    this.#requestsOfCaller.set(caller, ofCaller + 1);
    let released = false;
    return {
      release: () => {
        if (released) return;
        released = true;
        this.#requests -= 1;
        this.#bodyBytes -= bodyBytes;
        const left = (this.#requestsOfCaller.get(caller) ?? 1) - 1;
        if (left === 0) this.#requestsOfCaller.delete(caller);
        else this.#requestsOfCaller.set(caller, left);
      },
    };
  }
}
