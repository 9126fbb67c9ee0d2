/** At most so many at once, at most so many waiting: what keeps a client from queueing without end. */
import { MeshwardError } from '#mesh/errors.ts';

interface Waiter {
  readonly start: () => void;
}

export class RequestSlots {
  readonly #maxRunning: number;
  readonly #maxWaiting: number;
  /** Waiters in order of arrival; a Set so that one that gives up is removed at once. */
  readonly #waiting = new Set<Waiter>();
  #running = 0;

  constructor(maxRunning: number, maxWaiting: number) {
    this.#maxRunning = maxRunning;
    this.#maxWaiting = maxWaiting;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Resolves when there is a slot, which the caller gives back with `release`. @throws MeshwardError `service-busy` */
  acquire(signal?: AbortSignal): Promise<void> | undefined {
    signal?.throwIfAborted();
    if (this.#running < this.#maxRunning) {
      this.#running++;
      return undefined;
    }
    if (this.#waiting.size >= this.#maxWaiting) {
      throw new MeshwardError('service-busy', `${this.#maxWaiting} requests to peers are waiting already`, {
        next: 'Nothing needs doing: the caller tries again. If it stays so, peers are slow: see which by their latency, or raise the limit of requests at once.',
        retryable: true,
      });
    }
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.#waiting.delete(waiter);
        reject(signal?.reason as Error);
      };
      const waiter: Waiter = {
        start: () => {
          signal?.removeEventListener('abort', giveUp);
          resolve();
        },
      };
      this.#waiting.add(waiter);
      signal?.addEventListener('abort', giveUp, { once: true });
    });
  }

  release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#running--;
      return;
    }
    this.#waiting.delete(next);
    next.start(); // the slot passes on
  }
}
