/**
 * One sink and what it is to know. One notice is under way at a time, pages before warnings. A newer wish takes the place of an
 * older one, so that what waits is bounded by the alerts there are, however long the sink is away.
 */
import { SpanKind } from '@opentelemetry/api';
import { type Backoff, spreadBackoffMs } from '#mesh/backoff.ts';
import type { Clock, Random } from '#mesh/clock.ts';
import { describeError } from '#mesh/errors.ts';
import type { Told } from '#mesh/events/alert-notes.ts';
import type { Logger } from '#mesh/logger.ts';
import { contextOf, inSpan, tracerOf } from '#mesh/traces.ts';
import { compareEntries, dueAtMs, type Entry, type LaneTiming, newEntry, noticeToSend } from './lane-entry.ts';
import type { Notice, NoticeSeverity } from './notice.ts';
import { type AlertSink, SinkError } from './sink.ts';

export interface LaneOptions {
  readonly sink: AlertSink;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly timing: LaneTiming;
  /** Asked before each notice: a partition may have gone to another analyzer since the last sweep. */
  readonly mayTell: () => boolean;
  /** Keeps over restarts and owners what the sink was told last, or null that it knows nothing of an alert any more. */
  readonly keep: (alertKey: string, told: Told | null) => void;
  readonly counts: LaneCounts;
  /** What a notice goes on from, where the trace of its alert is kept. */
  readonly traceOf?: (alertId: string) => string | undefined;
}

export interface LaneCounts {
  sent(): void;
  failed(scope: SinkError['scope']): void;
  /** @param afterMs from when the alert began until the sink took its first notice. */
  told(afterMs: number): void;
}

export interface LaneStatus {
  readonly sink: string;
  readonly kind: string;
  /** Notices that are wanted and not taken yet. */
  readonly waiting: number;
  /** Since when it takes nothing, by the wall clock; null where it does. */
  readonly failingSinceMs: number | null;
  readonly lastError: string;
  /** When it took something last; null where it has not since this analyzer tells. */
  readonly lastSentAtMs: number | null;
}

/** What a sink is to know. */
export interface Wanted {
  /** By the alert's key. */
  readonly open: ReadonlyMap<string, Notice>;
  /** Alerts that are silenced, or that a graver one takes over, with the words for it: over at once for the sink. */
  readonly withheld: ReadonlyMap<string, string>;
  /** Whether it is known that an alert which is not open is over. */
  readonly canEnd: (alertKey: string) => boolean;
}

/** Between tries of a sink or a notice that failed. */
const backoff: Backoff = { firstMs: 1000, longestMs: 60_000 };

