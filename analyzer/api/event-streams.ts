/**
 * Server-sent events: every viewer gets the newest state, at most so often; what it cannot take is left out, never queued. Of peers,
 * which are many and change seldom, a viewer is told again only what has changed since: a state without `peers` leaves them as they were.
 */
import type { FastifyReply } from 'fastify';
import { toApiError } from '#mesh/api-error.ts';
import { type Clock, sleep } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import type { AtRiskAnswer } from '../files/file-answers.ts';
import type { Analyzer } from '../service.ts';
import { toFileAnswer, toMeshAnswer } from './answers.ts';
import type { HistoryQueries, MarginMoment } from './history.ts';
import { PeerOrder } from './peer-order.ts';
import { nothingRuns, type RunningRepairs } from './running-repairs.ts';

export interface EventStreamOptions {
  readonly analyzer: Analyzer;
  readonly history: HistoryQueries;
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
const listedFiles = 50;
const listedRepairs = 50;

export class EventStreams {
  readonly #options: EventStreamOptions;
  /** By viewer, the peers that it was sent last. */
  readonly #replies = new Map<FastifyReply['raw'], string>();
  readonly #order = new PeerOrder();
  readonly #stopListening: () => void;
  #callOff: () => void = () => undefined;
  #due = false;
  #lastSentMs = 0;
  #moments: MarginMoment[] | null = null;
  #repairs: readonly unknown[] = [];
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
    this.#replies.set(reply.raw, '');
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
      const { state, peers } = await this.#state();
      for (const reply of replies) {
        const sent = this.#replies.get(reply);
        if (sent === undefined || reply.writableNeedDrain) continue;
        reply.write(`event: state\ndata: {${state}${sent === peers ? '' : `,"peers":${peers}`}}\n\n`);
        this.#replies.set(reply, peers);
      }
    } catch (error) {
      this.#options.logger.error(
        { error: describeError(error) },
        'viewers could not be sent the state; it is tried again',
      );
      this.#due = true;
    }
  }

  /** As JSON: the fields of the state without its braces, and the peers. */
  async #state(): Promise<{ readonly state: string; readonly peers: string }> {
    const { analyzer } = this.#options;
    const [histories, repairing] = await Promise.all([this.#histories(), this.#repairing()]);
    const health = analyzer.health();
    const mesh = toMeshAnswer(health);
    this.#remember(mesh.sweptAtMs, mesh.byMargin);
    const { files, total } = await this.#atRisk();
    const state = {
      mesh,
      moments: this.#moments ?? [],
      atRisk: { files: files.map(toFileAnswer), total },
      running: repairing.running,
      brake: repairing.brake,
      repairs: histories,
    };
    const peers = this.#order.sort(health.peers).map(({ peer, name, state: peerState, domains, flapScore }) => {
      return { peerId: peer, name, state: peerState, domains, flapScore: Math.round(flapScore * 10) / 10 };
    });
    return { state: JSON.stringify(state).slice(1, -1), peers: JSON.stringify(peers) };
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
  async #histories(): Promise<readonly unknown[]> {
    const { history, clock, logger } = this.#options;
    const asked = async (): Promise<readonly unknown[]> => {
      this.#moments ??= [...(await history.marginHistory(clock.nowMs() - historyMs))];
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

  #remember(atMs: number, byMargin: readonly { readonly margin: number; readonly files: number }[]): void {
    if (this.#moments === null || atMs === 0 || this.#moments.at(-1)?.atMs === atMs) return;
    const files = new Map<number, number>();
    for (const { margin, files: count } of byMargin) files.set(margin, (files.get(margin) ?? 0) + count);
    this.#moments.push({ atMs, files: [...files].sort(([a], [b]) => a - b) });
    while (this.#moments.length > 2000 || (this.#moments[0]?.atMs ?? atMs) < atMs - historyMs) this.#moments.shift();
  }
}

/** Resolves with the promise or after the time, whichever comes first. */
async function within(clock: Clock, timeMs: number, promise: Promise<void>): Promise<void> {
  const waited = new AbortController();
  await Promise.race([promise, sleep(clock, timeMs, waited.signal).catch(() => undefined)]);
  waited.abort(new Error('answered'));
}
