/** Records of the log as the analyzer's own values. Parsed once here; inside, they are trusted. */
import { fromBinary } from '@bufbuild/protobuf';
import { checkCoding } from '#mesh/coding.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import {
  type FileManifest,
  InventoryPhase,
  ManifestOrigin,
  type PeerEvent,
  PeerEventsRecordSchema,
  type ShareBatch,
  ShareEventsRecordSchema,
} from '#mesh/generated/events_pb.js';
import { type PeerId, peerIdFromBytes } from '#mesh/peer-id.ts';
import { storageIndexBytes, storageIndexFromBytes } from '#mesh/storage-index.ts';
import type { PeerEventBody } from './liveness/peer-liveness.ts';
import type { FileRegistration, PeerBatch } from './share-map/share-map.ts';

export type ShareEventsValue =
  | { readonly kind: 'tick'; readonly atMs: number }
  | { readonly kind: 'batch'; readonly batch: PeerBatch };

export type PeerEventsValue =
  | { readonly kind: 'tick'; readonly atMs: number }
  | {
      readonly kind: 'event';
      readonly peer: PeerId;
      readonly incarnation: number;
      readonly sequence: number;
      readonly body: PeerEventBody;
    };

/** @throws MeshwardError `batch-malformed`: the record goes to the dead letters, and reading goes on. */
export function readShareEvents(value: Uint8Array): ShareEventsValue {
  return guarded(() => {
    const { body } = fromBinary(ShareEventsRecordSchema, value);
    if (body.case === 'tick') return { kind: 'tick', atMs: Number(body.value.atMs) };
    if (body.case !== 'batch') throw new Error('the record holds neither batch nor tick');
    return { kind: 'batch', batch: readBatch(body.value) };
  });
}

/** @throws MeshwardError `batch-malformed`. */
export function readPeerEvents(value: Uint8Array): PeerEventsValue {
  return guarded(() => {
    const { body } = fromBinary(PeerEventsRecordSchema, value);
    if (body.case === 'tick') return { kind: 'tick', atMs: Number(body.value.atMs) };
    if (body.case !== 'event') throw new Error('the record holds neither event nor tick');
    const event = body.value;
    return {
      kind: 'event',
      peer: peerIdFromBytes(event.peerId),
      incarnation: Number(event.incarnation),
      sequence: Number(event.sequence),
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
      sizeBytes: Number(manifest.sizeBytes),
    },
    origin: manifest.origin === ManifestOrigin.OWNER ? 'owner' : 'derived',
    tag: manifest.tag,
  };
}

function readBatch(batch: ShareBatch): PeerBatch {
  const count = batch.kinds.length;
  if (batch.storageIndexes.length !== count * storageIndexBytes || batch.shareNumbers.length !== count) {
    throw new Error('the columns of a batch differ in length');
  }
  if (batch.deletedFiles.length % storageIndexBytes !== 0)
    throw new Error('deleted files are no whole storage indexes');
  const phase = batch.inventory?.phase;
  return {
    peer: peerIdFromBytes(batch.peerId),
    incarnation: Number(batch.incarnation),
    sequence: Number(batch.sequence),
    storageIndexes: batch.storageIndexes,
    shareNumbers: batch.shareNumbers,
    kinds: batch.kinds,
    registrations: batch.manifests.map(readRegistration),
    deletedFiles: batch.deletedFiles,
    inventory:
      batch.inventory === undefined || phase === InventoryPhase.UNSPECIFIED
        ? null
        : { phase: phase === InventoryPhase.BEGIN ? 'begin' : 'end', generation: batch.inventory.generation },
  };
}

function readPeerEventBody(event: PeerEvent): PeerEventBody {
  const { body } = event;
  switch (body.case) {
    case 'announce': {
      const { name, domains, host, port, agentVersion, capacityBytes } = body.value;
      return { kind: 'announce', name, domains, host, port, agentVersion, capacityBytes: Number(capacityBytes) };
    }
    case 'heartbeat': {
      const vitals = body.value.vitals;
      if (vitals === undefined) return { kind: 'heartbeat', vitals: null };
      return {
        kind: 'heartbeat',
        vitals: {
          cpuUsedRatio: vitals.cpuUsedRatio,
          memoryUsedBytes: Number(vitals.memoryUsedBytes),
          diskUsedBytes: Number(vitals.diskUsedBytes),
          diskCapacityBytes: Number(vitals.diskCapacityBytes),
          networkReceivedBytes: Number(vitals.networkReceivedBytes),
          networkSentBytes: Number(vitals.networkSentBytes),
          sharesHeld: Number(vitals.sharesHeld),
          shareBytesHeld: Number(vitals.shareBytesHeld),
          sharesVerified: Number(vitals.sharesVerified),
          spooledBatches: Number(vitals.spooledBatches),
          spoolDroppedInventories: Number(vitals.spoolDroppedInventories),
          processMemoryBytes: vitals.processMemoryBytesMib * 1024 * 1024,
        },
      };
    }
    case 'drain':
      return { kind: 'drain', draining: body.value.draining };
    case 'maintenance':
      return { kind: 'maintenance', untilMs: Number(body.value.untilMs) };
    case 'depart':
      return { kind: 'depart' };
    case undefined:
      throw new Error('a peer event says nothing');
  }
}

function guarded<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new MeshwardError('batch-malformed', `a record of the log cannot be read: ${describeError(error)}`, {
      next: 'It was kept in the dead letters; if many come, an agent or collector of another version is at work.',
      cause: error,
    });
  }
}
