/**
 * Records of the topics `share-events` and `peer-events` as values. Parsed once here; inside, they are trusted. What a newer release says and
 * this one does not know goes to the dead letters by itself: `unknown-events.ts` has the rules.
 */
import { fromBinary, type Message } from '@bufbuild/protobuf';
import { checkCoding } from '../coding.ts';
import { describeError, MeshwardError } from '../errors.ts';
import {
  type AnalyzerReport,
  type FileManifest,
  type InventoryMark,
  InventoryPhase,
  ManifestOrigin,
  type PeerEvent,
  PeerEventsRecordSchema,
  type ReaderReport,
  type ShareBatch,
  ShareEventKind,
  ShareEventsRecordSchema,
  type ShareFinding as WireFinding,
} from '../generated/events_pb.js';
import { type PeerId, peerIdFromBytes } from '../peer-id.ts';
import { storageIndexBytes, storageIndexFromBytes } from '../storage-index.ts';
import type { PeerEventBody, ReaderReportBody } from './peer-event.ts';
import type { FileRegistration, PeerBatch, ShareFinding } from './share-batch.ts';
import { EventUnknownError, holdsUnknown, withoutUnknown } from './unknown-events.ts';

const maxPort = 0xffff;
const maxShareNumber = 255;

export type ShareEventsValue =
  | { readonly kind: 'tick'; readonly atMs: number }
  | {
      readonly kind: 'batch';
      /** What of it is known. */
      readonly batch: PeerBatch;
      /** Told to the dead letters; null where all of it is known. */
      readonly unknown: EventUnknownError | null;
    }
  | { readonly kind: 'finding'; readonly finding: ShareFinding };

export type PeerEventsValue =
  | { readonly kind: 'tick'; readonly atMs: number }
  | { readonly kind: 'report'; readonly report: AnalyzerReport }
  | { readonly kind: 'reader'; readonly peer: PeerId; readonly body: ReaderReportBody }
  | {
      readonly kind: 'event';
      readonly peer: PeerId;
      readonly incarnation: number;
      readonly sequence: number;
      readonly body: PeerEventBody;
    };

/** @throws MeshwardError `batch-malformed`, `event-unknown`: the record goes to the dead letters, and reading goes on. */
export function readShareEvents(value: Uint8Array): ShareEventsValue {
  return parsed(() => {
    const record = fromBinary(ShareEventsRecordSchema, value);
    const { body } = record;
    if (body.case === 'tick') return { kind: 'tick', atMs: wholeNumber(body.value.atMs) };
    if (body.case === 'finding') return { kind: 'finding', finding: readFinding(body.value) };
    if (body.case !== 'batch') throw neither(record, 'the record holds neither batch nor tick');
    checkColumns(body.value);
    const { known, unknown } = withoutUnknown(body.value);
    return { kind: 'batch', batch: readBatch(known), unknown };
  });
}

/** @throws MeshwardError `batch-malformed`, `event-unknown`. */
export function readPeerEvents(value: Uint8Array): PeerEventsValue {
  return parsed(() => {
    const record = fromBinary(PeerEventsRecordSchema, value);
    const { body } = record;
    if (body.case === 'tick') return { kind: 'tick', atMs: wholeNumber(body.value.atMs) };
    if (body.case === 'report') return { kind: 'report', report: body.value };
    if (body.case === 'reader')
      return { kind: 'reader', peer: peerIdFromBytes(body.value.peerId), body: readReaderReport(body.value) };
    if (body.case !== 'event') throw neither(record, 'the record holds neither event nor tick');
    const event = body.value;
    return {
      kind: 'event',
      peer: peerIdFromBytes(event.peerId),
      incarnation: wholeNumber(event.incarnation),
      sequence: wholeNumber(event.sequence),
      body: readPeerEventBody(event),
    };
  });
}

export function readRegistration(manifest: FileManifest): FileRegistration {
  if (manifest.storageIndex.length !== storageIndexBytes)
    throw new Error('a manifest has a storage index of another length');
  if (manifest.uebHash.length !== 32) throw new Error('a manifest has a UEB hash of another length');
  return {
    manifest: {
      storageIndex: storageIndexFromBytes(manifest.storageIndex),
      uebHash: manifest.uebHash,
      ...checkCoding(manifest.k, manifest.n),
      sizeBytes: wholeNumber(manifest.sizeBytes),
    },
    origin: manifest.origin === ManifestOrigin.OWNER ? 'owner' : 'derived',
    tag: manifest.tag,
  };
}

function checkColumns(batch: ShareBatch): void {
  const count = batch.kinds.length;
  if (batch.storageIndexes.length !== count * storageIndexBytes || batch.shareNumbers.length !== count) {
    throw new Error('the columns of a batch differ in length');
  }
  if (batch.kinds.includes(ShareEventKind.UNSPECIFIED)) throw new Error('an event is of no kind');
}

