/** Files whose last repair did not end well, for people: how often it was tried, why it failed, when it is tried again. */
import type { ErrorCode } from '#mesh/errors.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { RepairReport } from './repair-report.ts';

export interface FailingFile {
  readonly storageIndex: StorageIndex;
  /** In a row. */
  readonly tries: number;
  readonly errorCode: ErrorCode | '';
  readonly errorMessage: string;
  readonly failedAtMs: number;
  /** Null where it is being tried or waits for its turn. */
  readonly nextTryAtMs: number | null;
}

type Failure = Omit<FailingFile, 'nextTryAtMs'>;

/** The page and commands show the newest; all of them stand in the store. */
const mostKept = 1000;

export class Failures {
  readonly #failures = new Map<StorageIndex, Failure>();

  note(storageIndex: StorageIndex, tries: number, { errorCode, errorMessage }: RepairReport, atMs: number): void {
    this.#failures.delete(storageIndex);
    this.#failures.set(storageIndex, { storageIndex, tries, errorCode, errorMessage, failedAtMs: atMs });
    if (this.#failures.size > mostKept) this.#failures.delete(this.#failures.keys().next().value as StorageIndex);
  }

  forget(storageIndex: StorageIndex): void {
    this.#failures.delete(storageIndex);
  }

  /** The newest first. @param nextTryOf undefined for a file that is not here any more. */
  list(nextTryOf: (storageIndex: StorageIndex) => number | null | undefined): FailingFile[] {
    return [...this.#failures.values()].toReversed().flatMap((failure) => {
      const nextTryAtMs = nextTryOf(failure.storageIndex);
      return nextTryAtMs === undefined ? [] : [{ ...failure, nextTryAtMs }];
    });
  }
}
