/** Writes what waits for the at-risk topic, beside everything else: a log that takes nothing stops no look and no flush. */
import type { AnalyzerOptions } from '../options.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';
import type { Publisher } from './publisher.ts';

export interface ListWriterOptions {
  readonly owned: ReadonlyMap<number, OwnedPartition>;
  readonly analyzer: Pick<AnalyzerOptions, 'clock' | 'log' | 'topics'>;
  readonly publisher: Pick<Publisher, 'writeList'>;
  /** Aborted: nothing more is begun. */
  readonly signal: AbortSignal;
  readonly complain: (error: unknown, message: string) => void;
}

/** How often it is looked whether somebody else has written, where nothing of ours would show it. */
const lookEveryMs = 5000;

export class ListWriter {
  readonly #options: ListWriterOptions;
  #underWay: Promise<void> | null = null;
  #nextLookMs = 0;

  constructor(options: ListWriterOptions) {
    this.#options = options;
  }

  /** Begins to write where anything waits and nothing is under way. */
  write(): void {
    if (this.#underWay !== null) return;
    const now = this.#options.analyzer.clock.monotonicMs();
    const lookDue = now >= this.#nextLookMs && this.#options.owned.size > 0;
    const waiting = [...this.#options.owned.values()].filter(
      ({ list, ownership, isJudged }) => list.waiting > 0 || (isJudged && !ownership.confirmed),
    );
    if (waiting.length === 0 && !lookDue) return;
    if (lookDue) this.#nextLookMs = now + lookEveryMs;
    this.#underWay = this.#writeAll(waiting, lookDue).finally(() => {
      this.#underWay = null;
    });
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await this.#underWay;
  }

  /**
   * The last look at lists that are given up: who owns them next may not see any more that what a paused analyzer wrote meanwhile came
   * behind our fence. Never rejects: where the log takes nothing now, readers still believe what is ours.
   */
  async handOver(partitions: readonly OwnedPartition[]): Promise<void> {
    await this.#underWay;
    const { publisher, complain } = this.#options;
    try {
      await this.#look(partitions);
      for (const partition of partitions)
        if (partition.list.waiting > 0) await publisher.writeList(partition, () => true);
    } catch (error) {
      complain(error, 'the at-risk list cannot be looked at before it is given up');
    }
  }

  async #writeAll(partitions: readonly OwnedPartition[], look: boolean): Promise<void> {
    const { owned, publisher, signal, complain } = this.#options;
    try {
      if (look) await this.#look(owned.values());
      for (const partition of partitions) {
        await publisher.writeList(partition, () => owned.get(partition.number) === partition && !signal.aborted);
      }
    } catch (error) {
      complain(error, 'the at-risk list cannot be written now; it is tried again');
    }
  }

  /** What an analyzer that lost a partition has written meanwhile is written over. */
  async #look(partitions: Iterable<OwnedPartition>): Promise<void> {
    const { log, topics } = this.#options.analyzer;
    const ends = await log.bounds(topics.atRisk.name);
    for (const { number, ownership, list } of partitions) {
      list.putBack(await ownership.look(ends[number]?.nextOffset ?? 0));
    }
  }
}
