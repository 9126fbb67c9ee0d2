/** Records of the log as collectors write them, made from the values of tests. */
import { create, toBinary } from '@bufbuild/protobuf';
import type { PeerBatch } from '../events/share-batch.ts';
import {
  AnnounceSchema,
  DepartSchema,
  DrainSchema,
  EnrolmentSchema,
  HeartbeatSchema,
  InventoryPhase,
  MaintenanceSchema,
  ManifestOrigin,
  PeerEventsRecordSchema,
  ShareEventsRecordSchema,
} from '../generated/events_pb.js';
import { peerIdToBytes } from '../peer-id.ts';
import type { Domains } from '../peer-state.ts';
import { storageIndexToBytes } from '../storage-index.ts';
import { peerOf } from './share-events.ts';

export function shareBatchRecord(batch: PeerBatch): Uint8Array {
  const { inventory } = batch;
  return toBinary(
    ShareEventsRecordSchema,
    create(ShareEventsRecordSchema, {
      body: {
        case: 'batch',
        value: {
          peerId: peerIdToBytes(batch.peer),
          incarnation: BigInt(batch.incarnation),
          sequence: BigInt(batch.sequence),
          storageIndexes: batch.storageIndexes,
          shareNumbers: batch.shareNumbers,
          kinds: batch.kinds,
          manifests: batch.registrations.map(({ manifest, origin, tag }) => ({
            storageIndex: storageIndexToBytes(manifest.storageIndex),
            uebHash: manifest.uebHash,
            k: manifest.k,
            n: manifest.n,
            sizeBytes: BigInt(manifest.sizeBytes),
            origin: origin === 'owner' ? ManifestOrigin.OWNER : ManifestOrigin.DERIVED,
            tag,
          })),
          deletedFiles: batch.deletedFiles,
          ...(inventory === null
            ? {}
            : {
                inventory: {
                  phase: inventory.phase === 'begin' ? InventoryPhase.BEGIN : InventoryPhase.END,
                  generation: inventory.generation,
                },
              }),
        },
      },
    }),
  );
}

export function shareTick(atMs: number): Uint8Array {
  const body = { case: 'tick', value: { atMs: BigInt(atMs) } } as const;
  return toBinary(ShareEventsRecordSchema, create(ShareEventsRecordSchema, { body }));
}

export function peerTick(atMs: number): Uint8Array {
  const body = { case: 'tick', value: { atMs: BigInt(atMs) } } as const;
  return toBinary(PeerEventsRecordSchema, create(PeerEventsRecordSchema, { body }));
}

export type PeerSaying =
  | { readonly says: 'announce'; readonly domains?: Domains }
  | { readonly says: 'heartbeat'; readonly sharesHeld?: number }
  | { readonly says: 'drain'; readonly draining: boolean }
  | { readonly says: 'maintenance'; readonly untilMs: number }
  | { readonly says: 'depart' };

/** Incarnation 0 is an operator's word about the peer. */
export function peerEvent(peer: number, incarnation: number, sequence: number, saying: PeerSaying): Uint8Array {
  return toBinary(
    PeerEventsRecordSchema,
    create(PeerEventsRecordSchema, {
      body: {
        case: 'event',
        value: {
          peerId: peerIdToBytes(peerOf(peer)),
          incarnation: BigInt(incarnation),
          sequence: BigInt(sequence),
          body: bodyOf(peer, saying),
        },
      },
    }),
  );
}

function bodyOf(peer: number, saying: PeerSaying) {
  switch (saying.says) {
    case 'announce': {
      const domains = { ...saying.domains };
      const facts = { name: `peer-${peer}`, domains, host: '127.0.0.1', port: 7, agentVersion: '1', capacityBytes: 9n };
      return { case: 'announce', value: create(AnnounceSchema, facts) } as const;
    }
    case 'heartbeat': {
      const vitals = saying.sharesHeld === undefined ? {} : { vitals: { sharesHeld: BigInt(saying.sharesHeld) } };
      return { case: 'heartbeat', value: create(HeartbeatSchema, vitals) } as const;
    }
    case 'drain':
      return { case: 'drain', value: create(DrainSchema, { draining: saying.draining }) } as const;
    case 'maintenance':
      return { case: 'maintenance', value: create(MaintenanceSchema, { untilMs: BigInt(saying.untilMs) }) } as const;
    case 'depart':
      return { case: 'depart', value: create(DepartSchema, {}) } as const;
  }
}

export interface EnrolmentFields {
  readonly revoked?: boolean;
  readonly domains?: Domains;
  readonly inventoryRequest?: number;
}

export function enrolmentRecord(peer: number, fields: EnrolmentFields = {}) {
  const value = {
    peerId: peerIdToBytes(peerOf(peer)),
    name: `enrolled-${peer}`,
    domains: { ...fields.domains },
    nurl: 'pb://a-secret-swissnum',
    revoked: fields.revoked ?? false,
    capacityBytes: 5n,
    settings: { inventoryRequest: BigInt(fields.inventoryRequest ?? 0) },
  };
  const body = { case: 'peer', value } as const;
  return { key: peerIdToBytes(peerOf(peer)), value: toBinary(EnrolmentSchema, create(EnrolmentSchema, { body })) };
}
