/**
 * One connection to a peer and the HTTP/1.1 on it: one request at a time, its whole response in memory, bounded. What comes is read
 * into one piece of memory for all connections and parsed there; Node's streams, and HTTP clients on them, allocate for each 16 KB
 * that come, which costs a repairer more than the bytes (docs/decisions/own-http-client.md).
 */
import type { TLSSocket } from 'node:tls';
import type { ReadInto } from '../identity/pinned-connector.ts';
import { BodySink } from './body-sink.ts';
import { type ResponseHeaders, ResponseParser } from './response-parser.ts';

export interface Answer {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly body: Uint8Array;
}

export interface ExchangeRequest {
  /** All before the body, with the empty line that ends it. */
  readonly head: string;
  readonly body?: Uint8Array | undefined;
  /** How long the response's body may be, told from what came before it; may throw to refuse the response. */
  readonly bodyMaxBytes: (status: number, headers: ResponseHeaders) => number;
}

export interface RunningExchange {
  readonly answer: Promise<Answer>;
  /** Rejects `answer` with `error` at once, and ends the request as soon as that is possible. */
  abort(error: Error): void;
  /** Resolves when the connection has let go of the request: never before `answer` settles for another reason than an abort. */
  readonly released: Promise<void>;
  hasResponse(): boolean;
}

/** The peer, or something between, ended the connection. */
export class BrokenConnection extends Error {}

/** Connects; `callback` is called once, with an error or when the peer has shown its key. */
export type Connect = (onread: ReadInto, callback: (error: Error | null) => void) => TLSSocket;

interface Running extends RunningExchange {
  readonly request: ExchangeRequest;
  readonly settled: PromiseWithResolvers<Answer>;
  readonly letGo: () => void;
  isAborted: boolean;
  /** All of its body is on its way. */
  isSent: boolean;
  status: number;
}

/** Bodies up to this length go out together with their heads, for the price of a copy. */
const sentTogetherBytes = 16 * 1024;
const sentAtOnceBytes = 64 * 1024;

export class PeerConnection {
  readonly #socket: TLSSocket;
  readonly #parser = new ResponseParser();
  readonly #onIdle: () => void;
  #isConnected = false;
  #isClosed = false;
  #running: Running | undefined;

  /**
   * @param readBuffer memory that connections share: each piece is done with before the next comes.
   * @param onIdle told when another request may be sent.
   */
  constructor(connect: Connect, readBuffer: Uint8Array, onIdle: () => void) {
    this.#onIdle = onIdle;
    const onread: ReadInto = { buffer: readBuffer, callback: (count, buffer) => this.#take(count, buffer) };
    this.#socket = connect(onread, (error) => this.#settleConnecting(error));
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Only when no other request runs. */
  start(request: ExchangeRequest): RunningExchange {
    const settled = Promise.withResolvers<Answer>();
    const released = Promise.withResolvers<void>();
    const running: Running = {
      request,
      settled,
      letGo: released.resolve,
      answer: settled.promise,
      released: released.promise,
      isAborted: false,
      isSent: false,
      status: 0,
      hasResponse: () => running.status !== 0,
      abort: (error) => this.#abort(running, error),
    };
    this.#running = running;
    this.#socket.ref();
    if (this.#isConnected) this.#send(running);
    return running;
  }

  destroy(): void {
    this.#fail(new BrokenConnection('the connection was given up'));
  }

  #settleConnecting(error: Error | null): void {
    if (error !== null) return this.#fail(error);
    const socket = this.#socket;
    this.#isConnected = true;
    socket.on('error', (failure) => this.#fail(failure));
    socket.on('end', () => this.#takeEnd());
    socket.on('close', () => this.#fail(new BrokenConnection('the connection was closed')));
    if (this.#isClosed) return;
    const running = this.#running;
    if (running !== undefined && !running.isAborted) this.#send(running);
    else this.#rest();
  }

  #send(running: Running): void {
    const { head, body, bodyMaxBytes } = running.request;
    let sink: BodySink | undefined;
    let headers: ResponseHeaders = {};
    this.#parser.expect({
      onHead(status, given) {
        running.status = status;
        headers = given;
        sink = new BodySink(bodyMaxBytes(status, given), Number(given['content-length'] ?? Number.NaN));
      },
      onBody: (bytes) => sink?.add(bytes),
      onEnd: (canGoOn) => {
        running.settled.resolve({ status: running.status, headers, body: sink?.bytes() ?? new Uint8Array(0) });
        // A peer that answers before it has everything does not read the rest as a rule.
        if (canGoOn && running.isSent) this.#rest();
        else this.destroy();
      },
    });
    const socket = this.#socket;
    const isShort = body !== undefined && body.length <= sentTogetherBytes;
    if (isShort) socket.cork();
    socket.write(head, 'latin1');
    if (isShort && body.length > 0) socket.write(body);
    if (isShort) socket.uncork();
    if (isShort || body === undefined) running.isSent = true;
    else this.#sendBody(running, body, 0);
  }

  /** What is written is encrypted at once: all of a long body would be there a second time until the peer has taken it. */
  #sendBody(running: Running, body: Uint8Array, from: number): void {
    const next = from + sentAtOnceBytes;
    running.isSent = next >= body.length;
    this.#socket.write(body.subarray(from, next), (error) => {
      if (!error && !running.isSent && running === this.#running) this.#sendBody(running, body, next);
    });
  }

  #take(count: number, buffer: Uint8Array): boolean {
    try {
      this.#parser.push(Buffer.from(buffer.buffer, buffer.byteOffset, count));
    } catch (error) {
      this.#fail(error as Error);
    }
    return true;
  }

  #takeEnd(): void {
    this.#parser.close();
    this.#fail(new BrokenConnection('the connection was closed'));
  }

  /** No request runs any more, and the next may come. */
  #rest(): void {
    const running = this.#running;
    this.#running = undefined;
    running?.letGo();
    // A process that has nothing else to do does not wait for it.
    this.#socket.unref();
    this.#onIdle();
  }

  #abort(running: Running, error: Error): void {
    if (running.isAborted || running !== this.#running) return;
    running.isAborted = true;
    running.settled.reject(error);
    // What has been begun is not thrown away: the next request may find it connected.
    if (this.#isConnected) this.#fail(error);
  }

  #fail(error: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const running = this.#running;
    this.#running = undefined;
    this.#socket.destroy();
    running?.settled.reject(error);
    running?.letGo();
  }
}
