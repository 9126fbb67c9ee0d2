/** Values of `alerts`: what people say of alerts, and what sinks were told. */
import { create } from '@bufbuild/protobuf';
import { AlertNoteSchema } from '#mesh/generated/events_pb.js';

const atMs = 1_700_000_000_000n;
const operator = { operatorId: new Uint8Array(32).fill(0x4f), operatorName: 'first operator' };
const id = '3f2a91c0-0000-4000-8000-000000000001';

/** By name. */
export function sampleAlertNotes() {
  const untilMs = atMs + 7_200_000n;
  const silence = {
    id,
    selector: 'DomainLost,zone=eu-*',
    createdAtMs: atMs,
    untilMs,
    why: 'new switches',
    ...operator,
  };
  const ack = { alertKey: 'domain-lost:zone eu-1', alertId: id, atMs, untilMs, why: 'on it', ...operator };
  const told = {
    sink: 'pager',
    alertKey: 'domain-lost:zone eu-1',
    state: 'firing',
    severity: 'page',
    sinceMs: atMs,
    atMs: atMs + 1000n,
  };
  return {
    silence: create(AlertNoteSchema, { body: { case: 'silence', value: silence } }),
    'silence-end': create(AlertNoteSchema, {
      body: { case: 'silenceEnd', value: { silenceId: id, atMs, ...operator } },
    }),
    ack: create(AlertNoteSchema, { body: { case: 'ack', value: ack } }),
    told: create(AlertNoteSchema, { body: { case: 'told', value: told } }),
  };
}
