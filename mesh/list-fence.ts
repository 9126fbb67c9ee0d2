/**
 * Which analyzer's word counts in a partition of the standing list. An analyzer that takes the partition over writes a record under
 * the key `owner` with its generation before anything else. From that offset on what older generations write is fenced; what they
 * wrote before is not acted on until the new owner has judged every file and confirms it. A function of values.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { AtRiskOwnerSchema } from './generated/events_pb.js';

/** Of a record of the topic `at-risk`. */
interface LogRecord {
  readonly offset: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ListFence {
  readonly generation: number;
  /** From here on only this generation counts. */
  readonly fenceOffset: number;
  /** Older entries before the fence still hold. */
  readonly confirmed: boolean;
}

/** What was never fenced counts as it stands. */
export const noFence: ListFence = { generation: 0, fenceOffset: 0, confirmed: true };

export type Standing = 'counts' | 'unconfirmed' | 'fenced';

export const ownerKey: Uint8Array = new TextEncoder().encode('owner');
/** Of every entry and tombstone: the generation of the owner that wrote it. */
export const generationHeader = 'owner-generation';

export function isOwnerRecord({ key }: Pick<LogRecord, 'key'>): boolean {
  return key?.length === ownerKey.length && ownerKey.every((byte, i) => key[i] === byte);
}

/** The generation that an entry or tombstone was written under; null where it does not say. */
export function generationOf({ headers }: Pick<LogRecord, 'headers'>): number | null {
  const said = headers[generationHeader];
  return said === undefined || !/^\d{1,15}$/.test(said) ? null : Number(said);
}

/** The fence after an owner's record. @throws Error where the record cannot be read. */
export function afterOwner(fence: ListFence, record: Pick<LogRecord, 'value' | 'offset'>): ListFence {
  if (record.value === null) return fence;
  const owner = fromBinary(AtRiskOwnerSchema, record.value);
  const generation = Number(owner.generation);
  if (generation < fence.generation) return fence;
  const confirmed = owner.confirmed || (generation === fence.generation && fence.confirmed);
  return { generation, fenceOffset: Number(owner.fenceOffset) || record.offset, confirmed };
}

/**
 * The fence after an entry or tombstone. Compaction may have taken an owner's first record and kept its entries: then they are the
 * fence, until its newest record comes.
 */
export function afterEntry(fence: ListFence, record: Pick<LogRecord, 'headers' | 'offset'>): ListFence {
  const generation = generationOf(record);
  if (generation === null || generation <= fence.generation) return fence;
  return { generation, fenceOffset: record.offset, confirmed: false };
}

/** The fence after any record of the list. @throws Error where an owner's record cannot be read. */
export function afterRecord(fence: ListFence, record: LogRecord): ListFence {
  return isOwnerRecord(record) ? afterOwner(fence, record) : afterEntry(fence, record);
}

/** @param generation of an entry at this offset. */
export function standingOf(fence: ListFence, generation: number, offset: number): Standing {
  if (generation >= fence.generation) return 'counts';
  if (offset >= fence.fenceOffset) return 'fenced';
  return fence.confirmed ? 'counts' : 'unconfirmed';
}
