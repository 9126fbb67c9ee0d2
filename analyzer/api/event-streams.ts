/** Server-sent events: every viewer gets the newest state, at most so often; what it cannot take is left out, never queued. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { toApiError } from '#mesh/api-error.ts';
import type { Clock } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import type { Analyzer } from '../service.ts';
import { toFileAnswer, toMeshAnswer } from './answers.ts';
import type { HistoryQueries, MarginMoment } from './api.ts';
import type { RunningRepairs } from './running-repairs.ts';

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
const listedFiles = 50;
const listedRepairs = 50;

export class EventStreams {
  readonly #options: EventStreamOptions;
  readonly #replies = new Set<FastifyReply['raw']>();
  readonly #stopListening: () => void;
  #callOff: () => void = () => undefined;
  #due = false;
  #lastSentMs = 0;
  #moments: MarginMoment[] | null = null;
  #closed = false;

  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.#stopListening = options.analyzer.onChange(() => {
      this.#due = true;
    });
    this.#schedule();
  }

  open(request: FastifyRequest, reply: FastifyReply): void {
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
    this.#replies.add(reply.raw);
    request.raw.on('close', () => this.#replies.delete(reply.raw));
    reply.raw.on('error', () => this.#replies.delete(reply.raw));
    void this.#state().then((state) => {
      if (this.#replies.has(reply.raw)) reply.raw.write(state);
    });
  }

  close(): void {
    this.#closed = true;
    this.#callOff();
    this.#stopListening();
    for (const reply of this.#replies) reply.end();
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
    const state = await this.#state();
    for (const reply of this.#replies) if (!reply.writableNeedDrain) reply.write(state);
  }

  async #state(): Promise<string> {
    const { analyzer, history, running, clock, logger } = this.#options;
    const health = analyzer.health();
    const mesh = toMeshAnswer(health);
    const repairing = running();
    let repairs: unknown[] = [];
    try {
      this.#moments ??= [...(await history.marginHistory(clock.nowMs() - historyMs))];
      repairs = [...(await history.repairs(listedRepairs))];
    } catch (error) {
      logger.debug({ error: describeError(error) }, 'histories cannot be read now; viewers get live figures only');
    }
    this.#remember(mesh.sweptAtMs, mesh.byMargin);
    const { running: runningRepairs, brake } = await repairing;
    const listed = analyzer.atRisk(Number.POSITIVE_INFINITY);
    const state = {
      mesh,
      moments: this.#moments ?? [],
      atRisk: { files: listed.slice(0, listedFiles).map(toFileAnswer), total: listed.length },
      running: runningRepairs,
      brake,
      repairs,
      peers: health.peers.map(({ peer, name, state, domains, flapScore }) => ({
        peerId: peer,
        name,
        state,
        domains,
        flapScore,
      })),
    };
    return `event: state\ndata: ${JSON.stringify(state)}\n\n`;
  }

  #remember(atMs: number, byMargin: readonly { readonly margin: number; readonly files: number }[]): void {
    if (this.#moments === null || atMs === 0 || this.#moments.at(-1)?.atMs === atMs) return;
    const files = new Map<number, number>();
    for (const { margin, files: count } of byMargin) files.set(margin, (files.get(margin) ?? 0) + count);
    this.#moments.push({ atMs, files: [...files].sort(([a], [b]) => a - b) });
    while (this.#moments.length > 2000 || (this.#moments[0]?.atMs ?? atMs) < atMs - historyMs) this.#moments.shift();
  }
}
