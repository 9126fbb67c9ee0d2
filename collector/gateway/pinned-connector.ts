/**
 * Connections to one server that is known by the pin of its key. A socket is handed on only after the pin was checked, so
 * nothing of a request is ever written to a server that is not the one meant.
 */
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { buildConnector } from 'undici';
import { MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { peerIdOfCertificate } from '#tahoe/identity/peer-key.ts';

export interface PinnedServer {
  readonly host: string;
  readonly port: number;
  readonly pin: PeerId;
  /** PEM; shown to the server as the caller's identity. */
  readonly key: string;
  readonly cert: string;
  readonly connectTimeoutMs: number;
}

/** For undici's `connect` option. Resumes the last session where the server lets it. */
export function pinnedConnector(server: PinnedServer): buildConnector.connector {
  let session: Buffer | undefined;
  return (_options, callback) => {
    const resumed = session;
    const options: ConnectionOptions = {
      host: server.host,
      port: server.port,
      key: server.key,
      cert: server.cert,
      rejectUnauthorized: false, // the pin below is what is checked, not a name or a signer
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['http/1.1'],
      ...(resumed === undefined ? {} : { session: resumed }),
    };
    const socket = connect(options);
    let isSettled = false;
    const fail = (error: Error): void => {
      if (isSettled) return;
      isSettled = true;
      session = undefined;
      socket.destroy();
      callback(error, null);
    };
    socket.setNoDelay(true);
    socket.setTimeout(server.connectTimeoutMs, () => fail(new Error('the TLS handshake took too long')));
    socket.on('error', fail);
    socket.once('close', () => fail(new Error('the server closed the connection in the handshake')));
    socket.once('secureConnect', () => {
      socket.setTimeout(0);
      // A resumed session shows no certificate, and needs none: only sessions of the pinned server are kept, and only it can resume them.
      const isProven = resumed !== undefined && socket.isSessionReused();
      const shown = isProven ? server.pin : pinOf(socket);
      if (shown !== server.pin) {
        fail(pinMismatch(shown));
        return;
      }
      // A session is kept only from a server that was checked, and comes after the handshake in TLS 1.3.
      socket.on('session', (next) => {
        session = next;
      });
      isSettled = true;
      callback(null, socket);
    });
  };
}

function pinOf(socket: TLSSocket): PeerId | null {
  try {
    const certificate = socket.getPeerX509Certificate();
    return certificate === undefined ? null : peerIdOfCertificate(certificate);
  } catch {
    return null;
  }
}

function pinMismatch(shown: PeerId | null): MeshwardError {
  return new MeshwardError(
    'gbs-pin-mismatch',
    `the server shows ${shown === null ? 'no readable key' : `the key ${shown}`}, which is not the pinned one; nothing was sent`,
    { next: 'Check the pin: `meshward token` prints it. If the server was set up anew, its pin is new as well.' },
  );
}
