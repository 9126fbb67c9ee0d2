/**
 * Stands before a peer with the peer's own key, so that whoever speaks to it speaks real TLS and meets real trouble: what the peer
 * says is kept back, changed or torn as the mode wants it. It counts what passes, and keeps no share itself.
 */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request, type Server } from 'node:https';
import type { Socket } from 'node:net';
import type { PeerIdentity } from '#tahoe/identity/key-folder.ts';
import { Nurl } from '#tahoe/identity/nurl.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';

export const troubles = [
  /** Connections break at once. */
  'dead',
  /** Requests are taken, and never answered. */
  'stalled',
  /** What is read has the right length, and wrong bytes. */
  'lying',
  /** What is written is kept with the right length, and wrong bytes. */
  'rotting',
  /** Nothing more is taken. */
  'full',
  'conflicting',
  'unauthorized',
  'failing',
  /** Connections break in the middle of a block, read or written. */
  'cutting',
] as const;
export type Trouble = (typeof troubles)[number];

const statusOf = { full: 507, conflicting: 409, unauthorized: 401, failing: 500 } as const;

export interface Passed {
  /** Share data read and written. */
  bytes: number;
  /** Requests that write or make room for it. */
  writes: number;
}

export class PeerFront {
  readonly nurl: Nurl;
  readonly passed: Passed = { bytes: 0, writes: 0 };
  #trouble: Trouble | null = null;
  readonly #target: Nurl;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, nurl: Nurl, target: Nurl) {
    this.#server = server;
    this.nurl = nurl;
    this.#target = target;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket));
      if (this.#trouble === 'dead') socket.destroy();
    });
    server.on('request', (incoming: IncomingMessage, response: ServerResponse) => this.#pass(incoming, response));
    server.on('tlsClientError', () => undefined);
  }

  static async start(target: Nurl, identity: PeerIdentity): Promise<PeerFront> {
    const server = createServer({ key: privateKeyPem(identity), cert: identity.certificatePem, minVersion: 'TLSv1.2' });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    return new PeerFront(server, new Nurl(target.peerId, '127.0.0.1', port, target.revealSwissnum()), target);
  }

  get trouble(): Trouble | null {
    return this.#trouble;
  }

  /** From now on; null is none. Whatever is under way breaks, as where a machine is started anew. */
  set trouble(trouble: Trouble | null) {
    this.#trouble = trouble;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #pass(incoming: IncomingMessage, response: ServerResponse): void {
    const trouble = this.#trouble;
    const kind = kindOf(incoming);
    incoming.on('error', () => response.destroy());
    response.on('error', () => undefined);
    if (kind === 'write' || kind === 'allocate') this.passed.writes++;
    if (trouble === 'stalled') return void incoming.resume();
    const isRefused =
      trouble === 'full' ? kind === 'write' || kind === 'allocate' : trouble !== null && trouble in statusOf;
    if (isRefused) {
      incoming.resume();
      response.writeHead(statusOf[trouble as keyof typeof statusOf], { 'content-type': 'text/plain' }).end('no');
      return;
    }
    const outgoing = request({
      host: this.#target.host,
      port: this.#target.port,
      method: incoming.method,
      path: incoming.url,
      // As they came: secrets are several headers of one name.
      headers: incoming.rawHeaders,
      // The key behind is the one before: nobody stands between them.
      rejectUnauthorized: false,
      agent: false,
    });
    outgoing.on('error', () => response.destroy());
    outgoing.on('response', (answer) => this.#answer(answer, response, kind, trouble));
    this.#ask(incoming, outgoing, kind, trouble);
  }

  #ask(
    incoming: IncomingMessage,
    outgoing: ReturnType<typeof request>,
    kind: RequestKind,
    trouble: Trouble | null,
  ): void {
    if (kind !== 'write') return void incoming.pipe(outgoing);
    incoming.on('data', (bytes: Buffer) => {
      this.passed.bytes += bytes.length;
      if (trouble === 'cutting') {
        outgoing.destroy();
        incoming.socket.destroy();
        return;
      }
      outgoing.write(trouble === 'rotting' ? spoiled(bytes) : bytes);
    });
    incoming.on('end', () => outgoing.end());
  }

  #answer(answer: IncomingMessage, response: ServerResponse, kind: RequestKind, trouble: Trouble | null): void {
    answer.on('error', () => response.destroy());
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    answer.on('data', (bytes: Buffer) => {
      if (kind === 'read') this.passed.bytes += bytes.length;
      if (kind === 'read' && trouble === 'cutting') {
        response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => response.destroy());
        return;
      }
      response.write(kind === 'read' && trouble === 'lying' ? spoiled(bytes) : bytes);
    });
    answer.on('end', () => response.end());
  }
}

type RequestKind = 'read' | 'write' | 'allocate' | 'other';

function kindOf({ method, url = '' }: IncomingMessage): RequestKind {
  // In pieces, or whole in one request.
  if (method === 'PATCH' || (method === 'PUT' && url.startsWith('/meshward/v1/whole/'))) return 'write';
  if (method === 'GET' && /\/\d+$/.test(url)) return 'read';
  return method === 'POST' && /\/immutable\/[a-z2-7]+$/.test(url) ? 'allocate' : 'other';
}

function spoiled(bytes: Buffer): Buffer {
  return Buffer.from(bytes.map((byte) => byte ^ 0x55));
}
