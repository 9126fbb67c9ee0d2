/**
 * Server-sent events: a viewer gets at first the state that everybody sees, and then, at most so often, only what has changed of it since;
 * what it cannot take is left out, never queued. Peers, files and histories beyond that are asked for in pages.
 */
import type { FastifyReply } from 'fastify';
import { toApiError } from '#mesh/api-error.ts';
import { type Clock, sleep } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import type { AtRiskAnswer } from '../files/file-answers.ts';
import type { Analyzer, MeshHealth } from '../service.ts';
import type { HistoryQueries, MarginMoment } from './history.ts';
import { LiveChanges } from './live-changes.ts';
import { listedFiles, listedRepairs, noteState, sumByMargin } from './live-state.ts';
import { nothingRuns, type RunningRepairs } from './running-repairs.ts';
import type { RepairAnswer } from './schemas.ts';

export interface EventStreamOptions {
  readonly analyzer: Pick<Analyzer, 'onChange' | 'health' | 'atRisk' | 'listAtRisk'>;
  readonly history: Pick<HistoryQueries, 'repairs' | 'marginHistory'>;
  readonly running: () => Promise<RunningRepairs>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly maxStreams: number;
}

/** Most often that state is sent, and the longest silence of a stream. */
const intervalMs = 500;
const keepAliveMs = 10_000;
const historyMs = 30 * 60_000;
const historyTimeoutMs = 1000;
/** Of the history of margins, half of them from before the stream was opened first. */
const mostMoments = 360;

export class EventStreams {
  readonly #options: EventStreamOptions;
  readonly #changes = new LiveChanges();
  /** By viewer, the change that it was sent last. */
  readonly #replies = new Map<FastifyReply['raw'], number>();
  readonly #stopListening: () => void;
  #callOff: () => void = () => undefined;
  #due = false;
  #lastSentMs = 0;
  #hasHistory = false;
  #lastMomentMs = 0;
  #repairs: readonly RepairAnswer[] = [];
  /** One question to the database at a time. */
  #asking: Promise<void> | null = null;
  #closed = false;

  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.#stopListening = options.analyzer.onChange(() => {
      this.#due = true;
    });
    this.#schedule();
  }

  open(reply: FastifyReply): void {
    if (this.#replies.size >= this.#options.maxStreams) {
      const refusal = new MeshwardError('service-busy', 'too many viewers at once', {
        next: 'Close other pages, or raise api.maxStreams.',
        retryable: true,
      });
      void reply.code(503).header('retry-after', '5').send(toApiError(refusal));
      return;
    }
    reply.hijack();
    reply.raw.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      connection: 'keep-alive',
    });
    this.#replies.set(reply.raw, 0);
    reply.raw.on('close', () => this.#replies.delete(reply.raw));
    reply.raw.on('error', () => this.#replies.delete(reply.raw));
    void this.#sendTo([reply.raw]);
  }

  close(): void {
    this.#closed = true;
    this.#callOff();
    this.#stopListening();
    for (const reply of this.#replies.keys()) reply.end();
    this.#replies.clear();
  }

  #schedule(): void {
    this.#callOff = this.#options.clock.after(intervalMs, () => {
      void this.#send().finally(() => {
        if (!this.#closed) this.#schedule();
      });
    });
  }

  async #send(): Promise<void> {
    const now = this.#options.clock.monotonicMs();
    if (this.#replies.size === 0 || (!this.#due && now - this.#lastSentMs < keepAliveMs / 5)) return;
    this.#due = false;
    this.#lastSentMs = now;
    await this.#sendTo([...this.#replies.keys()]);
  }

  async #sendTo(replies: Iterable<FastifyReply['raw']>): Promise<void> {
    try {
      await this.#look();
      const changes = this.#changes;
      for (const reply of replies) {
        const seen = this.#replies.get(reply);
        if (seen === undefined || reply.writableNeedDrain) continue;
        const news = changes.since(seen);
        if (news === null) continue;
        reply.write(`event: state\ndata: ${news}\n\n`);
        this.#replies.set(reply, changes.number);
      }
    } catch (error) {
      this.#options.logger.error(
        { error: describeError(error) },
        'viewers could not be sent the state; it is tried again',
      );
      this.#due = true;
    }
  }

  async #look(): Promise<void> {
    const { analyzer } = this.#options;
    const [repairs, repairing] = await Promise.all([this.#histories(), this.#repairing()]);
    const atRisk = await this.#atRisk();
    const health = analyzer.health();
    noteState(this.#changes, { health, atRisk, repairing, repairs });
    this.#remember(health);
  }

  /** The whole mesh's; where the database does not answer for other analyzers' part, this one's. */
  async #atRisk(): Promise<AtRiskAnswer> {
    const { analyzer, clock } = this.#options;
    let found: AtRiskAnswer | undefined;
    const asked = analyzer.listAtRisk({ limit: listedFiles }).then((answer) => {
      found = answer;
    });
    await within(
      clock,
      historyTimeoutMs,
      asked.catch(() => undefined),
    );
    return found ?? analyzer.atRisk({ limit: listedFiles });
  }

  /** Live figures never wait for the database: where it does not answer in time they go without the newest repairs. */
  async #histories(): Promise<readonly RepairAnswer[]> {
    const { history, clock, logger } = this.#options;
    const asked = async (): Promise<readonly RepairAnswer[]> => {
      if (!this.#hasHistory) {
        const moments = await history.marginHistory(clock.nowMs() - historyMs);
        this.#hasHistory = true;
        this.#changes.append('moments', thinned(moments, mostMoments / 2), mostMoments);
      }
      return history.repairs(listedRepairs);
    };
    this.#asking ??= asked()
      .then((repairs) => {
        this.#repairs = repairs;
      })
      .catch((error: unknown) => {
        logger.debug({ error: describeError(error) }, 'histories cannot be read now; viewers get live figures only');
      })
      .finally(() => {
        this.#asking = null;
      });
    await within(clock, historyTimeoutMs, this.#asking);
    return this.#repairs;
  }

  async #repairing(): Promise<RunningRepairs> {
    const { running, logger } = this.#options;
    try {
      return await running();
    } catch (error) {
      logger.debug({ error: describeError(error) }, 'repairers cannot be asked now');
      return nothingRuns;
    }
  }

  /** A moment for each sweep; before the history is there, none, so that they stay in order. */
  #remember({ sweptAtMs, totals }: MeshHealth): void {
    if (!this.#hasHistory || totals === null || sweptAtMs === 0 || this.#lastMomentMs === sweptAtMs) return;
    this.#lastMomentMs = sweptAtMs;
    const byMargin = [...totals.byMargin.values()].flatMap((margins) =>
      [...margins].map(([margin, { files }]) => ({ margin, files })),
    );
    this.#changes.append('moments', [{ atMs: sweptAtMs, files: sumByMargin(byMargin) }], mostMoments);
  }
}

/** Every so manieth, with the newest. */
function thinned(moments: readonly MarginMoment[], most: number): readonly MarginMoment[] {
  const step = Math.ceil(moments.length / most);
  return moments.filter((_, i) => (moments.length - 1 - i) % step === 0);
}

/** Resolves with the promise or after the time, whichever comes first. */
async function within(clock: Clock, timeMs: number, promise: Promise<void>): Promise<void> {
  const waited = new AbortController();
  await Promise.race([promise, sleep(clock, timeMs, waited.signal).catch(() => undefined)]);
  waited.abort(new Error('answered'));
}
