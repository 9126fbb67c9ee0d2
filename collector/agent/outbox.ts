/**
 * Gathers what happened for a moment, so that a thousand changes become a batch and not a thousand; and for longer what says
 * only that all is as it was, so that a mesh at rest is one. Whatever is gathered goes together, in its order, with what is due
 * first. Holds changes back while an inventory is being written, so that nothing comes between its parts. Bounded: producers wait
 * for {@link Outbox.room}; those that cannot wait overflow it, and then an inventory is owed.
 */

import type { Clock } from '#mesh/clock.ts';
import { maxEventsPerBatch, maxManifestsPerBatch } from '#mesh/limits.ts';
import type { Logger } from '#mesh/logger.ts';
import type { Manifest } from '#mesh/manifest.ts';
import type { BatchSink } from './batch-writer.ts';
import { type EventSink, kindOfChange, type ShareChange, type Urgency } from './events.ts';

export interface OutboxOptions {
  readonly batches: Pick<BatchSink, 'append'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long changes are gathered. @default 50 */
  readonly gatherMs?: number;
  /** How long changes are gathered that are told later. @default {@link defaultLaterMs} */
  readonly laterMs?: number;
  /** @default as the collector allows */
  readonly eventsPerBatch?: number;
  readonly manifestsPerBatch?: number;
  readonly onEvent?: (change: ShareChange) => void;
  readonly onOverflow: () => void;
}

/** Most events held, in batches. */
const heldBatches = 4;
const defaultGatherMs = 50;
/** What is lost with the process is said again by the next round of the verifier. */
export const defaultLaterMs = 30_000;

export class Outbox implements EventSink {
  readonly #options: OutboxOptions;
  readonly #eventsPerBatch: number;
  readonly #manifestsPerBatch: number;
  #storageIndexes: Uint8Array;
  #numbers: Uint8Array;
  #kinds: Uint8Array;
  #count = 0;
  #manifests: Manifest[] = [];
  #callOff: (() => void) | null = null;
  /** When what is gathered goes, in the clock's monotonic time. */
  #dueAtMs = Number.POSITIVE_INFINITY;
  #flushing: Promise<void> = Promise.resolve();
  #isFlushing = false;
  #waiting: (() => void)[] = [];

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#eventsPerBatch = options.eventsPerBatch ?? maxEventsPerBatch;
    this.#manifestsPerBatch = options.manifestsPerBatch ?? maxManifestsPerBatch;
    this.#storageIndexes = new Uint8Array(0);
    this.#numbers = new Uint8Array(0);
    this.#kinds = new Uint8Array(0);
  }

  get isEmpty(): boolean {
    return this.#count === 0 && this.#manifests.length === 0 && !this.#isFlushing;
  }

  share(storageIndex: Uint8Array, shareNumber: number, change: ShareChange, urgency: Urgency = 'soon'): void {
    this.#options.onEvent?.(change);
    if (this.#count === this.#eventsPerBatch * heldBatches) {
      this.#count = 0;
      this.#manifests = [];
      this.#options.log.warn({}, 'changes came faster than they could be written; the next inventory will name them');
      this.#options.onOverflow();
      return;
    }
    if (this.#count === this.#numbers.length) this.#grow();
    this.#storageIndexes.set(storageIndex.subarray(0, 16), this.#count * 16);
    this.#numbers[this.#count] = shareNumber;
    this.#kinds[this.#count] = kindOfChange[change];
    this.#count++;
    this.#flushWithin(this.#count >= this.#eventsPerBatch ? 0 : this.#delayMs(urgency));
  }

  manifest(manifest: Manifest): void {
    if (this.#manifests.length >= this.#manifestsPerBatch * heldBatches) {
      this.#options.onOverflow();
      return;
    }
    this.#manifests.push(manifest);
    this.#flushWithin(this.#manifests.length >= this.#manifestsPerBatch ? 0 : this.#delayMs('soon'));
  }

  async room(): Promise<void> {
    while (this.#count >= this.#eventsPerBatch * 2 || this.#manifests.length >= this.#manifestsPerBatch * 2) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Resolves when everything said so far is in the spool. */
  flush(): Promise<void> {
    this.stop();
    return this.#run(() => this.#write());
  }

  /** Runs `write` with everything said before in the spool, and nothing said meanwhile. */
  hold<T>(write: () => Promise<T>): Promise<T> {
    return this.#run(async () => {
      await this.#write();
      return write();
    });
  }

  stop(): void {
    this.#callOff?.();
    this.#callOff = null;
    this.#dueAtMs = Number.POSITIVE_INFINITY;
  }

  #delayMs(urgency: Urgency): number {
    const { gatherMs = defaultGatherMs, laterMs = defaultLaterMs } = this.#options;
    return urgency === 'soon' ? gatherMs : laterMs;
  }

  #flushWithin(delayMs: number): void {
    const { clock, log, onOverflow } = this.#options;
    const dueAtMs = clock.monotonicMs() + delayMs;
    if (dueAtMs >= this.#dueAtMs) return;
    this.stop();
    if (delayMs === 0 && this.#isFlushing) return; // what runs takes it along
    const run = (): void => {
      this.flush().catch((error: unknown) => {
        log.error({ error: String(error) }, 'changes could not be written to the spool');
        onOverflow();
      });
    };
    if (delayMs === 0) return run();
    this.#dueAtMs = dueAtMs;
    this.#callOff = clock.after(delayMs, run);
  }

  #run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#flushing.then(async () => {
      this.#isFlushing = true;
      try {
        return await work();
      } finally {
        this.#isFlushing = false;
      }
    });
    this.#flushing = result.then(
      () => this.#afterFlush(),
      () => this.#afterFlush(),
    );
    return result;
  }

  /** A full batch may have gathered while an inventory was written. */
  #afterFlush(): void {
    this.#wake();
    if (this.#count > 0 || this.#manifests.length > 0) this.#flushWithin(this.#delayMs('soon'));
  }

  async #write(): Promise<void> {
    while (this.#count > 0 || this.#manifests.length > 0) {
      const count = Math.min(this.#count, this.#eventsPerBatch);
      const columns = {
        storageIndexes: this.#storageIndexes.slice(0, count * 16),
        shareNumbers: this.#numbers.slice(0, count),
        kinds: this.#kinds.slice(0, count),
      };
      this.#storageIndexes.copyWithin(0, count * 16, this.#count * 16);
      this.#numbers.copyWithin(0, count, this.#count);
      this.#kinds.copyWithin(0, count, this.#count);
      this.#count -= count;
      if (this.#count === 0) this.#shrink();
      const manifests = this.#manifests.splice(0, this.#manifestsPerBatch);
      this.#wake();
      await this.#options.batches.append(columns, manifests);
    }
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #grow(): void {
    const capacity = Math.min(this.#eventsPerBatch * heldBatches, Math.max(256, this.#numbers.length * 2));
    const resized = (from: Uint8Array, length: number): Uint8Array => {
      const to = new Uint8Array(length);
      to.set(from);
      return to;
    };
    this.#storageIndexes = resized(this.#storageIndexes, capacity * 16);
    this.#numbers = resized(this.#numbers, capacity);
    this.#kinds = resized(this.#kinds, capacity);
  }

  /** A burst must not keep its memory for good. */
  #shrink(): void {
    if (this.#numbers.length <= 4096) return;
    this.#storageIndexes = new Uint8Array(0);
    this.#numbers = new Uint8Array(0);
    this.#kinds = new Uint8Array(0);
  }
}
