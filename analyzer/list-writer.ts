/** Writes what waits for the at-risk topic, beside everything else: a log that takes nothing stops no look and no flush. */
import type { OwnedPartition } from './partition/owned-partition.ts';
import type { Publisher } from './publisher.ts';

export interface ListWriterOptions {
  readonly owned: ReadonlyMap<number, OwnedPartition>;
  readonly publisher: Publisher;
  /** Aborted: nothing more is begun. */
  readonly signal: AbortSignal;
  readonly complain: (error: unknown, message: string) => void;
}

export class ListWriter {
  readonly #options: ListWriterOptions;
  #underWay: Promise<void> | null = null;

  constructor(options: ListWriterOptions) {
    this.#options = options;
  }

  /** Begins to write where anything waits and nothing is under way. */
  write(): void {
    if (this.#underWay !== null) return;
    const waiting = [...this.#options.owned.values()].filter(({ list }) => list.waiting > 0);
    if (waiting.length === 0) return;
    this.#underWay = this.#writeAll(waiting).finally(() => {
      this.#underWay = null;
    });
  }

  /** Resolves when nothing is under way. */
  async still(): Promise<void> {
    await this.#underWay;
  }

  async #writeAll(partitions: readonly OwnedPartition[]): Promise<void> {
    const { owned, publisher, signal, complain } = this.#options;
    try {
      for (const partition of partitions) {
        await publisher.writeList(partition, () => owned.get(partition.number) === partition && !signal.aborted);
      }
    } catch (error) {
      complain(error, 'the at-risk list cannot be written now; it is tried again');
    }
  }
}
