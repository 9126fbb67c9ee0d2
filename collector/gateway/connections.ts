/**
 * What a connection may cost before its caller is known: a place for a while, one handshake, a few KiB of headers.
 *
 * Anyone can open connections, prove a key of their own and ask; only then does the table say who it was. So connections
 * whose caller is not known are counted apart and have fewer places. When those are taken, the one that has been unknown
 * longest makes room if it had time enough to say who it is; where all are fresh, the new one is turned away: in a rush
 * after a restart those who are under way should finish, and the others come again.
 */
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '#mesh/clock.ts';

export interface ConnectionLimits {
  /** All connections. @default 20 000: twice the peers of a large mesh */
  readonly maxConnections: number;
  /** Connections whose caller is not known yet. @default 2048 */
  readonly maxNewcomers: number;
  /** How long a newcomer's place is safe. @default 2000 */
  readonly newcomerGraceMs: number;
  /** TCP connections that wait to be taken, as far as the system lets them. @default 4096 */
  readonly backlog: number;
  /** @default 10 000 */
  readonly handshakeTimeoutMs: number;
  /** From the first byte of a request to the end of its headers. @default 10 000 */
  readonly headersTimeoutMs: number;
  /** From the first byte of a request to the end of its body. @default 30 000 */
  readonly requestTimeoutMs: number;
  /** How often the two are looked at. @default 2000 */
  readonly checkIntervalMs: number;
  /** @default 8 KiB */
  readonly maxHeaderBytes: number;
  /** How long a connection without a request is kept. @default 75 000 */
  readonly keepAliveTimeoutMs: number;
}

export const defaultConnectionLimits: ConnectionLimits = {
  maxConnections: 20_000,
  maxNewcomers: 2048,
  newcomerGraceMs: 2000,
  backlog: 4096,
  handshakeTimeoutMs: 10_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  checkIntervalMs: 2000,
  maxHeaderBytes: 8 * 1024,
  keepAliveTimeoutMs: 75_000,
};

/** As `node:https` takes them. */
export function serverOptions(limits: ConnectionLimits, tls: { readonly key: string; readonly cert: string }) {
  return {
    key: tls.key,
    cert: tls.cert,
    requestCert: true,
    rejectUnauthorized: false, // nobody signs our keys: who is enrolled is in the table, and TLS proves the key
    minVersion: 'TLSv1.3',
    handshakeTimeout: limits.handshakeTimeoutMs,
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    connectionsCheckingInterval: limits.checkIntervalMs,
  } as const;
}

interface Newcomer {
  readonly socket: Socket;
  readonly sinceMs: number;
}

export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #clock: Clock;
  readonly #refused: (reason: 'full' | 'evicted') => void;
  /** By the caller's address and port, oldest first: the one thing that a TLS socket and the socket below it share. */
  readonly #newcomers = new Map<string, Newcomer>();
  #count = 0;

  constructor(limits: ConnectionLimits, clock: Clock, refused: (reason: 'full' | 'evicted') => void) {
    this.#limits = limits;
    this.#clock = clock;
    this.#refused = refused;
  }

  get count(): number {
    return this.#count;
  }

  get newcomerCount(): number {
    return this.#newcomers.size;
  }

  watch(server: Server): void {
    server.maxConnections = this.#limits.maxConnections;
    server.on('drop', () => this.#refused('full'));
    server.on('connection', (socket: Socket) => this.#arrived(socket));
  }

  /** The caller is enrolled: from here on its connection is bounded by what peers may do. */
  known(socket: Socket | TLSSocket): void {
    this.#newcomers.delete(addressOf(socket));
  }

  #arrived(socket: Socket): void {
    if (this.#newcomers.size >= this.#limits.maxNewcomers && !this.#evictOldest()) {
      this.#refused('full');
      socket.destroy();
      return;
    }
    const address = addressOf(socket);
    const newcomer: Newcomer = { socket, sinceMs: this.#clock.monotonicMs() };
    this.#newcomers.set(address, newcomer);
    this.#count++;
    socket.once('close', () => {
      this.#count--;
      if (this.#newcomers.get(address) === newcomer) this.#newcomers.delete(address);
    });
  }

  /** @returns whether there is a place now. */
  #evictOldest(): boolean {
    const [oldest] = this.#newcomers;
    if (oldest === undefined) return false;
    const [address, { socket, sinceMs }] = oldest;
    if (this.#clock.monotonicMs() - sinceMs < this.#limits.newcomerGraceMs) return false;
    this.#newcomers.delete(address);
    this.#refused('evicted');
    socket.destroy();
    return true;
  }
}

function addressOf(socket: Socket | TLSSocket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
