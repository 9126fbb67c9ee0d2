/**
 * The trace of the batch that touched a file last, so that it goes on in the file's at-risk entry and in the repair that
 * follows from it. Only traces that are kept are noted, and of the files only the newest: a trace that is forgotten ends at the
 * analyzer, and costs nobody anything. Most are never asked for: which files a batch names is found out when somebody asks.
 */
import { type StorageIndex, storageIndexBytes, storageIndexFromBytes } from '#mesh/storage-index.ts';

const maxFiles = 10_000;
const maxBytes = maxFiles * storageIndexBytes;
/** The flags of a W3C trace context whose trace is recorded. */
const sampled = /-01$/;

interface TracedBatch {
  readonly traceparent: string;
  /** 16 bytes each. */
  readonly storageIndexes: Uint8Array;
}

export class FileTraces {
  readonly #traces = new Map<StorageIndex, string>();
  /** Not looked into yet. */
  #batches: TracedBatch[] = [];
  #batchBytes = 0;

  /** @param storageIndexes 16 × count bytes. */
  note(traceparent: string | undefined, storageIndexes: Uint8Array): void {
    if (traceparent === undefined || storageIndexes.length === 0 || !sampled.test(traceparent)) return;
    // A copy: the column is a part of a much larger piece of the log.
    const newest = storageIndexes.slice(Math.max(0, storageIndexes.length - maxBytes));
    this.#batches.push({ traceparent, storageIndexes: newest });
    this.#batchBytes += newest.length;
    if (this.#batchBytes > 2 * maxBytes) this.#forgetOldestBatches();
  }

  /** Headers for a record that is written because of the file's last change. */
  headersOf(file: StorageIndex): Readonly<Record<string, string>> {
    if (this.#batches.length > 0) this.#lookIntoBatches();
    const traceparent = this.#traces.get(file);
    return traceparent === undefined ? {} : { traceparent };
  }

  /** Leaves those that name the newest files, and no fewer than are kept. */
  #forgetOldestBatches(): void {
    let first = 0;
    for (; this.#batchBytes > maxBytes; first++) {
      const { length } = (this.#batches[first] as TracedBatch).storageIndexes;
      if (this.#batchBytes - length < maxBytes) break;
      this.#batchBytes -= length;
    }
    this.#batches = this.#batches.slice(first);
  }

  #lookIntoBatches(): void {
    for (const { traceparent, storageIndexes } of this.#batches) {
      for (let at = 0; at < storageIndexes.length; at += storageIndexBytes) {
        const file = storageIndexFromBytes(storageIndexes, at);
        this.#traces.delete(file);
        this.#traces.set(file, traceparent);
      }
    }
    this.#batches = [];
    this.#batchBytes = 0;
    for (const file of this.#traces.keys()) {
      if (this.#traces.size <= maxFiles) break;
      this.#traces.delete(file);
    }
  }
}
