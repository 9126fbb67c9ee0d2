/** The spool as a lane to send: what waits longest goes first, byte for byte as it was stored. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { AgentPostSchema } from '#mesh/generated/events_pb.js';
import type { Lane } from './sender.ts';
import type { Spool, SpooledRecord } from './spool.ts';

const batchField = AgentPostSchema.field.batch.number;

export function spooledPosts(spool: Spool): Lane<SpooledRecord> {
  return {
    name: 'shares',
    next: () => spool.peek(),
    bodyOf: ({ payload }) => postOfBatch(payload),
    sent: (record) => spool.sent(record),
    refused: (record, reason) => spool.refused(record, reason),
  };
}

/** An AgentPost around a serialised ShareBatch, which is not read for it. */
export function postOfBatch(batch: Uint8Array): Uint8Array {
  return new BinaryWriter().tag(batchField, WireType.LengthDelimited).bytes(batch).finish();
}
