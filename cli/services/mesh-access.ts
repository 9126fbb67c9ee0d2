/** The way to every peer's shares, for services that have the log and commands that have an operator's key. */
import { createApiClient } from '#analyzer/api/client.ts';
import type { PeerAnswer } from '#analyzer/api/schemas.ts';
import { parsePeerId } from '#mesh/peer-id.ts';
import type { PeerFact } from '#peers/peer-view.ts';

export function peerFactOf(peer: PeerAnswer): PeerFact {
  return {
    peerId: parsePeerId(peer.peerId),
    state: peer.state,
    // A peer that has not said what it can take is given nothing yet.
    freeBytes: peer.freeBytes ?? 0,
    domains: peer.domains,
  };
}

export async function fetchPeerFacts(apiUrl: string): Promise<readonly PeerFact[]> {
  const { peers } = await createApiClient(apiUrl).peers();
  // A peer that was never heard has not gone silent: it is not there yet.
  return peers.filter(({ silenceMs }) => silenceMs !== null).map(peerFactOf);
}
