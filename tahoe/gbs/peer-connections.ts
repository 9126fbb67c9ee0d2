/** Connections to many peers: a small keep-alive pool for each, all of them bounded, the longest unused closed first. */
import type { Clock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { Nurl } from '../identity/nurl.ts';
import { connectPinned, pinnedContext, SessionCache } from '../identity/pinned-connector.ts';
import { authorizationValue } from './authorization.ts';
import { OverlongBody } from './body-sink.ts';
import { connectFailures, unreachable } from './connect-failures.ts';
import {
  type Answer,
  BrokenConnection,
  type Connect,
  type ExchangeRequest,
  PeerConnection,
  type RunningExchange,
} from './peer-connection.ts';
import { RequestQueue } from './request-queue.ts';
import { ImproperResponse } from './response-parser.ts';

export interface StorageClientLimits {
  /** Requests at once to all peers. @default 256 */
  readonly maxRequests: number;
  /** Connections, and so requests at once, to one peer. @default 4 */
  readonly maxConnectionsPerPeer: number;
  /** Requests that may wait for one peer; further ones fail with `service-busy`. @default 1024 */
  readonly maxWaitingPerPeer: number;
  /** Peers whose connections are kept; where more are in use, the unused ones are closed first. @default 512 */
  readonly maxPeers: number;
  /** TLS handshake included. @default 10 s */
  readonly connectTimeoutMs: number;
  /** A request may take this long once it has started, and longer by its bytes at `minimumBytesPerSecond`. @default 30 s */
  readonly requestTimeoutMs: number;
  /** A peer that moves share data slower than this counts as unreachable. @default 16 KiB/s */
  readonly minimumBytesPerSecond: number;
  /** Unused connections are closed after this long. @default 30 s */
  readonly idleConnectionMs: number;
}

export const defaultStorageClientLimits: StorageClientLimits = {
  maxRequests: 256,
  maxConnectionsPerPeer: 4,
  maxWaitingPerPeer: 1024,
  maxPeers: 512,
  connectTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  minimumBytesPerSecond: 16 * 1024,
  idleConnectionMs: 30_000,
};

/** How one request is run. */
export interface RequestControl {
  readonly signal?: AbortSignal | undefined;
  /** In place of the client's own `requestTimeoutMs`. */
  readonly timeoutMs?: number | undefined;
  /** Called when the request has waited for its turn and starts: here its time limit begins. */
  readonly onStart?: (() => void) | undefined;
}

export interface PeerRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT';
  readonly path: string;
  /** Names and values in turn; the authorization is added. */
  readonly headers: readonly string[];
  readonly body?: Uint8Array;
  readonly bodyMaxBytes: ExchangeRequest['bodyMaxBytes'];
  /** Share bytes that this request moves: they lengthen its deadline. */
  readonly transferBytes: number;
  readonly control?: RequestControl | undefined;
}

/** `wasRepeated`: the first attempt broke without an answer, so the peer may have acted twice. */
export type PeerAnswer = Answer & { readonly wasRepeated: boolean };

interface PeerEntry {
  readonly nurl: Nurl;
  readonly key: string;
  readonly authorization: string;
  readonly connect: Connect;
  readonly connections: Set<PeerConnection>;
  /** The one that was used last comes last. */
  readonly idle: { readonly connection: PeerConnection; readonly sinceMs: number }[];
}

/** What a connection brings at a time: TLS has no longer records. */
const readBytes = 16 * 1024;

export class PeerConnections {
  readonly #clock: Clock;
  readonly #limits: StorageClientLimits;
  readonly #sessions: SessionCache;
  readonly #context = pinnedContext('TLSv1.2');
  readonly #queue: RequestQueue;
  /** In order of use, oldest first. */
  readonly #peers = new Map<string, PeerEntry>();
  readonly #readBuffer = Buffer.allocUnsafeSlow(readBytes);
  #callOffSweep: (() => void) | undefined;
  #isClosed = false;

