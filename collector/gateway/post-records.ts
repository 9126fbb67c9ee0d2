/** The records of the log that a checked post becomes. */
import { create, toBinary } from '@bufbuild/protobuf';
import type { AppendRecord } from '#log/port.ts';
import { PeerEventsRecordSchema } from '#mesh/generated/events_pb.js';
import type { PeerId } from '#mesh/peer-id.ts';
import { peerIdToBytes } from '#mesh/peer-id.ts';
import { partitionOfStorageIndex } from '#mesh/storage-index.ts';
import type { Topics } from '#mesh/topics.ts';
import type { CheckedPost } from './check-post.ts';
import { encodeParts } from './encode-parts.ts';

export interface PostRecords {
  /** Name of the topic that they belong to. */
  readonly topic: string;
  /** Keyed with the peer's id; none for a batch that says nothing. */
  readonly records: readonly AppendRecord[];
}

/** @param boundDomains the failure domains that enrolment bound the peer to: it may name kinds left open, and move none. */
export function recordsOf(
  post: CheckedPost,
  peer: PeerId,
  boundDomains: Readonly<Record<string, string>>,
  topics: Topics,
  headers: Readonly<Record<string, string>>,
): PostRecords {
  const key = peerIdToBytes(peer);
  if (post.kind === 'batch') {
    const { name, partitions } = topics.shareEvents;
    const records = encodeParts(post.batch, partitions).map(({ partition, value }) => ({
      partition,
      key,
      value,
      headers,
    }));
    return { topic: name, records };
  }
  const { event } = post;
  if (event.body.case === 'announce') event.body.value.domains = { ...event.body.value.domains, ...boundDomains };
  const { name, partitions } = topics.peerEvents;
  const value = toBinary(
    PeerEventsRecordSchema,
    create(PeerEventsRecordSchema, { body: { case: 'event', value: event } }),
  );
  return { topic: name, records: [{ partition: partitionOfStorageIndex(key, 0, partitions), key, value, headers }] };
}

/** Whether the post speaks for the peer itself. */
export function speaksFor(post: CheckedPost, peer: PeerId): boolean {
  const said = post.kind === 'batch' ? post.batch.peerId : post.event.peerId;
  return Buffer.compare(said, peerIdToBytes(peer)) === 0;
}
