/**
 * Sends one lane: strictly in order, one post outstanding, the next one only after the collector has the last. Keeps trying
 * with growing pauses; a post that will never be taken is set aside, so that it does not hold up the others.
 */
import { spreadBackoffMs } from '#mesh/backoff.ts';
import { type Clock, type Random, sleep } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import type { CollectorPort } from './ports.ts';
import { classifyPostFailure } from './post-failure.ts';

export interface Lane<T> {
  readonly name: 'shares' | 'peer';
  /** The oldest that was not sent, or null. */
  next(): Promise<T | null>;
  /** A serialised AgentPost. */
  bodyOf(item: T): Uint8Array;
  sent(item: T): Promise<void>;
  refused(item: T, reason: string): Promise<void>;
}

export interface PostAnswered {
  readonly lane: string;
  readonly ok: boolean;
  /** Of the failure. */
  readonly code: string;
}

export interface SenderOptions<T> {
  readonly lane: Lane<T>;
  readonly collector: CollectorPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** After each answer of the collector, or the lack of one. */
  readonly onAnswer?: (answer: PostAnswered) => void;
  readonly limits?: Partial<SenderLimits>;
}

export interface SenderLimits {
  /** A post without an answer for so long failed. @default 30 s */
  readonly timeoutMs: number;
  /** First pause; doubles with each failure. @default 500 ms */
  readonly firstPauseMs: number;
  /** @default 60 s */
  readonly longestPauseMs: number;
  /** Pause while the collector takes nothing from this peer. @default 60 s */
  readonly unwelcomePauseMs: number;
  /** Tries of a post whose failure says neither yes nor no. @default 10 */
  readonly unclearTries: number;
}

export const defaultSenderLimits: SenderLimits = {
  timeoutMs: 30_000,
  firstPauseMs: 500,
  longestPauseMs: 60_000,
  unwelcomePauseMs: 60_000,
  unclearTries: 10,
};

export class Sender<T> {
  readonly #options: SenderOptions<T>;
  readonly #limits: SenderLimits;
  readonly #stopping = new AbortController();
  #running: Promise<void> | null = null;
  #isPaused = false;
  #isWoken = false;
  #wakeUp: (() => void) | null = null;
  #failures = 0;
  #unclearTries = 0;
  #lastErrorCode: string | null = null;
  #isIdle = false;

  constructor(options: SenderOptions<T>) {
    this.#options = options;
    this.#limits = { ...defaultSenderLimits, ...options.limits };
  }

  /** Nothing to send, or held. */
  get isIdle(): boolean {
    return this.#isIdle && !this.#isWoken;
  }

  /** Code of the last failure; null once a post has been taken since. */
  get lastErrorCode(): string | null {
    return this.#lastErrorCode;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** There may be something to send. */
  wake(): void {
    this.#isWoken = true;
    this.#wakeUp?.();
  }

  /** Sends nothing more until {@link resume}. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.wake();
  }

  /** Breaks off a post under way: whether it was taken stays open, and it is sent again by the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort(new MeshwardError('cancelled', 'the agent is stopping', { next: 'Nothing to do.' }));
    this.#wakeUp?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#isWoken = false;
      try {
        const item = this.#isPaused ? null : await this.#options.lane.next();
        if (item === null) await this.#awaitWake();
        else await this.#send(item);
      } catch (error) {
        if (signal.aborted) return;
        // The lane itself failed (its disk, for one): the same pause as for a failed post.
        this.#options.log.error(
          { lane: this.#options.lane.name, error: describeError(error) },
          'a lane of the agent failed',
        );
        await this.#pauseFor(this.#nextPauseMs());
      }
    }
  }

  async #send(item: T): Promise<void> {
    const { lane } = this.#options;
    try {
      await this.#post(lane.bodyOf(item));
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      await this.#fail(item, error);
      return;
    }
    if (this.#failures > 0) this.#options.log.info({ lane: lane.name }, 'the collector takes posts again');
    this.#failures = 0;
    this.#unclearTries = 0;
    this.#lastErrorCode = null;
    await lane.sent(item);
    this.#options.onAnswer?.({ lane: lane.name, ok: true, code: '' });
  }

  async #fail(item: T, error: unknown): Promise<void> {
    const { lane, log } = this.#options;
    const code = error instanceof MeshwardError ? error.code : 'service-unavailable';
    this.#lastErrorCode = code;
    const failure = classifyPostFailure(error);
    const isGivenUp = failure.kind === 'unclear' && ++this.#unclearTries >= this.#limits.unclearTries;
    const fields = { lane: lane.name, code, error: describeError(error) };
    if (failure.kind === 'refused' || isGivenUp) {
      log.error(fields, 'the collector will not take a post; it is set aside');
      this.#unclearTries = 0;
      await lane.refused(item, code);
      this.#options.onAnswer?.({ lane: lane.name, ok: false, code });
      return;
    }
    this.#options.onAnswer?.({ lane: lane.name, ok: false, code });
    if (failure.kind === 'unwelcome') {
      const next = error instanceof MeshwardError ? error.next : '';
      log.error({ ...fields, next }, 'the collector takes nothing from this peer');
      await this.#pauseFor(this.#limits.unwelcomePauseMs * (1 + this.#options.random() / 2));
      return;
    }
    const waitMs = this.#nextPauseMs();
    if (this.#failures === 1) log.warn(fields, 'the collector did not take a post; trying again');
    else log.debug(fields, 'the collector did not take a post');
    await this.#pauseFor(Math.max(waitMs, failure.kind === 'later' ? failure.atLeastMs : 0));
  }

  #nextPauseMs(): number {
    const { firstPauseMs: firstMs, longestPauseMs: longestMs } = this.#limits;
    return spreadBackoffMs({ firstMs, longestMs }, this.#failures++, this.#options.random);
  }

  async #post(body: Uint8Array): Promise<void> {
    const timeout = new AbortController();
    const callOff = this.#options.clock.after(this.#limits.timeoutMs, () => {
      timeout.abort(
        new MeshwardError('service-unavailable', 'the collector did not answer in time', {
          next: 'It is tried again.',
          retryable: true,
        }),
      );
    });
    try {
      await this.#options.collector.post(body, AbortSignal.any([timeout.signal, this.#stopping.signal]));
    } finally {
      callOff();
    }
  }

  async #awaitWake(): Promise<void> {
    if (this.#isWoken || this.#stopping.signal.aborted) return;
    this.#isIdle = true;
    await new Promise<void>((resolve) => {
      this.#wakeUp = resolve;
    });
    this.#wakeUp = null;
    this.#isIdle = false;
  }

  async #pauseFor(delayMs: number): Promise<void> {
    await sleep(this.#options.clock, delayMs, this.#stopping.signal).catch(() => undefined); // aborted: the loop ends
  }
}