  constructor(clock: Clock, limits: StorageClientLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#sessions = new SessionCache(limits.maxPeers * 2);
    this.#queue = new RequestQueue({
      maxRunning: limits.maxRequests,
      maxRunningPerPeer: limits.maxConnectionsPerPeer,
      maxWaitingPerPeer: limits.maxWaitingPerPeer,
    });
  }

  get peerCount(): number {
    return this.#peers.size;
  }

  get requestTimeoutMs(): number {
    return this.#limits.requestTimeoutMs;
  }

  get runningRequests(): number {
    return this.#queue.running;
  }

  /**
   * @throws MeshwardError `gbs-unreachable`, `gbs-pin-mismatch`, `gbs-protocol`, `service-busy`; the signal's reason where it
   * is aborted. Any status is an answer.
   */
  async send(nurl: Nurl, request: PeerRequest): Promise<PeerAnswer> {
    const { signal, timeoutMs = this.#limits.requestTimeoutMs, onStart } = request.control ?? {};
    const entry = this.#entryOf(nurl);
    await this.#queue.acquire(entry.key, signal);
    const giveBack = (): void => this.#queue.release(entry.key);
    if (isAborted(signal)) {
      giveBack();
      throw signal?.reason;
    }
    onStart?.();
    const deadlineMs = timeoutMs + (request.transferBytes * 1000) / this.#limits.minimumBytesPerSecond;
    let released = Promise.resolve();
    try {
      for (let attempt = 1; ; attempt++) {
        const exchange = this.#start(entry, request, attempt);
        released = exchange.released;
        const callOffDeadline = this.#clock.after(deadlineMs, () =>
          exchange.abort(unreachable(nurl, `no full answer within ${Math.round(deadlineMs)} ms`)),
        );
        const onAbort = (): void => exchange.abort(signal?.reason as Error);
        signal?.addEventListener('abort', onAbort, { once: true });
        try {
          return { ...(await exchange.answer), wasRepeated: attempt > 1 };
        } catch (error) {
          // An idle connection that the peer closed just now breaks like this. Every request of GBS may be sent twice.
          const mayGoOn = !this.#isClosed && !isAborted(signal);
          if (attempt === 1 && isBroken(error) && !exchange.hasResponse() && mayGoOn) continue;
          throw isAborted(signal) ? error : typed(nurl, error);
        } finally {
          callOffDeadline();
          signal?.removeEventListener('abort', onAbort);
        }
      }
    } finally {
      // A request given up while it was connecting still counts until its connection is.
      void released.then(giveBack);
    }
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#callOffSweep?.();
    for (const entry of this.#peers.values()) closeAll(entry);
    this.#peers.clear();
    return Promise.resolve();
  }

  #start(entry: PeerEntry, request: PeerRequest, attempt: number): RunningExchange {
    // What broke an idle connection broke the others as well, as a rule.
    if (attempt > 1) for (const { connection } of entry.idle.splice(0)) connection.destroy();
    const connection = this.#connectionTo(entry);
    const { body, bodyMaxBytes } = request;
    return connection.start({ head: headOf(entry, request), body, bodyMaxBytes });
  }

  #connectionTo(entry: PeerEntry): PeerConnection {
    for (let last = entry.idle.pop(); last !== undefined; last = entry.idle.pop()) {
      if (!last.connection.isClosed) return last.connection;
      entry.connections.delete(last.connection);
    }
    for (const one of entry.connections) if (one.isClosed) entry.connections.delete(one);
    const connection = new PeerConnection(entry.connect, this.#readBuffer, () => {
      entry.idle.push({ connection, sinceMs: this.#clock.monotonicMs() });
      this.#scheduleSweep();
    });
    entry.connections.add(connection);
    return connection;
  }

  #scheduleSweep(): void {
    if (this.#isClosed) return;
    const { idleConnectionMs } = this.#limits;
    this.#callOffSweep ??= this.#clock.after(idleConnectionMs / 2, () => {
      this.#callOffSweep = undefined;
      const beforeMs = this.#clock.monotonicMs() - idleConnectionMs;
      let isAnyIdle = false;
      for (const { idle, connections } of this.#peers.values()) {
        while (idle[0] !== undefined && (idle[0].sinceMs <= beforeMs || idle[0].connection.isClosed)) {
          idle[0].connection.destroy();
          connections.delete(idle[0].connection);
          idle.shift();
        }
        isAnyIdle ||= idle.length > 0;
      }
      if (isAnyIdle) this.#scheduleSweep();
    });
  }

  #entryOf(nurl: Nurl): PeerEntry {
    if (this.#isClosed) {
      throw new MeshwardError('cancelled', 'the storage client is closed', {
        next: 'The service is shutting down; nothing needs doing.',
      });
    }
    const key = nurl.revealText();
    const known = this.#peers.get(key);
    if (known !== undefined) {
      this.#peers.delete(key);
      this.#peers.set(key, known);
      return known;
    }
    const { connectTimeoutMs } = this.#limits;
    const server = { host: nurl.host, port: nurl.port, pin: nurl.peerId, context: this.#context };
    const options = {
      clock: this.#clock,
      sessions: this.#sessions,
      connectTimeoutMs,
      failures: connectFailures(nurl),
    };
    const entry: PeerEntry = {
      nurl,
      key,
      authorization: authorizationValue(nurl.revealSwissnum()),
      connect: (onread, callback) => connectPinned(server, options, (...[error]) => callback(error), onread),
      connections: new Set(),
      idle: [],
    };
    this.#peers.set(key, entry);
    if (this.#peers.size > this.#limits.maxPeers) this.#closeUnused();
    return entry;
  }

  /** Peers in use stay: there are never more of them than requests running and waiting. */
  #closeUnused(): void {
    for (const [key, entry] of this.#peers) {
      if (this.#peers.size <= this.#limits.maxPeers) return;
      if (!this.#queue.isIdle(key)) continue;
      this.#peers.delete(key);
      closeAll(entry);
    }
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function closeAll({ connections, idle }: PeerEntry): void {
  idle.length = 0;
  for (const connection of connections) connection.destroy();
}

function headOf({ nurl, authorization }: PeerEntry, { method, path, headers, body }: PeerRequest): string {
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${nurl.authority}`, `Authorization: ${authorization}`];
  for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
  if (method !== 'GET') lines.push(`Content-Length: ${body?.length ?? 0}`);
  // A line that ends within itself would be two headers, or another request.
  if (!lines.every((line) => /^[\x20-\x7e]*$/.test(line))) throw new RangeError('a header that HTTP cannot carry');
  return `${lines.join('\r\n')}\r\n\r\n`;
}

const brokenConnectionCodes = new Set(['ECONNRESET', 'EPIPE']);

function isBroken(error: unknown): boolean {
  if (error instanceof MeshwardError) return false;
  return error instanceof BrokenConnection || brokenConnectionCodes.has((error as { code?: string }).code ?? '');
}

function typed(nurl: Nurl, error: unknown): Error {
  if (error instanceof MeshwardError) return error;
  if (error instanceof OverlongBody || error instanceof ImproperResponse) {
    return protocolError(nurl, 'its answer is not proper HTTP or longer than was asked for', error);
  }
  return unreachable(nurl, 'the connection broke', error);
}

export function protocolError(nurl: Nurl, reason: string, cause?: unknown): MeshwardError {
  return new MeshwardError(
    'gbs-protocol',
    `peer ${nurl.peerId} at ${nurl.authority} does not keep to the storage protocol: ${reason}`,
    {
      next: 'Check which software and version runs on that peer; until then its shares cannot be used.',
      details: { peerId: nurl.peerId, address: nurl.authority },
      ...(cause === undefined ? {} : { cause }),
    },
  );
}
