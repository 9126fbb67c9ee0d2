/** Posts of batches, laid out so that a lane sends one after the other without encoding its columns again. */
import { create, toBinary } from '@bufbuild/protobuf';
import { ShareBatchSchema, ShareEventKind } from '#mesh/generated/events_pb.js';
import { type PeerId, peerIdToBytes } from '#mesh/peer-id.ts';

export interface BatchColumns {
  readonly eventCount: number;
  /** The columns as the fields of a `ShareBatch`. */
  readonly encoded: Uint8Array;
}

/** Fields of a message may stand in any order, and those of one message may be put together from parts. */
export function encodeColumns(storageIndexes: Uint8Array, shareNumbers: Uint8Array): BatchColumns {
  const kinds = new Uint8Array(shareNumbers.length).fill(ShareEventKind.STORED);
  const batch = create(ShareBatchSchema, { storageIndexes, shareNumbers, kinds });
  return { eventCount: shareNumbers.length, encoded: toBinary(ShareBatchSchema, batch) };
}

/** Columns of random storage indexes. */
export function randomColumns(eventCount: number): BatchColumns {
  const storageIndexes = new Uint8Array(16 * eventCount);
  for (let from = 0; from < storageIndexes.length; from += 65_536)
    crypto.getRandomValues(storageIndexes.subarray(from, Math.min(storageIndexes.length, from + 65_536)));
  return encodeColumns(
    storageIndexes,
    Uint8Array.from({ length: eventCount }, (_, i) => i % 100),
  );
}

/** The body of a post: two pieces, of which the second is the columns as they are. */
export function postBody(
  peerId: PeerId,
  order: { readonly incarnation: number; readonly sequence: number },
  columns: BatchColumns,
): readonly [Uint8Array, Uint8Array] {
  const head = toBinary(
    ShareBatchSchema,
    create(ShareBatchSchema, {
      peerId: peerIdToBytes(peerId),
      incarnation: BigInt(order.incarnation),
      sequence: BigInt(order.sequence),
      observedAtMs: BigInt(Date.now()),
    }),
  );
  const length = head.length + columns.encoded.length;
  return [Buffer.concat([batchTag, varint(length), head]), columns.encoded];
}

/** Field 1 of an `AgentPost`, delimited by its length. */
const batchTag = Uint8Array.of(0x0a);

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
