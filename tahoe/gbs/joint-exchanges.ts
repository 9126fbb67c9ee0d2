/**
 * Small exchanges with one peer that are wanted at about the same time go together in one request, where the peer takes such. Each
 * is answered, called off and refused for itself. Nothing waits for company: what goes together was asked for in the same turn of the
 * event loop, or while the request before was under way.
 */

import { freeAtOnce } from './free-at-once.ts';
import {
  decodeJointAnswer,
  encodeJointRequest,
  type JointOutcome,
  type JointPart,
  jointMaxBytes,
  jointMaxParts,
  jointMaxShareBytes,
  shareBytesOf,
} from './joint-message.ts';
import { encodeRefusal, shareType } from './message.ts';
import type { PeerAnswer, PeerRequest, RequestControl } from './peer-connections.ts';
import { tooMany } from './request-queue.ts';

/** Longer ones gain nothing by going together. */
const partMaxBytes = 64 * 1024;
/** Parts that wait for one peer; further ones fail with `service-busy`. */
const maxWaiting = 1024;
/** Statuses of a peer that does not know joint exchanges, or cannot read this one. */
const notUnderstood: ReadonlySet<number> = new Set([400, 404, 405, 411, 413]);

/** One of them, as it is asked for alone as well. */
export interface JointRequest {
  readonly part: JointPart;
  readonly alone: PeerRequest;
}

export interface JointExchangesOptions {
  readonly send: (request: PeerRequest) => Promise<PeerAnswer>;
  /** The error for an answer of another shape than was agreed. */
  readonly improper: (cause?: unknown) => Error;
  /** In place of the `timeoutMs` that a request does not have. */
  readonly requestTimeoutMs: number;
}

interface Asked extends JointRequest {
  readonly settle: PromiseWithResolvers<PeerAnswer>;
  /** Takes back what calls it off. */
  isOver: boolean;
  onGivenUp: () => void;
}

type Kind = JointPart['kind'];

/** Reads do not wait for the disk that a put waits for: each kind has its line. */
interface Line {
  waiting: Asked[];
  underWay: number;
  isScheduled: boolean;
}

export class JointExchanges {
  readonly #options: JointExchangesOptions;
  readonly #lines: Readonly<Record<Kind, Line>> = { put: newLine(), read: newLine() };
  #isTaken = false;

  constructor(options: JointExchangesOptions) {
    this.#options = options;
  }

  /** What the peer told of itself. */
  learn(isTaken: boolean): void {
    this.#isTaken = isTaken;
  }

  takes(part: JointPart): boolean {
    const bytes = shareBytesOf(part);
    return this.#isTaken && bytes > 0 && bytes <= partMaxBytes;
  }

  /** Rejects as the request alone would. */
  ask(request: JointRequest): Promise<PeerAnswer> {
    const signal = request.alone.control?.signal;
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const line = this.#lines[request.part.kind];
    if (line.waiting.length >= maxWaiting) return Promise.reject(tooMany(maxWaiting));
    const asked: Asked = {
      ...request,
      settle: Promise.withResolvers(),
      isOver: false,
      onGivenUp: () => {
        line.waiting = line.waiting.filter((one) => one !== asked);
      },
    };
    if (signal !== undefined) this.#mindSignal(asked, signal);
    line.waiting.push(asked);
    this.#schedule(line);
    return asked.settle.promise;
  }

