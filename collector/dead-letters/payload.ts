/** What a letter holds, as people read it: decoded where it can be read, else in hexadecimal. */
import { type DescMessage, fromBinary, type MessageShape, toJson } from '@bufbuild/protobuf';
import { formatVerifyCap } from '#mesh/caps.ts';
import {
  type DeadLetter,
  InventoryPhase,
  ManifestOrigin,
  type PeerEvent,
  PeerEventSchema,
  PeerEventsRecordSchema,
  type ShareBatch,
  ShareEventKind,
  ShareEventsRecordSchema,
} from '#mesh/generated/events_pb.js';
import { peerIdBytes, peerIdFromBytes } from '#mesh/peer-id.ts';
import { storageIndexBytes, storageIndexFromBytes } from '#mesh/storage-index.ts';
import type { Topics } from '#mesh/topics.ts';
import { postFormOf, readPost } from '../gateway/read-post.ts';
import { showableHex, showableValue } from './secrets.ts';
import { positionOf } from './source.ts';

export type ShownPayload =
  | { readonly form: 'decoded'; readonly value: unknown }
  | { readonly form: 'hex'; readonly hex: string }
  /** None of it was kept: it may hold a secret. */
  | { readonly form: 'withheld' };

export function showPayload(letter: DeadLetter, topics: Topics): ShownPayload {
  const { payload, payloadBytes } = letter;
  if (payload.length === 0 && payloadBytes > 0n) return { form: 'withheld' };
  try {
    return { form: 'decoded', value: showableValue(decode(letter, topics)) };
  } catch {
    return { form: 'hex', hex: showableHex(payload) };
  }
}

/** @throws whatever keeps it from being read. */
function decode({ payload, source, contentType }: DeadLetter, topics: Topics): unknown {
  const position = positionOf(source);
  if (position?.topic === topics.shareEvents.name) {
    const record = fromBinary(ShareEventsRecordSchema, payload);
    const body = requireBody(record);
    return body.case === 'batch' ? { batch: describeBatch(body.value) } : jsonOf(ShareEventsRecordSchema, record);
  }
  if (position?.topic === topics.peerEvents.name) {
    const record = fromBinary(PeerEventsRecordSchema, payload);
    const body = requireBody(record);
    return body.case === 'event' ? { event: describeEvent(body.value) } : jsonOf(PeerEventsRecordSchema, record);
  }
  if (position !== null) throw new RangeError('a record of another topic');
  if (postFormOf(contentType) === 'json') return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  const body = requireBody(readPost(payload, 'protobuf'));
  return body.case === 'batch' ? { batch: describeBatch(body.value) } : { event: describeEvent(body.value) };
}

/** What holds nothing that is known is told byte by byte. @throws RangeError */
function requireBody<B extends { readonly case: string | undefined }>({ body }: { readonly body: B }) {
  if (body.case === undefined) throw new RangeError('it has no body');
  return body as Exclude<B, { readonly case: undefined }>;
}

/** @throws RangeError where the columns do not fit together. */
function describeBatch(batch: ShareBatch) {
  const { storageIndexes, shareNumbers, kinds, inventory } = batch;
  if (storageIndexes.length !== kinds.length * storageIndexBytes || shareNumbers.length !== kinds.length) {
    throw new RangeError('columns of different lengths');
  }
  return {
    ...orderOf(batch),
    events: Array.from(kinds, (kind, i) => ({
      file: storageIndexFromBytes(storageIndexes, i * storageIndexBytes),
      share: shareNumbers[i],
      kind: ShareEventKind[kind]?.toLowerCase() ?? kind,
    })),
    manifests: batch.manifests.map(({ storageIndex, uebHash, k, n, sizeBytes, origin, tag }) => ({
      file: storageIndexFromBytes(storageIndex),
      k,
      n,
      sizeBytes: Number(sizeBytes),
      tag,
      origin: ManifestOrigin[origin]?.toLowerCase() ?? origin,
      verifyCap: formatVerifyCap({
        storageIndex: storageIndexFromBytes(storageIndex),
        uebHash,
        k,
        n,
        sizeBytes: Number(sizeBytes),
      }),
    })),
    deletedFiles: Array.from({ length: batch.deletedFiles.length / storageIndexBytes }, (_, i) =>
      storageIndexFromBytes(batch.deletedFiles, i * storageIndexBytes),
    ),
    inventory:
      inventory === undefined
        ? null
        : {
            phase: InventoryPhase[inventory.phase]?.toLowerCase() ?? inventory.phase,
            generation: inventory.generation,
          },
  };
}

function describeEvent(event: PeerEvent) {
  const said = jsonOf(PeerEventSchema, event);
  return { ...said, ...orderOf(event) };
}

function orderOf({
  peerId,
  incarnation,
  sequence,
  observedAtMs,
}: Pick<PeerEvent, 'peerId' | 'incarnation' | 'sequence' | 'observedAtMs'>) {
  return {
    peerId: peerId.length === peerIdBytes ? peerIdFromBytes(peerId) : Buffer.from(peerId).toString('hex'),
    incarnation: Number(incarnation),
    sequence: Number(sequence),
    observedAtMs: Number(observedAtMs),
  };
}

function jsonOf<T extends DescMessage>(schema: T, message: MessageShape<T>): object {
  return toJson(schema, message) as object;
}
