/** What is to be known of a peer out of its enrolment. */
import type { EnrolledPeer } from '#mesh/generated/events_pb.js';
import type { EnrolmentFacts } from './peer-register.ts';

export function enrolmentFactsOf(peer: EnrolledPeer): EnrolmentFacts {
  return {
    name: peer.name,
    domains: peer.domains,
    revoked: peer.revoked,
    capacityBytes: Number(peer.capacityBytes),
    inventoryRequest: Number(peer.settings?.inventoryRequest ?? 0n),
    outdatedAtMs: Number(peer.outdatedAtMs),
  };
}