export class Lane {
  readonly #options: LaneOptions;
  readonly #entries = new Map<string, Entry>();
  #stop = new AbortController();
  #isPumping = false;
  #callOff: () => void = () => undefined;
  #sweptAtMs = Number.NEGATIVE_INFINITY;
  // Of the sink as a whole.
  #failures = 0;
  #notBeforeMs = 0;
  #failingSinceMs: number | null = null;
  #lastError = '';
  #lastSentAtMs: number | null = null;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  get sink(): AlertSink {
    return this.#options.sink;
  }

  /** Goes on from what the sink was told before, here or by another owner: sinks that forget are reminded at once. */
  resume(told: readonly Told[], noticeOf: (told: Told) => Notice): void {
    for (const each of told) {
      const { alertKey, state, severity } = each;
      const known = { state, severity: severity as NoticeSeverity, atMs: Number.NEGATIVE_INFINITY };
      this.#entries.set(alertKey, newEntry(noticeOf(each), known));
    }
  }

  want({ open, withheld, canEnd }: Wanted): void {
    const { clock } = this.#options;
    this.#sweptAtMs = clock.monotonicMs();
    for (const [key, entry] of this.#entries) {
      const why = withheld.get(key) ?? '';
      if (open.has(key) || (why === '' && !canEnd(key))) continue;
      const over = entry.over ?? { sinceMs: this.#sweptAtMs, endedAtMs: clock.nowMs(), why };
      this.#entries.set(key, { ...entry, over: why === '' ? over : { ...over, why } });
    }
    for (const [key, notice] of open) {
      this.#entries.set(key, { ...(this.#entries.get(key) ?? newEntry(notice)), notice, over: null });
    }
    this.#pump();
  }

  /** Somebody else tells from now on. */
  release(): void {
    this.#stop.abort(new Error('another analyzer tells alerts'));
    this.#stop = new AbortController();
    this.#callOff();
    this.#entries.clear();
    this.#recovered();
  }

  status(): LaneStatus {
    const { sink } = this.#options;
    const entries = [...this.#entries.values()];
    const failing = [this.#failingSinceMs, ...entries.map(({ failingSinceMs }) => failingSinceMs)].flatMap((since) =>
      since === null ? [] : [since],
    );
    return {
      sink: sink.name,
      kind: sink.kind,
      waiting: entries.filter(isWaiting).length,
      failingSinceMs: failing.length === 0 ? null : Math.min(...failing),
      lastError: failing.length === 0 ? '' : this.#lastError,
      lastSentAtMs: this.#lastSentAtMs,
    };
  }

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    this.#callOff();
    const { signal } = this.#stop;
    void this.#run(signal).finally(() => {
      this.#isPumping = false;
      if (signal !== this.#stop.signal) this.#pump();
    });
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#options.mayTell()) {
      const now = this.#options.clock.monotonicMs();
      const next = this.#next(now);
      if (next === null) return;
      if (next.atMs > now) {
        this.#callOff = this.#options.clock.after(next.atMs - now, () => this.#pump());
        return;
      }
      await this.#send(next.key, next.entry, signal);
    }
  }

  /** What is due first; of what is due now the gravest. */
  #next(now: number): { readonly key: string; readonly entry: Entry; readonly atMs: number } | null {
    const { timing, sink } = this.#options;
    let first: { key: string; entry: Entry; atMs: number } | null = null;
    for (const [key, entry] of this.#entries) {
      if (entry.over !== null && entry.told === null) this.#entries.delete(key);
      const due = dueAtMs(entry, timing, sink.resendMs, this.#sweptAtMs);
      if (due === null) continue;
      const atMs = Math.max(due, this.#notBeforeMs, now);
      const isFirst =
        first === null || atMs < first.atMs || (atMs === first.atMs && compareEntries(entry, first.entry) < 0);
      if (isFirst) first = { key, entry, atMs };
    }
    return first;
  }

  async #send(key: string, entry: Entry, signal: AbortSignal): Promise<void> {
    const { sink, clock, timing } = this.#options;
    const notice = noticeToSend(entry, timing, clock.nowMs());
    const limit = new AbortController();
    const callOff = clock.after(timing.sendTimeoutMs, () => limit.abort(new Error('no answer in time')));
    try {
      await this.#traced(notice, () => sink.send(notice, AbortSignal.any([signal, limit.signal])));
      if (!signal.aborted) this.#took(key, entry, notice);
    } catch (error) {
      if (!signal.aborted) this.#failed(key, error);
    } finally {
      callOff();
    }
  }

  #traced(notice: Notice, send: () => Promise<void>): Promise<void> {
    const parent = this.#options.traceOf?.(notice.alertId);
    if (parent === undefined) return send();
    const attributes = {
      'http.request.method': 'POST',
      'meshward.sink': this.#options.sink.name,
      'meshward.alert.state': notice.state,
    };
    return inSpan(tracerOf('analyzer'), 'POST', { kind: SpanKind.CLIENT, parent: contextOf(parent), attributes }, send);
  }

  /** @param before as it was when the notice went out; by now something else may be wanted. */
  #took(key: string, before: Entry, notice: Notice): void {
    const { clock, counts, keep, sink } = this.#options;
    counts.sent();
    this.#lastSentAtMs = clock.nowMs();
    this.#recovered();
    const entry = this.#entries.get(key) ?? before;
    const { state, severity, sinceMs } = notice;
    if (state === 'resolved') {
      keep(key, null);
      if (entry.over === null) this.#entries.set(key, { ...newEntry(entry.notice) });
      else this.#entries.delete(key);
      return;
    }
    if (before.told === null) counts.told(clock.nowMs() - sinceMs);
    if (before.told?.state !== state || before.told.severity !== severity) {
      if (severity !== 'none')
        keep(key, { sink: sink.name, alertKey: key, state, severity, sinceMs, atMs: clock.nowMs() });
    }
    const told = { state, severity, atMs: clock.monotonicMs() };
    this.#entries.set(key, { ...entry, told, failures: 0, notBeforeMs: 0, failingSinceMs: null });
  }

  #failed(key: string, error: unknown): void {
    const { clock, counts, random, logger, sink } = this.#options;
    const scope = error instanceof SinkError ? error.scope : 'sink';
    const retryAfterMs = error instanceof SinkError ? error.retryAfterMs : 0;
    counts.failed(scope);
    this.#lastError = describeError(error);
    const now = clock.monotonicMs();
    const isNew = this.status().failingSinceMs === null;
    if (scope === 'sink') {
      this.#notBeforeMs = now + Math.max(retryAfterMs, spreadBackoffMs(backoff, this.#failures++, random));
      this.#failingSinceMs ??= clock.nowMs();
    } else {
      const entry = this.#entries.get(key);
      if (entry === undefined) return;
      this.#entries.set(key, {
        ...entry,
        failures: entry.failures + 1,
        notBeforeMs: now + Math.max(retryAfterMs, spreadBackoffMs(backoff, entry.failures, random)),
        failingSinceMs: entry.failingSinceMs ?? clock.nowMs(),
      });
    }
    if (isNew)
      logger.warn({ sink: sink.name, error: this.#lastError }, 'a sink of alerts takes nothing; it is tried again');
  }

  #recovered(): void {
    this.#failures = 0;
    this.#notBeforeMs = 0;
    this.#failingSinceMs = null;
  }
}

function isWaiting({ notice, told, over }: Entry): boolean {
  if (over !== null) return told !== null;
  return told === null || told.state !== notice.state || told.severity !== notice.severity;
}
