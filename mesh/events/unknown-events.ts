/**
 * What a newer release says and this one does not know. Known events of the same batch count: they are as good as ever, and
 * without them losses would go unheard. Unknown ones are set aside with the batch's own order, for the dead letters.
 *
 * They name shares all the same. An inventory that is under way has then named more than is known here, and its end must take
 * nothing away; so an inventory that never ends is begun in its place, until the peer begins its next one.
 */
import { create, type Message, toBinary } from '@bufbuild/protobuf';
import { MeshwardError } from '../errors.ts';
import {
  InventoryMarkSchema,
  InventoryPhase,
  type ShareBatch,
  ShareBatchSchema,
  ShareEventKind,
  ShareEventsRecordSchema,
} from '../generated/events_pb.js';
import { storageIndexBytes } from '../storage-index.ts';

/** No peer counts its inventories this far. */
export const unendingGeneration = 0xffff_ffff;

export class EventUnknownError extends MeshwardError {
  /** Value of a record with that alone which is not known; null where it is the whole record. */
  readonly remainder: Uint8Array | null;

  constructor(message: string, remainder: Uint8Array | null) {
    super('event-unknown', message, {
      next: 'An agent or a service of a newer release is at work: update this one. The next inventory of the peer tells again what was not understood.',
    });
    this.remainder = remainder;
  }
}

/** Whether there was more on the wire than this release has fields for. */
export function holdsUnknown(message: Message): boolean {
  return message.$unknown !== undefined && message.$unknown.length > 0;
}

/** Splits a batch whose columns have one length. @returns the batch itself where everything in it is known. */
export function withoutUnknown(batch: ShareBatch): {
  readonly known: ShareBatch;
  readonly unknown: EventUnknownError | null;
} {
  const { kinds, inventory } = batch;
  const hasUnknownMark = inventory !== undefined && !isKnownPhase(inventory.phase);
  if (!hasUnknownMark && kinds.every(isKnownKind)) return { known: batch, unknown: null };
  const rows = [...kinds.keys()];
  const knownRows = rows.filter((row) => isKnownKind(kinds[row] as number));
  const unknownRows = rows.filter((row) => !isKnownKind(kinds[row] as number));
  const { peerId, incarnation, sequence, observedAtMs } = batch;
  const aside = create(ShareBatchSchema, {
    peerId,
    incarnation,
    sequence,
    observedAtMs,
    ...columnsOf(batch, unknownRows),
    ...(hasUnknownMark ? { inventory } : {}),
  });
  const remainder = create(ShareEventsRecordSchema, { body: { case: 'batch', value: aside } });
  const unending = create(InventoryMarkSchema, { phase: InventoryPhase.BEGIN, generation: unendingGeneration });
  return {
    known: { ...batch, ...columnsOf(batch, knownRows), inventory: unending },
    unknown: new EventUnknownError(
      describe(unknownRows.length, rows.length, hasUnknownMark),
      toBinary(ShareEventsRecordSchema, remainder),
    ),
  };
}

function isKnownKind(kind: number): boolean {
  return kind >= ShareEventKind.STORED && kind <= ShareEventKind.CORRUPT;
}

/** A mark without a phase is no newer one: who reads it tells that it is malformed. */
function isKnownPhase(phase: InventoryPhase): boolean {
  return phase >= InventoryPhase.UNSPECIFIED && phase <= InventoryPhase.END;
}

function columnsOf(batch: ShareBatch, rows: readonly number[]) {
  const storageIndexes = new Uint8Array(rows.length * storageIndexBytes);
  for (const [to, from] of rows.entries()) {
    const index = batch.storageIndexes.subarray(from * storageIndexBytes, (from + 1) * storageIndexBytes);
    storageIndexes.set(index, to * storageIndexBytes);
  }
  return {
    storageIndexes,
    shareNumbers: Uint8Array.from(rows, (row) => batch.shareNumbers[row] as number),
    kinds: Uint8Array.from(rows, (row) => batch.kinds[row] as number),
  };
}

function describe(unknownCount: number, count: number, hasUnknownMark: boolean): string {
  const parts = [
    ...(unknownCount > 0 ? [`${unknownCount} of ${count} events are of a kind that is not known`] : []),
    ...(hasUnknownMark ? ['its inventory is in a phase that is not known'] : []),
  ];
  return `of a batch, ${parts.join(', and ')}; the rest was taken`;
}
