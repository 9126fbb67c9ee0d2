/**
 * Whether a dead letter can be taken now, by the checks that its sender would meet today: those of the collector for a post,
 * those of the analyzer for a record of the log. What comes out are the records to append, or why there are none.
 */
import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import type { AppendRecord } from '#log/port.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { readPeerEvents, readShareEvents } from '#mesh/events/records.ts';
import { type DeadLetter, type FileManifest, ManifestOrigin, ShareBatchSchema } from '#mesh/generated/events_pb.js';
import type { EventOrder } from '#mesh/incarnation.ts';
import { type PeerId, peerIdBytes, peerIdFromBytes, peerIdToBytes } from '#mesh/peer-id.ts';
import type { Topics } from '#mesh/topics.ts';
import { checkPost } from '../gateway/check-post.ts';
import { encodeParts } from '../gateway/encode-parts.ts';
import type { EnrolmentTable } from '../gateway/enrolment-table.ts';
import { recordsOf, speaksFor } from '../gateway/post-records.ts';
import { postFormOf, readPost } from '../gateway/read-post.ts';
import { readBatchManifests } from './batch-manifests.ts';
import { positionOf, type RecordPosition } from './source.ts';

export interface ReplayRecords {
  /** Name of the topic that all of them belong to. */
  readonly topic: string;
  readonly records: readonly AppendRecord[];
  /** Those that hold whatever the peer has said since. */
  readonly othersRecords: readonly AppendRecord[];
  /** What the letter held. */
  readonly value: Uint8Array;
  /** Whose word it is, and its place in the order of that; null where it stands outside of it. */
  readonly said: { readonly peerId: PeerId; readonly order: EventOrder } | null;
  /** Where the record stood; null for a post that was refused before it was in the log. */
  readonly position: RecordPosition | null;
}

/** Names the letter in the records that came of it. */
export const replayHeader = 'meshward-replay-of';

/** @throws MeshwardError with what is still wrong: `batch-malformed`, `event-unknown`, `peer-…`, `bad-input`. */
export function checkReplay(
  letter: DeadLetter,
  number: number,
  topics: Topics,
  enrolled: EnrolmentTable,
): ReplayRecords {
  if (BigInt(letter.payload.length) !== letter.payloadBytes) throw notWhole(letter);
  const headers = { [replayHeader]: `${topics.deadLetters.name}@${number}` };
  const position = positionOf(letter.source);
  return position === null
    ? fromPost(letter, number, topics, enrolled, headers)
    : fromRecord(letter, position, number, topics, enrolled, headers);
}

function fromPost(
  letter: DeadLetter,
  number: number,
  topics: Topics,
  enrolled: EnrolmentTable,
  headers: Readonly<Record<string, string>>,
): ReplayRecords {
  const form = postFormOf(letter.contentType);
  if (form === null) throw refused('it was sent with a content type that no collector takes');
  if (letter.peerId.length !== peerIdBytes) throw refused('nobody proved to have sent it');
  const peerId = peerIdFromBytes(letter.peerId);
  const { domains } = requireEnrolled(enrolled, peerId);
  const post = checkPost(readPost(letter.payload, form));
  if (!speaksFor(post, peerId)) {
    throw new MeshwardError('peer-impersonation', 'it speaks for another peer than the one that sent it', {
      next: 'Let it be: only the peer itself may say this.',
    });
  }
  const made = recordsOf(post, peerId, domains, topics, headers);
  // What only a newer release understands would become dead letters once more.
  if (post.kind === 'batch' && post.holdsUnknown) for (const { value } of made.records) requireKnown(value);
  const manifests = post.kind === 'batch' ? post.batch.manifests : [];
  if (made.records.length === 0) throw refused('it says nothing');
  return {
    ...made,
    othersRecords: manifestRecords(manifests, number, topics, headers),
    value: letter.payload,
    said: { peerId, order: post.order },
    position: null,
  };
}