  #mindSignal(asked: Asked, signal: AbortSignal): void {
    const giveUp = (): void => {
      asked.isOver = true;
      asked.settle.reject(signal.reason as Error);
      asked.onGivenUp();
    };
    signal.addEventListener('abort', giveUp, { once: true });
    const forget = (): void => signal.removeEventListener('abort', giveUp);
    asked.settle.promise.then(forget, forget);
  }

  /** At the end of this turn of the event loop: what else it asks for goes as well. */
  #schedule(line: Line): void {
    if (line.isScheduled || (line.underWay > 0 && !isFull(line.waiting))) return;
    line.isScheduled = true;
    setImmediate(() => {
      line.isScheduled = false;
      this.#go(line);
    });
  }

  #go(line: Line): void {
    while (line.waiting.length > 0 && (line.underWay === 0 || isFull(line.waiting))) {
      const together = line.waiting.splice(0, countOf(line.waiting));
      line.underWay++;
      void this.#send(together).finally(() => {
        line.underWay--;
        this.#go(line);
      });
    }
  }

  /** Never rejects. */
  async #send(together: readonly Asked[]): Promise<void> {
    const [first] = together;
    if (first === undefined) return;
    if (together.length === 1) return this.#sendAlone(first);
    const callOff = new AbortController();
    let left = together.length;
    for (const one of together) {
      one.onGivenUp = () => {
        if (--left === 0) callOff.abort(new Error('nobody waits for it any more'));
      };
    }
    try {
      const body = encodeJointRequest(together.map(({ part }) => part));
      const answer = await this.#options.send({
        method: 'POST',
        path: '/meshward/v1/joint',
        headers: ['Content-Type', shareType],
        body,
        bodyMaxBytes: () => jointMaxBytes,
        transferBytes: together.reduce((sum, { part }) => sum + shareBytesOf(part), 0),
        control: controlOf(together, callOff.signal, this.#options.requestTimeoutMs),
      });
      freeAtOnce(body);
      await this.#settle(together, answer);
    } catch (error) {
      for (const one of together) settleWith(one, () => one.settle.reject(error));
    }
  }

  async #sendAlone(one: Asked): Promise<void> {
    await this.#options.send(one.alone).then(
      (answer) => settleWith(one, () => one.settle.resolve(answer)),
      (error: unknown) => settleWith(one, () => one.settle.reject(error)),
    );
  }

  async #settle(together: readonly Asked[], answer: PeerAnswer): Promise<void> {
    const { status, wasRepeated } = answer;
    if (notUnderstood.has(status)) {
      // Another release serves there now, or one of them is of a shape that it refuses: that must not cost the others.
      this.learn(false);
      await Promise.all(together.filter((one) => !one.isOver).map((one) => this.#sendAlone(one)));
      return;
    }
    if (status < 400 && status !== 200) throw this.#options.improper();
    const outcomes = status === 200 ? this.#outcomesOf(together, answer) : undefined;
    for (const [at, one] of together.entries()) {
      const outcome = outcomes?.[at];
      const own = outcome === undefined ? answer : { ...answerOf(one.part, outcome), wasRepeated };
      settleWith(one, () => one.settle.resolve(own));
    }
    if (outcomes !== undefined) freeAtOnce(answer.body);
  }

  #outcomesOf(together: readonly Asked[], { body }: PeerAnswer): JointOutcome[] {
    try {
      const parts = together.map(({ part }) => part);
      return decodeJointAnswer(body, parts);
    } catch (error) {
      throw this.#options.improper(error);
    }
  }
}

function newLine(): Line {
  return { waiting: [], underWay: 0, isScheduled: false };
}

/** Where so much waits, it goes without waiting for the request before. */
function isFull(waiting: readonly Asked[]): boolean {
  if (waiting.length >= jointMaxParts) return true;
  let bytes = 0;
  for (const { part } of waiting) bytes += shareBytesOf(part);
  return bytes >= jointMaxShareBytes;
}

/** How many of them, from the first, go in one request. */
function countOf(waiting: readonly Asked[]): number {
  let bytes = 0;
  for (const [at, { part }] of waiting.entries()) {
    bytes += shareBytesOf(part);
    if (at === jointMaxParts || (at > 0 && bytes > jointMaxShareBytes)) return at;
  }
  return waiting.length;
}

/** The longest time that any of them has. */
function controlOf(together: readonly Asked[], signal: AbortSignal, otherwiseMs: number): RequestControl {
  const timeouts = together.map(({ alone }) => alone.control?.timeoutMs ?? otherwiseMs);
  return {
    signal,
    timeoutMs: Math.max(...timeouts),
    onStart: () => {
      for (const { alone, isOver } of together) if (!isOver) alone.control?.onStart?.();
    },
  };
}

function settleWith(one: Asked, settle: () => void): void {
  if (one.isOver) return;
  one.isOver = true;
  settle();
}

/** As the peer would have answered the request alone. */
function answerOf(part: JointPart, { status, bytes, error }: JointOutcome): Omit<PeerAnswer, 'wasRepeated'> {
  const headers =
    part.kind === 'read' && bytes !== undefined
      ? { 'content-range': `bytes ${part.offset}-${part.offset + bytes.length - 1}/*` }
      : {};
  return { status, headers, body: bytes ?? (error === undefined ? new Uint8Array(0) : encodeRefusal(error)) };
}
