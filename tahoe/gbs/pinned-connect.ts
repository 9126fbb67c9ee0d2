/**
 * TLS connections to peers that are known by their key alone. The pin is checked before the socket is handed to the HTTP
 * client, so that no request, and no secret in it, is ever written to anybody else. Names and authorities play no part:
 * certificates are self-signed (FORMAT section 11).
 */
import { timingSafeEqual } from 'node:crypto';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { buildConnector } from 'undici';
import type { Clock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { peerIdOfCertificate } from '../identity/peer-key.ts';

/** TLS sessions by peer, the longest unused forgotten first. */
export class SessionCache {
  readonly #sessions = new Map<string, Buffer>();
  readonly #maxSessions: number;

  constructor(maxSessions: number) {
    this.#maxSessions = maxSessions;
  }

  get(key: string): Buffer | undefined {
    return this.#sessions.get(key);
  }

  set(key: string, session: Buffer): void {
    this.#sessions.delete(key);
    this.#sessions.set(key, session);
    if (this.#sessions.size > this.#maxSessions) this.#sessions.delete(this.#sessions.keys().next().value as string);
  }

  delete(key: string): void {
    this.#sessions.delete(key);
  }
}

export interface PinnedPeer {
  readonly peerId: PeerId;
  readonly host: string;
  readonly port: number;
  readonly authority: string;
}

export function pinnedConnector(
  peer: PinnedPeer,
  options: { clock: Clock; sessions: SessionCache; connectTimeoutMs: number },
): buildConnector.connector {
  const { clock, sessions, connectTimeoutMs } = options;
  const key = `${peer.peerId}@${peer.authority}`;
  return (_request, callback) => {
    const session = sessions.get(key);
    const socket = connectTls({
      host: peer.host,
      port: peer.port,
      rejectUnauthorized: false, // the pin is checked below instead
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      ...(session === undefined ? {} : { session }),
    });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    let isSettled = false;
    const settle = (error: Error | null): void => {
      if (isSettled) return;
      isSettled = true;
      callOffTimeout();
      socket.removeListener('error', onError);
      socket.removeListener('close', onClose);
      if (error === null) {
        callback(null, socket);
        return;
      }
      sessions.delete(key);
      socket.on('error', () => undefined);
      socket.destroy();
      callback(error, null);
    };
    const callOffTimeout = clock.after(connectTimeoutMs, () =>
      settle(unreachable(peer, `no connection within ${connectTimeoutMs} ms`)),
    );
    const onError = (error: Error): void => settle(unreachable(peer, 'the connection failed', error));
    const onClose = (): void => settle(unreachable(peer, 'the connection was closed during the handshake'));
    socket.once('error', onError);
    socket.once('close', onClose);
    socket.once('secureConnect', () => {
      // A resumed session brings no certificate. It proves the key all the same: only sessions whose first handshake showed the
      // pinned key are kept, under that key, and none but its server can resume them.
      const isProven = session !== undefined && socket.isSessionReused();
      if (!isProven && !hasPin(socket, peer.peerId)) {
        settle(pinMismatch(peer));
        return;
      }
      // Only from here on: a session of somebody else must not be resumed.
      socket.on('session', (ticket) => sessions.set(key, ticket));
      settle(null);
    });
  };
}

function hasPin(socket: TLSSocket, peerId: PeerId): boolean {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return false;
  return timingSafeEqual(Buffer.from(peerIdOfCertificate(certificate)), Buffer.from(peerId));
}

function pinMismatch(peer: PinnedPeer): MeshwardError {
  return new MeshwardError(
    'gbs-pin-mismatch',
    `${peer.authority} does not hold the key of peer ${peer.peerId}; nothing was sent to it`,
    {
      next: 'Another program or machine answers at this address. If the peer was set up anew, enrol it again; if not, find out who answers there.',
      details: { peerId: peer.peerId, address: peer.authority },
    },
  );
}

export function unreachable(peer: PinnedPeer, reason: string, cause?: unknown): MeshwardError {
  return new MeshwardError('gbs-unreachable', `peer ${peer.peerId} at ${peer.authority}: ${reason}`, {
    next: 'Nothing needs doing if the peer comes back. Otherwise check that it runs and that its address and port can be reached from here.',
    retryable: true,
    details: { peerId: peer.peerId, address: peer.authority },
    ...(cause === undefined ? {} : { cause }),
  });
}
