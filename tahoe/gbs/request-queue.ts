/**
 * The one queue of requests to peers: at most so many at once in all and at each peer, at most so many waiting for each. A peer's
 * requests start in their order; among peers the one that has waited for its turn the longest goes first, so that a slow peer
 * holds up nobody else.
 */
import { MeshwardError } from '#mesh/errors.ts';

export interface RequestQueueLimits {
  readonly maxRunning: number;
  readonly maxRunningPerPeer: number;
  readonly maxWaitingPerPeer: number;
}

interface Waiter {
  readonly start: () => void;
}

interface Line {
  running: number;
  /** In order of arrival; a Set so that one that gives up is removed at once. */
  readonly waiting: Set<Waiter>;
}

export class RequestQueue {
  readonly #limits: RequestQueueLimits;
  readonly #lines = new Map<string, Line>();
  /** Peers whose next request waits for nothing but room in all, the one in turn first. */
  readonly #ready = new Set<string>();
  #running = 0;

  constructor(limits: RequestQueueLimits) {
    this.#limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  isIdle(peer: string): boolean {
    return !this.#lines.has(peer);
  }

  /** Resolves when the request may start; the caller says with `release` that it is over. @throws MeshwardError `service-busy` */
  acquire(peer: string, signal?: AbortSignal): Promise<void> | undefined {
    signal?.throwIfAborted();
    const line = this.#lines.get(peer) ?? { running: 0, waiting: new Set() };
    const { maxRunning, maxRunningPerPeer, maxWaitingPerPeer } = this.#limits;
    if (line.waiting.size === 0 && line.running < maxRunningPerPeer && this.#running < maxRunning) {
      this.#lines.set(peer, line);
      this.#start(line);
      return undefined;
    }
    if (line.waiting.size >= maxWaitingPerPeer) throw tooMany(maxWaitingPerPeer);
    this.#lines.set(peer, line);
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        line.waiting.delete(waiter);
        this.#settle(peer, line);
        reject(signal?.reason as Error);
      };
      const waiter: Waiter = {
        start: () => {
          signal?.removeEventListener('abort', giveUp);
          resolve();
        },
      };
      line.waiting.add(waiter);
      signal?.addEventListener('abort', giveUp, { once: true });
      this.#settle(peer, line);
    });
  }

  release(peer: string): void {
    const line = this.#lines.get(peer) as Line;
    line.running--;
    this.#running--;
    this.#settle(peer, line);
    while (this.#running < this.#limits.maxRunning) {
      const [next] = this.#ready;
      if (next === undefined) return;
      // To the end of the turn, where it has more.
      this.#ready.delete(next);
      const ready = this.#lines.get(next) as Line;
      const [waiter] = ready.waiting;
      ready.waiting.delete(waiter as Waiter);
      this.#start(ready);
      this.#settle(next, ready);
      waiter?.start();
    }
  }

  #start(line: Line): void {
    line.running++;
    this.#running++;
  }

  /** Notes whether the peer has something that could start, and forgets it where it has nothing at all. */
  #settle(peer: string, line: Line): void {
    const isReady = line.waiting.size > 0 && line.running < this.#limits.maxRunningPerPeer;
    if (!isReady) this.#ready.delete(peer);
    else this.#ready.add(peer);
    if (line.running === 0 && line.waiting.size === 0) this.#lines.delete(peer);
  }
}

export function tooMany(maxWaiting: number): MeshwardError {
  return new MeshwardError('service-busy', `${maxWaiting} requests to this peer are waiting already`, {
    next: 'Nothing needs doing: the caller tries again. If it stays so, the peer is slow: see by its latency, or raise the limit of requests at once.',
    retryable: true,
  });
}