function fromRecord(
  letter: DeadLetter,
  position: RecordPosition,
  number: number,
  topics: Topics,
  enrolled: EnrolmentTable,
  headers: Readonly<Record<string, string>>,
): ReplayRecords {
  const { shareEvents, peerEvents } = topics;
  const topic = [shareEvents, peerEvents].find(({ name }) => name === position.topic);
  if (topic === undefined) throw refused(`records of ${position.topic} are not replayed`);
  if (position.partition >= topic.partitions) throw refused(`${topic.name} has no partition ${position.partition}`);
  const value = letter.payload;
  const read = topic === shareEvents ? requireKnown(value) : readPeerEvents(value);
  if (read.kind !== 'batch' && read.kind !== 'event') throw refused('it is a tick of the log, whose time has passed');
  const peerId = read.kind === 'batch' ? read.batch.peer : read.peer;
  const order = read.kind === 'batch' ? read.batch : read;
  if (enrolled.peer(peerId)?.peer.revoked === true) throw revoked(peerId);
  const manifests = read.kind === 'batch' ? readBatchManifests(value) : [];
  const isOperators = order.incarnation === 0;
  return {
    topic: topic.name,
    records: [{ partition: position.partition, key: peerIdToBytes(peerId), value, headers }],
    othersRecords: manifestRecords(manifests, number, topics, headers),
    value,
    said: isOperators ? null : { peerId, order: { incarnation: order.incarnation, sequence: order.sequence } },
    position,
  };
}

/** @throws MeshwardError `batch-malformed`, `event-unknown`. */
function requireKnown(value: Uint8Array | null) {
  const read = readShareEvents(value ?? new Uint8Array());
  if (read.kind === 'batch' && read.unknown !== null) throw read.unknown;
  return read;
}

/**
 * Manifests that peers derived hold whenever they are said, where share events do not: a peer's later batches overrule them. So
 * they are said once more, in the letter's own name, whose one batch is applied once however often it is replayed.
 */
function manifestRecords(
  manifests: readonly FileManifest[],
  number: number,
  topics: Topics,
  headers: Readonly<Record<string, string>>,
): readonly AppendRecord[] {
  const derived = manifests.filter(({ origin }) => origin === ManifestOrigin.DERIVED);
  if (derived.length === 0) return [];
  const name = createHash('sha256').update(`meshward replay of ${topics.deadLetters.name}@${number}`).digest();
  const peerId = new Uint8Array(name);
  const batch = create(ShareBatchSchema, { peerId, incarnation: 1n, sequence: 1n, manifests: derived });
  return encodeParts(batch, topics.shareEvents.partitions).map((part) => ({ ...part, key: peerId, headers }));
}

function requireEnrolled(
  enrolled: EnrolmentTable,
  peerId: PeerId,
): { readonly domains: Readonly<Record<string, string>> } {
  const peer = enrolled.peer(peerId)?.peer;
  if (peer === undefined) {
    throw new MeshwardError('peer-unknown', `the peer ${peerId} is not enrolled`, {
      next: 'Enrol it first (`meshward token`), if it is to be one of the mesh.',
    });
  }
  if (peer.revoked) throw revoked(peerId);
  return peer;
}

function revoked(peerId: PeerId): MeshwardError {
  return new MeshwardError('peer-revoked', `the peer ${peerId} is revoked`, {
    next: 'Restore it first (`meshward peer restore`), if it is to be believed.',
  });
}

function notWhole({ payload, payloadBytes }: DeadLetter): MeshwardError {
  return payload.length === 0
    ? refused('nothing of it was kept, since it may hold a secret or was refused before it was read')
    : refused(`only ${payload.length} of its ${payloadBytes} bytes were kept (collector.deadLetterPayloadBytes)`);
}

function refused(why: string): MeshwardError {
  return new MeshwardError('bad-input', why, { next: 'Let it be, and have its sender say it again.' });
}
