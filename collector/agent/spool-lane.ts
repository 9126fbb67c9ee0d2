/** The spool as a lane to send: what waits longest goes first, with the incarnation and sequence that it was given. */
import { create, fromBinary } from '@bufbuild/protobuf';
import { AgentPostSchema, ShareBatchSchema } from '#mesh/generated/events_pb.js';
import type { Lane } from './sender.ts';
import type { Spool, SpooledRecord } from './spool.ts';

export function spoolLane(spool: Spool): Lane<SpooledRecord> {
  return {
    name: 'shares',
    next: () => spool.peek(),
    postOf: (record) =>
      create(AgentPostSchema, { body: { case: 'batch', value: fromBinary(ShareBatchSchema, record.payload) } }),
    sent: (record) => spool.sent(record),
    refused: (record, reason) => spool.refused(record, reason),
  };
}
