/** Peers of a measurement: keys that travel between its processes as text. */
import { create } from '@bufbuild/protobuf';
import { peerRecord } from '#collector/gateway/enrolment-records.ts';
import type { AppendRecord } from '#log/port.ts';
import { EnrolledPeerSchema } from '#mesh/generated/events_pb.js';
import { type PeerId, peerIdToBytes } from '#mesh/peer-id.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';

export interface TextIdentity {
  readonly peerId: PeerId;
  readonly key: string;
  readonly cert: string;
}

export async function newIdentity(): Promise<TextIdentity> {
  const identity = await createPeerIdentity();
  return { peerId: identity.peerId, key: privateKeyPem(identity), cert: identity.certificatePem };
}

export function newIdentities(count: number): Promise<TextIdentity[]> {
  return Promise.all(Array.from({ length: count }, () => newIdentity()));
}

/** As an enrolment would have left it. @param incarnation under which it was heard already. */
export function enrolledRecord(peerId: PeerId, incarnation = 0): AppendRecord {
  const peer = create(EnrolledPeerSchema, {
    peerId: peerIdToBytes(peerId),
    name: peerId.slice(0, 8),
    enrolledAtMs: BigInt(Date.now()),
    batchIncarnation: BigInt(incarnation),
    eventIncarnation: BigInt(incarnation),
  });
  return peerRecord(peer, -1);
}
