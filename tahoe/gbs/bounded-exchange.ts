/** One HTTP request through an undici pool, with a bounded response body, a deadline and prompt cancellation. */
import type { Dispatcher } from 'undici';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array;
}

export interface ExchangeOptions {
  readonly request: Dispatcher.DispatchOptions;
  /** How long the body may be, told from what came before it; may throw to refuse the response. */
  readonly bodyMaxBytes: (status: number, headers: Answer['headers']) => number;
}

/** The response has a longer body than was agreed to. */
export class OverlongBody extends Error {}

export interface RunningExchange {
  readonly answer: Promise<Answer>;
  /** Rejects `answer` with `error` at once, and ends the request as soon as that is possible. */
  abort(error: Error): void;
  /** Resolves when the pool has let go of the request: never before `answer` settles for another reason than an abort. */
  readonly released: Promise<void>;
  hasResponse(): boolean;
}

export function startExchange(dispatcher: Dispatcher, options: ExchangeOptions): RunningExchange {
  const answer = Promise.withResolvers<Answer>();
  const released = Promise.withResolvers<void>();
  let controller: Dispatcher.DispatchController | undefined;
  let aborted: Error | undefined;
  let sink: BodySink | undefined;
  let status = 0;
  let headers: Answer['headers'] = {};

  function abort(error: Error): void {
    if (aborted !== undefined) return;
    aborted = error;
    answer.reject(error);
    controller?.abort(error);
  }

  dispatcher.dispatch(options.request, {
    onRequestStart(started) {
      controller = started;
      if (aborted !== undefined) started.abort(aborted);
    },
    onResponseStart(_controller, statusCode, responseHeaders) {
      if (statusCode < 200) return;
      status = statusCode;
      headers = responseHeaders;
      try {
        sink = new BodySink(
          options.bodyMaxBytes(statusCode, responseHeaders),
          Number(responseHeaders['content-length'] ?? Number.NaN),
        );
      } catch (error) {
        abort(error as Error);
      }
    },
    onResponseData(_controller, chunk) {
      try {
        sink?.add(chunk);
      } catch (error) {
        abort(error as Error);
      }
    },
    onResponseEnd() {
      answer.resolve({ status, headers, body: sink?.bytes() ?? new Uint8Array(0) });
      released.resolve();
    },
    onResponseError(_controller, error) {
      answer.reject(error);
      released.resolve();
    },
  });

  return { answer: answer.promise, abort, released: released.promise, hasResponse: () => status !== 0 };
}

/** Copies what comes into one buffer, so that many tiny chunks cost no more than their bytes. */
class BodySink {
  readonly #maxBytes: number;
  #buffer: Uint8Array;
  #length = 0;

  constructor(maxBytes: number, declaredBytes: number) {
    if (declaredBytes > maxBytes) throw new OverlongBody(`${declaredBytes} bytes instead of at most ${maxBytes}`);
    this.#maxBytes = maxBytes;
    this.#buffer = new Uint8Array(Number.isNaN(declaredBytes) ? Math.min(maxBytes, 4096) : declaredBytes);
  }

  add(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > this.#maxBytes) throw new OverlongBody(`more than ${this.#maxBytes} bytes`);
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.min(this.#maxBytes, Math.max(length, this.#buffer.length * 2)));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(chunk, this.#length);
    this.#length = length;
  }

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }
}
