/** One kept TLS connection of one peer that posts and reads the answer: as little of a client as there can be, so that the server is what is measured. */
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import type { TextIdentity } from './identities.ts';

export class PostLane {
  readonly identity: TextIdentity;
  readonly #socket: TLSSocket;
  #received: Buffer = Buffer.alloc(0);
  #waiting: PromiseWithResolvers<number> | null = null;
  /** Said by the last answer; 0 where it said nothing. */
  retryAfterMs = 0;

  private constructor(identity: TextIdentity, socket: TLSSocket) {
    this.identity = identity;
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#waiting?.reject(error));
    socket.on('close', () => this.#waiting?.reject(new Error('the server closed the connection')));
  }

  static async connect(identity: TextIdentity, port: number): Promise<PostLane> {
    const { key, cert } = identity;
    const socket = connect({ host: '127.0.0.1', port, key, cert, rejectUnauthorized: false, minVersion: 'TLSv1.3' });
    await once(socket, 'secureConnect');
    return new PostLane(identity, socket);
  }

  /** @returns the status of the answer. */
  post(pieces: readonly Uint8Array[]): Promise<number> {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    return this.#ask(
      `POST /v1/events HTTP/1.1\r\nhost: bench\r\ncontent-type: application/x-protobuf\r\ncontent-length: ${length}\r\n\r\n`,
      pieces,
    );
  }

  /** As an agent that knows them already. @returns the status of the answer. */
  askSettings(): Promise<number> {
    return this.#ask('GET /v1/settings HTTP/1.1\r\nhost: bench\r\nif-none-match: "0"\r\n\r\n', []);
  }

  #ask(head: string, pieces: readonly Uint8Array[]): Promise<number> {
    const answered = Promise.withResolvers<number>();
    this.#waiting = answered;
    this.#socket.cork();
    this.#socket.write(head);
    for (const piece of pieces) this.#socket.write(piece);
    this.#socket.uncork();
    return answered.promise;
  }

  close(): void {
    this.#waiting = null;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const text = this.#received.toString('latin1');
    const headEnd = text.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
    if (text.length < headEnd + 4 + length) return;
    this.#received = this.#received.subarray(headEnd + 4 + length);
    this.retryAfterMs = Number(/retry-after: (\d+)/i.exec(text)?.[1] ?? 0) * 1000;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve(Number(text.slice(9, 12)));
  }
}
