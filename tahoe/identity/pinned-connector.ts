/**
 * TLS connections to servers that are known by their key alone. The pin is checked before the socket is handed to the HTTP
 * client, so that no request, and no secret in it, is ever written to anybody else. Names and authorities play no part:
 * certificates are self-signed (FORMAT section 11).
 */
import { timingSafeEqual } from 'node:crypto';
import type { OnReadOpts } from 'node:net';
import {
  connect as connectTls,
  createSecureContext,
  type SecureContext,
  type SecureVersion,
  type TLSSocket,
} from 'node:tls';
import type { buildConnector } from 'undici';
import type { Clock } from '#mesh/clock.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { peerIdOfCertificate } from './peer-key.ts';

/** TLS sessions by server, the longest unused forgotten first. */
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

export interface PinnedServer {
  readonly host: string;
  readonly port: number;
  /** Or those that are taken at the moment of a connection. */
  readonly pin: PeerId | (() => readonly PeerId[]);
  /** Of {@link pinnedContext}, for all connections of one caller: making one for each costs more than the handshake. */
  readonly context: SecureContext;
}

/** @param identity PEM; shown to servers as the caller's own. */
export function pinnedContext(
  minVersion: SecureVersion,
  identity?: { readonly key: string; readonly cert: string },
): SecureContext {
  // Without authorities: names and chains play no part where the key itself is known.
  return createSecureContext({ minVersion, ca: [], ...identity });
}

/** What a connection that does not come about is told as. */
export interface ConnectFailures {
  unreachable(reason: string, cause?: Error): Error;
  /** Another key answers, or one that cannot be read (null). */
  pinMismatch(shown: PeerId | null): Error;
}

export interface PinnedConnectorOptions {
  readonly clock: Clock;
  /** Of callers with one identity: a session is resumed as the one who began it. */
  readonly sessions: SessionCache;
  readonly connectTimeoutMs: number;
  readonly failures: ConnectFailures;
}

/** For undici's `connect` option. */
export function pinnedConnector(server: PinnedServer, options: PinnedConnectorOptions): buildConnector.connector {
  return (_request, callback) => void connectPinned(server, options, callback);
}

/** Where all that a connection brings is put and looked at, piece by piece, instead of in memory that is fresh for each piece. */
export type ReadInto = OnReadOpts;

/**
 * Resumes the last session where the server lets it.
 * @returns the socket, which is nobody's to write to before the callback.
 */
export function connectPinned(
  server: PinnedServer,
  { clock, sessions, connectTimeoutMs, failures }: PinnedConnectorOptions,
  callback: (...result: [null, TLSSocket] | [Error, null]) => void,
  onread?: ReadInto,
): TLSSocket {
  const pins = typeof server.pin === 'function' ? server.pin() : [server.pin];
  const key = `${pins.join()}@${server.host}:${server.port}`;
  const session = sessions.get(key);
  const socket = connectTls({
    host: server.host,
    port: server.port,
    rejectUnauthorized: false, // the pin is checked below instead
    secureContext: server.context,
    ALPNProtocols: ['http/1.1'],
    ...(session === undefined ? {} : { session }),
    ...(onread === undefined ? {} : { onread }),
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
    settle(failures.unreachable(`no connection within ${connectTimeoutMs} ms`)),
  );
  const onError = (error: Error): void => settle(failures.unreachable('the connection failed', error));
  const onClose = (): void => settle(failures.unreachable('the connection was closed during the handshake'));
  socket.once('error', onError);
  socket.once('close', onClose);
  socket.once('secureConnect', () => {
    // A resumed session brings no certificate. It proves the key all the same: only sessions whose first handshake showed a
    // pinned key are kept, under the keys that were pinned then, and none but its server can resume them.
    const isProven = session !== undefined && socket.isSessionReused();
    const shown = isProven ? null : shownKey(socket);
    if (!isProven && !pins.some((pin) => shown !== null && isSame(shown, pin))) {
      settle(failures.pinMismatch(shown));
      return;
    }
    // Only from here on: a session of somebody else must not be resumed.
    socket.on('session', (ticket) => sessions.set(key, ticket));
    settle(null);
  });
  return socket;
}

function shownKey(socket: TLSSocket): PeerId | null {
  try {
    const certificate = socket.getPeerX509Certificate();
    return certificate === undefined ? null : peerIdOfCertificate(certificate);
  } catch {
    return null;
  }
}

function isSame(shown: PeerId, pin: PeerId): boolean {
  return shown.length === pin.length && timingSafeEqual(Buffer.from(shown), Buffer.from(pin));
}
