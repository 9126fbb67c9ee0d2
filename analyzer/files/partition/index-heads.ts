/** Passes over files that are not in a set by four bytes of their storage indexes, with no text made of them. */
import { type StorageIndex, storageIndexToBytes } from '#mesh/storage-index.ts';

/** The first four bytes choose the partition: those behind them differ more. */
const headAt = 4;

export class IndexHeads {
  readonly #counts = new Map<number, number>();

  add(file: StorageIndex): void {
    const head = headOf(storageIndexToBytes(file), 0);
    this.#counts.set(head, (this.#counts.get(head) ?? 0) + 1);
  }

  remove(file: StorageIndex): void {
    const head = headOf(storageIndexToBytes(file), 0);
    const count = this.#counts.get(head) ?? 0;
    if (count > 1) this.#counts.set(head, count - 1);
    else this.#counts.delete(head);
  }

  /** False: no such file is in the set. */
  has(bytes: Uint8Array, offset: number): boolean {
    return this.#counts.has(headOf(bytes, offset));
  }
}

function headOf(bytes: Uint8Array, offset: number): number {
  const at = offset + headAt;
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}
