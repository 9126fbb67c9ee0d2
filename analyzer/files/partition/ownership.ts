/**
 * Whether a partition is still this analyzer's. A process that was paused does not know that others have gone on: it asks before it
 * writes what only an owner may, and again when that is sent.
 */
import type { AssignedPartition } from '#log/port.ts';
import type { Clock } from '#mesh/clock.ts';
import { hasCode, isRetryable } from '#mesh/errors.ts';
import type { WriteGuard } from '#store/write-batch.ts';
import type { OwnedPartition } from './owned-partition.ts';

export interface Committing {
  commit(partition: AssignedPartition, nextOffset: number): Promise<void>;
}

/** For so long an answer is believed: less than any session timeout. */
const believedMs = 2000;

export class Ownership implements WriteGuard {
  readonly #owned: Pick<OwnedPartition, 'assigned' | 'committedOffset'>;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #group: Committing;
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(
    owned: Pick<OwnedPartition, 'assigned' | 'committedOffset'>,
    clock: Pick<Clock, 'monotonicMs'>,
    group: Committing,
  ) {
    this.#owned = owned;
    this.#clock = clock;
    this.#group = group;
  }

  /** Whether the last answer was yes, and is to be believed still. */
  get isFresh(): boolean {
    return this.#clock.monotonicMs() - this.#askedMs < believedMs;
  }

  /** By the last answer, or by another one where that is too old. @throws as `ask`. */
  async holds(): Promise<boolean> {
    return this.isFresh || this.ask();
  }

  /** Committing again what is committed changes nothing, and a partition that has moved refuses it. @throws what committing throws for good. */
  async ask(): Promise<boolean> {
    const askedMs = this.#clock.monotonicMs();
    const isOurs = await this.#commitAgain();
    this.#askedMs = isOurs ? askedMs : Number.NEGATIVE_INFINITY;
    return isOurs;
  }

  async #commitAgain(): Promise<boolean> {
    const { assigned, committedOffset } = this.#owned;
    // What was never committed cannot be committed again: the first flush goes on without.
    if (committedOffset === null) return true;
    try {
      await this.#group.commit(assigned, committedOffset);
      return true;
    } catch (error) {
      if (hasCode(error, 'log-fenced')) return false;
      if (!isRetryable(error)) throw error;
      // While the log does not answer, nobody else can take the partition.
      return true;
    }
  }
}
