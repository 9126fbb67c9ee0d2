/**
 * The trace of the batch that touched a file last, so that it goes on in the file's at-risk entry and in the repair that
 * follows from it. Only traces that are kept are noted, and of the files only the newest: a trace that is forgotten ends at the
 * analyzer, and costs nobody anything.
 */
import { type StorageIndex, storageIndexBytes, storageIndexFromBytes } from '#mesh/storage-index.ts';

const maxFiles = 10_000;
/** The flags of a W3C trace context whose trace is recorded. */
const sampled = /-01$/;

export class FileTraces {
  readonly #traces = new Map<StorageIndex, string>();

  /** @param storageIndexes 16 × count bytes. */
  note(traceparent: string | undefined, storageIndexes: Uint8Array): void {
    if (traceparent === undefined || !sampled.test(traceparent)) return;
    const first = Math.max(0, storageIndexes.length - maxFiles * storageIndexBytes);
    for (let i = first; i < storageIndexes.length; i += storageIndexBytes) {
      const file = storageIndexFromBytes(storageIndexes, i);
      this.#traces.delete(file);
      this.#traces.set(file, traceparent);
    }
    for (const file of this.#traces.keys()) {
      if (this.#traces.size <= maxFiles) break;
      this.#traces.delete(file);
    }
  }

  /** Headers for a record that is written because of the file's last change. */
  headersOf(file: StorageIndex): Readonly<Record<string, string>> {
    const traceparent = this.#traces.get(file);
    return traceparent === undefined ? {} : { traceparent };
  }
}
