/** Values for tests: peers, files and batches by small numbers. */

import { eventKinds, type FileRegistration, type ManifestOrigin, type PeerBatch } from '../events/share-batch.ts';
import { type PeerId, peerIdFromBytes } from '../peer-id.ts';
import { type StorageIndex, storageIndexFromBytes, storageIndexToBytes } from '../storage-index.ts';

export function peerOf(number: number): PeerId {
  return peerIdFromBytes(numbered(32, number));
}

/** The first four bytes choose the partition: the number, modulo the count of partitions. */
export function fileOf(number: number): StorageIndex {
  return storageIndexFromBytes(numbered(16, number));
}

function numbered(length: number, number: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(7);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

export interface RegistrationFields {
  readonly k?: number;
  readonly n?: number;
  readonly sizeBytes?: number;
  readonly origin?: ManifestOrigin;
  readonly tag?: string;
  /** Fills the UEB hash. */
  readonly ueb?: number;
}

/** 2-of-6 unless told otherwise: repaired below 4. */
export function registrationOf(file: number, fields: RegistrationFields = {}): FileRegistration {
  const { k = 2, n = 6, sizeBytes = 1000, origin = 'owner', tag = '', ueb = 1 } = fields;
  return {
    manifest: { storageIndex: fileOf(file), uebHash: new Uint8Array(32).fill(ueb), k, n, sizeBytes },
    origin,
    tag,
  };
}

export type ShareEvent = readonly [kind: keyof typeof eventKinds, file: number, share: number];

export interface BatchFields {
  readonly peer: number;
  readonly sequence: number;
  readonly incarnation?: number;
  readonly events?: readonly ShareEvent[];
  readonly registrations?: readonly FileRegistration[];
  readonly deleted?: readonly number[];
  readonly begin?: number;
  readonly end?: number;
}

export function batchOf(fields: BatchFields): PeerBatch {
  const { events = [], registrations = [], deleted = [], begin, end } = fields;
  return {
    peer: peerOf(fields.peer),
    incarnation: fields.incarnation ?? 1,
    sequence: fields.sequence,
    storageIndexes: indexColumn(events.map(([, file]) => file)),
    shareNumbers: Uint8Array.from(events, ([, , share]) => share),
    kinds: Uint8Array.from(events, ([kind]) => eventKinds[kind]),
    registrations,
    deletedFiles: indexColumn(deleted),
    inventory:
      begin !== undefined
        ? { phase: 'begin', generation: begin }
        : end !== undefined
          ? { phase: 'end', generation: end }
          : null,
  };
}

function indexColumn(files: readonly number[]): Uint8Array {
  return Uint8Array.from(files.flatMap((file) => [...storageIndexToBytes(fileOf(file))]));
}
