/**
 * Whose word counts in a partition of the at-risk topic. The owner writes a record with its generation before anything else:
 * from then on, what an older generation still writes is not believed. Once it has judged every file it confirms what it did
 * not have to write anew. What an analyzer that lost the partition wrote nevertheless is found by gaps between our own offsets,
 * and written again, since compaction may have kept it in place of ours.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { AppendRecord, EventLog, LogRecord } from '#log/port.ts';
import { AtRiskOwnerSchema } from '#mesh/generated/events_pb.js';
import { generationHeader, generationOf, isOwnerRecord, ownerKey } from '#mesh/list-fence.ts';
import { type StorageIndex, storageIndexBytes, storageIndexFromBytes } from '#mesh/storage-index.ts';

const readBytes = 1024 * 1024;

export interface ListOwnershipOptions {
  readonly log: Pick<EventLog, 'append' | 'read'>;
  /** Name of the topic `at-risk`. */
  readonly topic: string;
  readonly partition: number;
  readonly generation: number;
  readonly nowMs: () => number;
}

export class ListOwnership {
  readonly #options: ListOwnershipOptions;
  #fenceOffset: number | null = null;
  #nextOffset = 0;
  #confirmed = false;
  #overtaken = false;

  constructor(options: ListOwnershipOptions) {
    this.#options = options;
  }

  /** Where the fence stands: the list is what was written before it. Null where the log has not taken it yet. */
  get fenceOffset(): number | null {
    return this.#fenceOffset;
  }

  get confirmed(): boolean {
    return this.#confirmed;
  }

  /** Another analyzer has written under a newer generation: nothing of ours counts any more. */
  get overtaken(): boolean {
    return this.#overtaken;
  }

  /** To be written before anything else, and before the list is read where the log lets it. @throws what the log throws. */
  async fence(): Promise<void> {
    const [position] = await this.#options.log.append(this.#options.topic, [this.#ownerRecord(0, false)]);
    this.#fenceOffset = (position as { offset: number }).offset;
  }

  /** The list was read up to here: what others write from here on is written over. */
  readTo(offset: number): void {
    this.#nextOffset = offset;
  }

  /** Every file was judged, and what had to be written is. @throws what the log throws. */
  async confirm(): Promise<readonly StorageIndex[]> {
    const foreign = await this.append([this.#ownerRecord(this.#fenceOffset ?? 0, true)]);
    this.#confirmed = true;
    return foreign;
  }

  /** @returns files of which somebody else wrote in between: theirs must be written again. @throws what the log throws. */
  async append(records: readonly AppendRecord[]): Promise<readonly StorageIndex[]> {
    const positions = await this.#options.log.append(this.#options.topic, records);
    const end = Math.max(this.#nextOffset, ...positions.map(({ offset }) => offset + 1));
    const isOurs = end - this.#nextOffset === positions.length;
    const foreign = isOurs ? [] : await this.#foreignIn(this.#nextOffset, end);
    this.#nextOffset = end;
    return foreign;
  }

  /** The same where we have written nothing. @param nextOffset the end of the partition. @throws what the log throws. */
  async look(nextOffset: number): Promise<readonly StorageIndex[]> {
    const foreign = await this.#foreignIn(this.#nextOffset, nextOffset);
    this.#nextOffset = Math.max(this.#nextOffset, nextOffset);
    return foreign;
  }

  async #foreignIn(from: number, to: number): Promise<readonly StorageIndex[]> {
    const { log, topic, partition } = this.#options;
    const found = new Set<StorageIndex>();
    for (let at = from; at < to; ) {
      const records = await log.read(topic, partition, at, readBytes);
      for (const record of records) if (record.offset < to) this.#note(record, found);
      const last = records.at(-1);
      if (last === undefined) break;
      at = last.offset + 1;
    }
    return [...found];
  }

  #note(record: LogRecord, found: Set<StorageIndex>): void {
    const { generation } = this.#options;
    if (isOwnerRecord(record)) {
      const owner = record.value === null ? null : fromBinary(AtRiskOwnerSchema, record.value);
      if (owner !== null && Number(owner.generation) > generation) this.#overtaken = true;
      return;
    }
    const written = generationOf(record) ?? 0;
    if (written > generation) this.#overtaken = true;
    if (written < generation && record.key?.length === storageIndexBytes) found.add(storageIndexFromBytes(record.key));
  }

  #ownerRecord(fenceOffset: number, confirmed: boolean): AppendRecord {
    const { partition, generation, nowMs } = this.#options;
    const owner = create(AtRiskOwnerSchema, {
      generation: BigInt(generation),
      fenceOffset: BigInt(fenceOffset),
      confirmed,
      atMs: BigInt(Math.round(nowMs())),
    });
    return {
      partition,
      key: ownerKey,
      value: toBinary(AtRiskOwnerSchema, owner),
      headers: { [generationHeader]: String(generation) },
    };
  }
}
