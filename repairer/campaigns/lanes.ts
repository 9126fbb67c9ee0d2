/** The lanes of campaigns: so many files at once, each begun only when nothing more urgent waits. */
import type { CampaignPriority } from '#mesh/campaigns/definition.ts';
import { type Clock, sleep } from '#mesh/clock.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';

export interface CampaignLanesOptions {
  readonly lanes: number;
  readonly clock: Clock;
  readonly holdReason: (priority: CampaignPriority) => string;
  /** The file is being repaired for another reason. */
  readonly isRepairing: (storageIndex: StorageIndex) => boolean;
}

export interface LaneWait {
  readonly storageIndex: StorageIndex;
  readonly priority: CampaignPriority;
  readonly signal: AbortSignal;
  /** Told why it waits, each time that changes; empty when it waits no more. */
  readonly onWait: (reason: string) => void;
}

const lookEveryMs = 200;

export class CampaignLanes {
  readonly #options: CampaignLanesOptions;
  readonly #files = new Set<StorageIndex>();
  readonly #waiting = new Set<() => void>();

  constructor(options: CampaignLanesOptions) {
    this.#options = options;
  }

  /** Files that campaigns work on at this moment: nobody else is to begin with one. */
  has(storageIndex: StorageIndex): boolean {
    return this.#files.has(storageIndex);
  }

  get size(): number {
    return this.#files.size;
  }

  /** Runs when there is a lane. @throws the signal's reason where that comes first, and what `run` throws. */
  async within<T>(wait: LaneWait, run: () => Promise<T>): Promise<T> {
    const { lanes, clock, holdReason, isRepairing } = this.#options;
    const { storageIndex, priority, signal, onWait } = wait;
    for (;;) {
      signal.throwIfAborted();
      const held = holdReason(priority);
      const isBusy = this.#files.has(storageIndex) || isRepairing(storageIndex);
      if (held === '' && !isBusy && this.#files.size < lanes) break;
      onWait(held);
      await this.#lookAgain(clock, signal);
    }
    onWait('');
    this.#files.add(storageIndex);
    try {
      return await run();
    } finally {
      this.#files.delete(storageIndex);
      const waiting = [...this.#waiting];
      this.#waiting.clear();
      for (const wake of waiting) wake();
    }
  }

  /** When a lane has become free, or after a while: what holds campaigns back does not say when it ends. */
  async #lookAgain(clock: Clock, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    this.#waiting.add(wake);
    try {
      await sleep(clock, lookEveryMs, AbortSignal.any([signal, woken.signal]));
    } catch {
      signal.throwIfAborted();
    } finally {
      this.#waiting.delete(wake);
    }
  }
}