function readBatch(batch: ShareBatch): PeerBatch {
  if (batch.deletedFiles.length % storageIndexBytes !== 0)
    throw new Error('deleted files are no whole storage indexes');
  return {
    peer: peerIdFromBytes(batch.peerId),
    incarnation: wholeNumber(batch.incarnation),
    sequence: wholeNumber(batch.sequence),
    storageIndexes: batch.storageIndexes,
    shareNumbers: batch.shareNumbers,
    kinds: batch.kinds,
    registrations: batch.manifests.map(readRegistration),
    deletedFiles: batch.deletedFiles,
    inventory: batch.inventory === undefined ? null : readInventoryMark(batch.inventory),
  };
}

function readInventoryMark({ phase, generation }: InventoryMark): PeerBatch['inventory'] {
  if (generation === 0) throw new Error('an inventory has no generation');
  switch (phase) {
    case InventoryPhase.BEGIN:
      return { phase: 'begin', generation };
    case InventoryPhase.END:
      return { phase: 'end', generation };
    case InventoryPhase.UNSPECIFIED:
      break;
  }
  throw new Error('an inventory neither begins nor ends');
}

function readFinding({ storageIndex, peerId, shareNumber, reader, reason }: WireFinding): ShareFinding {
  if (storageIndex.length !== storageIndexBytes) throw new Error('a finding has a storage index of another length');
  if (shareNumber > maxShareNumber) throw new Error(`${shareNumber} is no share number`);
  return { storageIndex, peer: peerIdFromBytes(peerId), shareNumber, reader, reason };
}

function readReaderReport(report: ReaderReport): ReaderReportBody {
  const { body } = report;
  switch (body.case) {
    case 'reach':
      return { kind: 'reach', reachable: body.value.reachable, reason: body.value.reason };
    case 'claims':
      return { kind: 'claims', held: body.value.held, failed: body.value.failed };
    case undefined:
      throw neither(report, 'a reader says nothing of a peer');
  }
}

function readPeerEventBody(event: PeerEvent): PeerEventBody {
  const { body } = event;
  switch (body.case) {
    case 'announce': {
      const { name, domains, host, port, agentVersion, capacityBytes } = body.value;
      if (port > maxPort) throw new Error(`${port} is no port`);
      return { kind: 'announce', name, domains, host, port, agentVersion, capacityBytes: wholeNumber(capacityBytes) };
    }
    case 'heartbeat': {
      const { vitals, intervalMs } = body.value;
      const interval = intervalMs === 0 ? {} : { intervalMs };
      if (vitals === undefined) return { kind: 'heartbeat', vitals: null, ...interval };
      return {
        kind: 'heartbeat',
        ...interval,
        vitals: {
          cpuUsedRatio: Number.isFinite(vitals.cpuUsedRatio) ? vitals.cpuUsedRatio : 0,
          memoryUsedBytes: wholeNumber(vitals.memoryUsedBytes),
          diskUsedBytes: wholeNumber(vitals.diskUsedBytes),
          diskCapacityBytes: wholeNumber(vitals.diskCapacityBytes),
          networkReceivedBytes: wholeNumber(vitals.networkReceivedBytes),
          networkSentBytes: wholeNumber(vitals.networkSentBytes),
          sharesHeld: wholeNumber(vitals.sharesHeld),
          shareBytesHeld: wholeNumber(vitals.shareBytesHeld),
          sharesVerified: wholeNumber(vitals.sharesVerified),
          spooledBatches: wholeNumber(vitals.spooledBatches),
          spoolDroppedInventories: wholeNumber(vitals.spoolDroppedInventories),
          processMemoryBytes: vitals.processMemoryBytesMib * 1024 * 1024,
          ...(vitals.diskWaitRatio > 0 && vitals.diskWaitRatio <= 1 ? { diskWaitRatio: vitals.diskWaitRatio } : {}),
        },
      };
    }
    case 'drain':
      return { kind: 'drain', draining: body.value.draining };
    case 'maintenance':
      return { kind: 'maintenance', untilMs: wholeNumber(body.value.untilMs) };
    case 'depart':
      return { kind: 'depart' };
    case undefined:
      throw neither(event, 'a peer event says nothing');
  }
}

/** Beyond 2^53 numbers would be rounded, and the order of events with them. */
function wholeNumber(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new Error(`${value} is too large a number`);
  return number;
}

/** What is not there may be there for a newer release. */
function neither(message: Message, reason: string): Error {
  return holdsUnknown(message)
    ? new EventUnknownError('the record is of a kind that is not known', null)
    : new Error(reason);
}

/** Runs `read`, whose failures become the one kind that says: this record is for the dead letters. @throws MeshwardError */
export function parsed<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof EventUnknownError) throw error;
    throw new MeshwardError('batch-malformed', `a record of the log cannot be read: ${describeError(error)}`, {
      next: 'It was kept in the dead letters; if many come, an agent or collector of another version is at work.',
      cause: error,
    });
  }
}
