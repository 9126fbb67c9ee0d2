/**
 * The trace of the batch that touched a file last, so that it goes on in the file's at-risk entry and in the repair that
 * follows from it. Only traces that are kept are noted, and of the files only the newest: a trace that is forgotten ends at the
 * analyzer, and costs nobody anything. Most are never asked for: which files a batch names is found out when somebody asks.
 */
import { type StorageIndex, storageIndexBytes, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { isKept, mostLinks } from '#mesh/traces.ts';

const maxFiles = 10_000;
const maxBytes = maxFiles * storageIndexBytes;
/** What becomes of a file later than this has another reason than the batch. */
const maxAgeMs = 60_000;

interface FileTrace {
  readonly traceparent: string;
  readonly atMs: number;
}

interface TracedBatch extends FileTrace {
  /** 16 bytes each. */
  readonly storageIndexes: Uint8Array;
}

export class FileTraces {
  readonly #traces = new Map<StorageIndex, FileTrace>();
  /** Batches since the last look; the newest last. */
  #unjudged: string[] = [];
  /** Not looked into yet. */
  #batches: TracedBatch[] = [];
  #batchBytes = 0;

  /** @param storageIndexes 16 × count bytes. @param atMs monotonic. */
  note(traceparent: string | undefined, storageIndexes: Uint8Array, atMs: number): void {
    if (storageIndexes.length === 0 || !isKept(traceparent)) return;
    this.#unjudged.push(traceparent);
    if (this.#unjudged.length > 2 * mostLinks) this.#unjudged = this.#unjudged.slice(-mostLinks);
    // A copy: the column is a part of a much larger piece of the log.
    const newest = storageIndexes.slice(Math.max(0, storageIndexes.length - maxBytes));
    this.#batches.push({ traceparent, storageIndexes: newest, atMs });
    this.#batchBytes += newest.length;
    if (this.#batchBytes > 2 * maxBytes) this.#forgetOldestBatches();
  }

  /** Of batches that no look has judged so far. */
  takeUnjudged(): readonly string[] {
    const taken = this.#unjudged;
    if (taken.length > 0) this.#unjudged = [];
    return taken;
  }

  /** The trace of the file's last change, where that is not long ago. @param nowMs monotonic. */
  of(file: StorageIndex, nowMs: number): string | undefined {
    if (this.#batches.length > 0) this.#lookIntoBatches();
    const found = this.#traces.get(file);
    return found !== undefined && nowMs - found.atMs <= maxAgeMs ? found.traceparent : undefined;
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
    for (const { traceparent, storageIndexes, atMs } of this.#batches) {
      for (let at = 0; at < storageIndexes.length; at += storageIndexBytes) {
        const file = storageIndexFromBytes(storageIndexes, at);
        this.#traces.delete(file);
        this.#traces.set(file, { traceparent, atMs });
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
