/** What a peer that cannot be connected to, or is another one, is told as. */
import { MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { ConnectFailures } from '../identity/pinned-connector.ts';

export interface PeerAddress {
  readonly peerId: PeerId;
  readonly authority: string;
}

export function connectFailures(peer: PeerAddress): ConnectFailures {
  return {
    unreachable: (reason, cause) => unreachable(peer, reason, cause),
    pinMismatch: () =>
      new MeshwardError(
        'gbs-pin-mismatch',
        `${peer.authority} does not hold the key of peer ${peer.peerId}; nothing was sent to it`,
        {
          next: 'Another program or machine answers at this address. If the peer was set up anew, enrol it again; if not, find out who answers there.',
          details: { peerId: peer.peerId, address: peer.authority },
        },
      ),
  };
}

export function unreachable(peer: PeerAddress, reason: string, cause?: unknown): MeshwardError {
  return new MeshwardError('gbs-unreachable', `peer ${peer.peerId} at ${peer.authority}: ${reason}`, {
    next: 'Nothing needs doing if the peer comes back. Otherwise check that it runs and that its address and port can be reached from here.',
    retryable: true,
    details: { peerId: peer.peerId, address: peer.authority },
    ...(cause === undefined ? {} : { cause }),
  });
}
