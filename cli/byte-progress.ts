/** Progress of work that is counted in bytes. Work that is over before one looks shows none. */
import type { Output } from './output.ts';

export interface ByteProgress {
  add(bytes: number): void;
  /** Begins anew, for the next piece of work of the same size. */
  restart(): void;
  /** Shows the end where it was reached; what stopped before stays as it was. */
  end(): void;
}

const worthShowingBytes = 256 * 1024;

export function showByteProgress(output: Output, label: string, totalBytes: number): ByteProgress {
  const progress = totalBytes >= worthShowingBytes ? output.progress(label, totalBytes, 'bytes') : null;
  let doneBytes = 0;
  return {
    add(bytes) {
      doneBytes = Math.min(totalBytes, doneBytes + bytes);
      progress?.update(doneBytes);
    },
    restart() {
      doneBytes = 0;
    },
    end() {
      if (doneBytes >= totalBytes) progress?.finish();
      else progress?.stop();
    },
  };
}
