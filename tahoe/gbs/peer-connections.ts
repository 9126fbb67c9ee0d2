/** Connections to many peers: a small keep-alive pool for each, all of them bounded, the longest unused closed first. */
import { Pool } from 'undici';
import type { Clock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { Nurl } from '../identity/nurl.ts';
import { pinnedConnector, pinnedContext, SessionCache } from '../identity/pinned-connector.ts';
import { authorizationValue } from './authorization.ts';
import { type Answer, type ExchangeOptions, OverlongBody, startExchange } from './bounded-exchange.ts';
import { connectFailures, unreachable } from './connect-failures.ts';
import { RequestQueue } from './request-queue.ts';

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
  readonly bodyMaxBytes: ExchangeOptions['bodyMaxBytes'];
  /** Share bytes that this request moves: they lengthen its deadline. */
  readonly transferBytes: number;
  readonly control?: RequestControl | undefined;
}

/** `wasRepeated`: the first attempt broke without an answer, so the peer may have acted twice. */
export type PeerAnswer = Answer & { readonly wasRepeated: boolean };

interface PeerEntry {
  readonly nurl: Nurl;
  readonly key: string;
  readonly pool: Pool;
  readonly authorization: string;
}

export class PeerConnections {
  readonly #clock: Clock;
  readonly #limits: StorageClientLimits;
  readonly #sessions: SessionCache;
  readonly #context = pinnedContext('TLSv1.2');
  readonly #queue: RequestQueue;
  /** In order of use, oldest first. */
  readonly #peers = new Map<string, PeerEntry>();
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
        const exchange = this.#start(entry, request);
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
          if (attempt === 1 && isBroken(error) && !exchange.hasResponse() && !isAborted(signal)) continue;
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

  async close(): Promise<void> {
    this.#isClosed = true;
    const entries = [...this.#peers.values()];
    this.#peers.clear();
    await Promise.all(entries.map((entry) => entry.pool.destroy()));
  }

  #start(entry: PeerEntry, request: PeerRequest): ReturnType<typeof startExchange> {
    return startExchange(entry.pool, {
      request: {
        origin: `https://${entry.nurl.authority}`,
        path: request.path,
        method: request.method,
        headers: ['Authorization', entry.authorization, ...request.headers],
        body: request.body ?? null,
      },
      bodyMaxBytes: request.bodyMaxBytes,
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
    const { maxConnectionsPerPeer, connectTimeoutMs, idleConnectionMs } = this.#limits;
    const pool = new Pool(`https://${nurl.authority}`, {
      connect: pinnedConnector(
        { host: nurl.host, port: nurl.port, pin: nurl.peerId, context: this.#context },
        { clock: this.#clock, sessions: this.#sessions, connectTimeoutMs, failures: connectFailures(nurl) },
      ),
      connections: maxConnectionsPerPeer,
      pipelining: 1,
      keepAliveTimeout: idleConnectionMs,
      keepAliveMaxTimeout: idleConnectionMs,
      maxHeaderSize: 8 * 1024,
      // One deadline for the whole request stands in `send`.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    const entry = {
      nurl,
      key,
      pool,
      authorization: authorizationValue(nurl.revealSwissnum()),
    };
    this.#peers.set(key, entry);
    if (this.#peers.size > this.#limits.maxPeers) this.#closeUnused();
    return entry;
  }

  /** Peers in use stay: there are never more of them than requests running and waiting. */
  #closeUnused(): void {
    for (const [key, { pool }] of this.#peers) {
      if (this.#peers.size <= this.#limits.maxPeers) return;
      if (!this.#queue.isIdle(key)) continue;
      this.#peers.delete(key);
      void pool.destroy();
    }
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

const brokenConnectionCodes = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

function isBroken(error: unknown): boolean {
  return !(error instanceof MeshwardError) && brokenConnectionCodes.has((error as { code?: string }).code ?? '');
}

function typed(nurl: Nurl, error: unknown): Error {
  if (error instanceof MeshwardError) return error;
  const { code = '', name = '' } = error as { code?: string; name?: string };
  const isNonsense = error instanceof OverlongBody || code.startsWith('HPE_') || name === 'HTTPParserError';
  if (isNonsense || code === 'UND_ERR_HEADERS_OVERFLOW' || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') {
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
