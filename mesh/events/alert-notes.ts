/** Records of the topic `alerts`: what people said of alerts, and what was told of them to whom. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type AlertNote, AlertNoteSchema } from '../generated/events_pb.js';
import { type PeerId, peerIdFromBytes, peerIdToBytes } from '../peer-id.ts';

/** Who said it: the id of an operator's key, and the name that it was enrolled under. */
export interface Operator {
  readonly id: PeerId;
  readonly name: string;
}

export interface Silence {
  readonly id: string;
  readonly selector: string;
  readonly createdAtMs: number;
  readonly untilMs: number;
  readonly why: string;
  readonly by: Operator;
}

export interface SilenceEnd {
  readonly silenceId: string;
  readonly atMs: number;
  readonly by: Operator;
}

export interface Acknowledgement {
  readonly alertKey: string;
  readonly alertId: string;
  readonly atMs: number;
  readonly untilMs: number;
  readonly why: string;
  readonly by: Operator;
}

/** What a sink was told of an alert last. */
export interface Told {
  readonly sink: string;
  readonly alertKey: string;
  readonly state: 'firing' | 'acknowledged';
  readonly severity: string;
  readonly sinceMs: number;
  readonly atMs: number;
}

export type Note =
  | { readonly kind: 'silence'; readonly silence: Silence }
  | { readonly kind: 'silence-end'; readonly end: SilenceEnd }
  | { readonly kind: 'ack'; readonly ack: Acknowledgement }
  | { readonly kind: 'told'; readonly told: Told };

export interface NoteRecord {
  readonly partition: 0;
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function noteKey(note: Note): string {
  switch (note.kind) {
    case 'silence':
      return `silence:${note.silence.id}`;
    case 'silence-end':
      return `silence-end:${note.end.silenceId}`;
    case 'ack':
      return `ack:${note.ack.alertKey}`;
    case 'told':
      return toldKey(note.told.sink, note.told.alertKey);
  }
}

export function toldKey(sink: string, alertKey: string): string {
  return `told:${sink}/${alertKey}`;
}

export function noteRecord(note: Note): NoteRecord {
  return { partition: 0, key: encoder.encode(noteKey(note)), value: toBinary(AlertNoteSchema, messageOf(note)) };
}

export function noteTombstone(key: string): NoteRecord {
  return { partition: 0, key: encoder.encode(key), value: null };
}

export function readNoteKey(key: Uint8Array): string {
  return decoder.decode(key);
}

/** Null for a kind that only a later release knows. @throws where it is no note. */
export function readNote(value: Uint8Array): Note | null {
  const { body } = fromBinary(AlertNoteSchema, value);
  switch (body.case) {
    case 'silence': {
      const { id, selector, createdAtMs, untilMs, why } = body.value;
      const times = { createdAtMs: Number(createdAtMs), untilMs: Number(untilMs) };
      return { kind: 'silence', silence: { id, selector, ...times, why, by: operatorOf(body.value) } };
    }
    case 'silenceEnd': {
      const { silenceId, atMs } = body.value;
      return { kind: 'silence-end', end: { silenceId, atMs: Number(atMs), by: operatorOf(body.value) } };
    }
    case 'ack': {
      const { alertKey, alertId, atMs, untilMs, why } = body.value;
      const times = { atMs: Number(atMs), untilMs: Number(untilMs) };
      return { kind: 'ack', ack: { alertKey, alertId, ...times, why, by: operatorOf(body.value) } };
    }
    case 'told': {
      const { sink, alertKey, state, severity, sinceMs, atMs } = body.value;
      if (state !== 'firing' && state !== 'acknowledged') return null;
      const times = { sinceMs: Number(sinceMs), atMs: Number(atMs) };
      return { kind: 'told', told: { sink, alertKey, state, severity, ...times } };
    }
    case undefined:
      return null;
  }
}

function messageOf(note: Note): AlertNote {
  switch (note.kind) {
    case 'silence': {
      const { by, createdAtMs, untilMs, ...rest } = note.silence;
      const value = { ...rest, createdAtMs: whole(createdAtMs), untilMs: whole(untilMs), ...operatorFields(by) };
      return create(AlertNoteSchema, { body: { case: 'silence', value } });
    }
    case 'silence-end': {
      const { by, silenceId, atMs } = note.end;
      const value = { silenceId, atMs: whole(atMs), ...operatorFields(by) };
      return create(AlertNoteSchema, { body: { case: 'silenceEnd', value } });
    }
    case 'ack': {
      const { by, atMs, untilMs, ...rest } = note.ack;
      const value = { ...rest, atMs: whole(atMs), untilMs: whole(untilMs), ...operatorFields(by) };
      return create(AlertNoteSchema, { body: { case: 'ack', value } });
    }
    case 'told': {
      const { sinceMs, atMs, ...rest } = note.told;
      const value = { ...rest, sinceMs: whole(sinceMs), atMs: whole(atMs) };
      return create(AlertNoteSchema, { body: { case: 'told', value } });
    }
  }
}

function whole(timeMs: number): bigint {
  return BigInt(Math.max(0, Math.round(timeMs)));
}

function operatorFields({ id, name }: Operator) {
  return { operatorId: peerIdToBytes(id), operatorName: name };
}

function operatorOf(said: { readonly operatorId: Uint8Array; readonly operatorName: string }): Operator {
  return { id: peerIdFromBytes(said.operatorId), name: said.operatorName };
}
