/** The lanes in which repairs run: one file in each, or a few small ones, from the queue to what the queue shall do with it next. */
import { randomUUID } from 'node:crypto';
import {
  context as contexts,
  isSpanContextValid,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { sleep } from '#mesh/clock.ts';
import type { Config } from '#mesh/config/schema.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { contextOf, traceHeader } from '#mesh/traces.ts';
import type { Fence } from '#peers/peer-storage.ts';
import { type RepairRow, repairs } from '#store/tables.ts';
import { repairRow } from '../audit.ts';
import type { RepairerMetrics } from '../metrics.ts';
import type { AtRiskEntry } from '../queue/at-risk.ts';
import { restMs } from '../queue/backoff.ts';
import type { QueuedFile, RepairQueue } from '../queue/queue.ts';
import type { RepairClass } from '../queue/risk.ts';
import type { StandingList } from '../queue/standing-list.ts';
import {
  type LaneKind,
  type RecentRepair,
  type RepairerEvent,
  type RunningState,
  recentOf,
} from '../repairer-state.ts';
import { type FailingFile, Failures } from './failures.ts';
import { type RunningRepair, startRepair } from './repair.ts';
import type { RepairReport } from './repair-report.ts';
import { bytesOfAllShares } from './share-bytes.ts';
import type { RepairTools } from './tools.ts';

/** Where the audit goes. */
export interface AuditWriter {
  enqueue(table: typeof repairs, rows: readonly RepairRow[]): Promise<void>;
}

export interface RepairLanesOptions {
  readonly config: Config['repairer'];
  readonly tools: RepairTools;
  readonly queue: RepairQueue;
  readonly list: StandingList;
  readonly writer: AuditWriter;
  readonly telemetry: { readonly metrics: RepairerMetrics; readonly tracer: Tracer; readonly logger: Logger };
  /** What targets fence repairs of a partition by; undefined for one that is not ours. */
  readonly fenceOf: (partition: number) => Fence | undefined;
  /** Whether something else works on the file at this moment. */
  readonly isTakenElsewhere: (storageIndex: StorageIndex) => boolean;
  readonly events: LaneEvents;
}

export interface LaneEvents {
  emit(event: RepairerEvent): void;
  /** A lane has become free, or has room for another small file. */
  free(): void;
  recorded(report: RepairReport): void;
}

const recentKept = 100;
const supersededRestMs = 5_000;
const takenElsewhereRestMs = 1_000;
const disagreementRestMs = 5_000;
/** How long a lane waits for a store that takes nothing, before repairing goes on without the audit of this one. */
const auditPatienceMs = 30_000;

interface Lane {
  readonly kind: LaneKind;
  readonly file: QueuedFile;
  readonly repairClass: RepairClass;
  readonly partition: number;
  readonly stop: AbortController;
  startedAtMs: number;
  /** What it counts: less than one where its file is small. */
  weight: number;
  repair: RunningRepair | undefined;
  over: Promise<void>;
}

export class RepairLanes {
  readonly #options: RepairLanesOptions;
  readonly #lanes = new Set<Lane>();
  readonly #recent: RecentRepair[] = [];
  readonly #failures = new Failures();

  constructor(options: RepairLanesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#lanes.size;
  }

  /** The newest first. */
  get recent(): readonly RecentRepair[] {
    return this.#recent;
  }

  failing(): FailingFile[] {
    return this.#failures.list((storageIndex) => {
      const file = this.#options.queue.find(storageIndex);
      if (file === undefined) return undefined;
      return file.state === 'resting' ? file.restUntilMs : null;
    });
  }

  /** Small files count as a part of one; one whose size is not known yet as a whole one. */
  count(kind: LaneKind): number {
    let count = 0;
    for (const lane of this.#lanes) if (lane.kind === kind) count += lane.weight;
    return count;
  }

  running(): RunningState[] {
    return [...this.#lanes].flatMap((lane) => this.#runningState(lane) ?? []);
  }

  /** Files that are being worked on and still on the list. */
  files(): QueuedFile[] {
    const { queue } = this.#options;
    return [...this.#lanes].flatMap(({ file }) => (queue.find(file.storageIndex) === file ? [file] : []));
  }

  isRepairing(storageIndex: StorageIndex): boolean {
    for (const { file } of this.#lanes) if (file.storageIndex === storageIndex) return true;
    return false;
  }

  /** Resolves when the repairs have ended, their uploads aborted. */
  async callOff(reason: MeshwardError, isMeant: (partition: number) => boolean = () => true): Promise<void> {
    const lanes = [...this.#lanes].filter((lane) => isMeant(lane.partition));
    for (const lane of lanes) lane.stop.abort(reason);
    await Promise.all(lanes.map((lane) => lane.over));
  }

  /** The file must have been taken from the queue. */
  start(kind: LaneKind, file: QueuedFile): void {
    const lane: Lane = {
      kind,
      file,
      repairClass: file.repairClass,
      partition: file.partition,
      stop: new AbortController(),
      startedAtMs: this.#options.tools.runtime.clock.nowMs(),
      weight: 1,
      repair: undefined,
      over: Promise.resolve(),
    };
    this.#lanes.add(lane);
    lane.over = this.#work(lane)
      .catch((error: unknown) => {
        const { metrics, logger } = this.#options.telemetry;
        metrics.fault('entry-read');
        logger.warn({ storageIndex: file.storageIndex, error: describeError(error) }, 'a file could not be looked at');
        this.#options.queue.rest(file, this.#options.tools.runtime.clock.nowMs() + this.#options.config.retryAfterMs);
      })
      .finally(() => {
        this.#lanes.delete(lane);
        this.#options.events.free();
      });
  }

  async #work(lane: Lane): Promise<void> {
    const { queue, list, telemetry, events, fenceOf, tools } = this.#options;
    const { clock } = tools.runtime;
    const { file } = lane;
    if (!list.isConfirmed(file)) {
      queue.rest(file, Number.POSITIVE_INFINITY);
      return;
    }
    if (this.#options.isTakenElsewhere(file.storageIndex)) {
      queue.rest(file, clock.nowMs() + takenElsewhereRestMs);
      return;
    }
    // One that was woken early has fallen into a more urgent class meanwhile.
    if (file.repairedAtMs !== null && clock.nowMs() >= file.restUntilMs) {
      telemetry.metrics.unconfirmed();
      events.emit({ kind: 'unconfirmed', storageIndex: file.storageIndex });
    }
    file.repairedAtMs = null;
    const offset = file.offset;
    const entry = await list.entryOf(file);
    const fence = fenceOf(file.partition);
    if (fence === undefined) return;
    if (entry === undefined) {
      // Its newer record is on the way, and wakes nothing: the file is simply looked at again.
      if (file.offset === offset) queue.rest(file, clock.nowMs() + supersededRestMs);
      else queue.release(file);
      return;
    }
    const { windowBytes, smallRepairsPerLane } = this.#options.config;
    if (smallRepairsPerLane > 1 && bytesOfAllShares(entry) * smallRepairsPerLane <= windowBytes) {
      lane.weight = 1 / smallRepairsPerLane;
      events.free();
    }
    const report = await this.#repair(lane, entry, fence);
    this.#settle(lane, report);
  }

  async #repair(lane: Lane, entry: AtRiskEntry, fence: Fence): Promise<RepairReport> {
    const { telemetry, tools } = this.#options;
    const { file } = lane;
    const id = randomUUID();
    const parent = contextOf(file.headers[traceHeader]);
    const attributes = {
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': this.#options.list.topic,
      'messaging.destination.partition.id': String(file.partition),
      'meshward.repair.id': id,
      'meshward.storage_index': file.storageIndex,
      'meshward.repair.class': lane.repairClass,
      'meshward.repair.cause': entry.cause,
    };
    const span = telemetry.tracer.startSpan('repair', { kind: SpanKind.CONSUMER, attributes }, parent);
    const within = trace.setSpan(parent, span);
    const job = {
      id,
      entry,
      fence,
      urgent: lane.repairClass === 'critical',
      placed: file.placed,
      // What went otherwise than the list said is looked at more closely the next time.
      look: file.attempts === 0 && file.placed.length === 0 ? ('doubtful' as const) : ('all' as const),
      signal: lane.stop.signal,
    };
    const repair = contexts.with(within, () => startRepair(job, tools));
    lane.repair = repair;
    const running = this.#runningState(lane);
    if (running !== undefined) this.#options.events.emit({ kind: 'started', repair: running });
    const report = await repair.report;
    span.setAttributes({
      'meshward.repair.ending': report.ending,
      'meshward.repair.shares_wanted': report.wanted.length,
      'meshward.repair.shares_written': report.written.length,
      'meshward.repair.bytes_read': report.bytesRead,
      'meshward.repair.bytes_written': report.bytesWritten,
    });
    if (report.errorCode !== '') span.setStatus({ code: SpanStatusCode.ERROR, message: report.errorCode });
    span.end();
    const traceId = isSpanContextValid(span.spanContext()) ? span.spanContext().traceId : '';
    await contexts.with(within, () => this.record(report, lane.repairClass, traceId));
    return report;
  }

  /** Keeps the audit of what came of a repair, and tells of it. */
  async record(report: RepairReport, repairClass: RepairClass, traceId = ''): Promise<void> {
    await this.#audit(report, traceId);
    this.#note(report, repairClass);
    this.#options.events.recorded(report);
  }

  #settle(lane: Lane, report: RepairReport): void {
    const { config, queue, fenceOf } = this.#options;
    const { clock, random } = this.#options.tools.runtime;
    const { file } = lane;
    if (queue.find(file.storageIndex) !== file) {
      // The tombstone came while the repair was running: the list has seen enough.
      if (report.ending === 'repaired' && fenceOf(lane.partition) !== undefined) this.#confirmed(file, 0);
      return;
    }
    const nowMs = clock.nowMs();
    const restored = [...report.written, ...report.found];
    if (restored.length > 0) file.placed = restored;
    if (report.ending === 'repaired' || report.ending === 'not-needed') {
      const isOurs = report.ending === 'repaired';
      // What the analyzer does not see is looked at more and more rarely.
      file.attempts = isOurs ? 0 : file.attempts + 1;
      this.#failures.forget(file.storageIndex);
      file.repairedAtMs = nowMs;
      // Analyzer and repairer judge by the same rule: they differ for as long as one has not heard what the other has.
      const firstMs = isOurs ? config.confirmTimeoutMs : Math.min(disagreementRestMs, config.confirmTimeoutMs);
      queue.rest(file, nowMs + Math.min(3_600_000, firstMs * 2 ** Math.min(10, Math.max(0, file.attempts - 1))));
      if (!isOurs) this.#noteDisagreement(report);
      return;
    }
    if (report.ending === 'cancelled' || report.ending === 'fenced') {
      // Where the partition is still ours after all, the file is tried again when that has become clear.
      queue.rest(file, nowMs + config.retryAfterMs);
      return;
    }
    file.attempts++;
    this.#failures.note(file.storageIndex, file.attempts, report, nowMs);
    const rest = restMs(report, file.attempts, config, random);
    queue.rest(file, nowMs + (report.ending === 'partial' ? Math.max(rest, config.confirmTimeoutMs) : rest));
  }

  #noteDisagreement({ entry, availableBefore }: RepairReport): void {
    const { metrics, logger } = this.#options.telemetry;
    metrics.disagreed();
    const { storageIndex } = entry.manifest;
    logger.info(
      { storageIndex, listedCounted: entry.counted, listedAvailable: entry.available, available: availableBefore },
      'a file that is listed for repair was found well enough',
    );
  }

  /** The analyzer has taken the file off its list. */
  offTheList(file: QueuedFile): void {
    this.#failures.forget(file.storageIndex);
    if (file.repairedAtMs !== null)
      this.#confirmed(file, this.#options.tools.runtime.clock.nowMs() - file.repairedAtMs);
  }

  #confirmed(file: QueuedFile, afterMs: number): void {
    this.#options.telemetry.metrics.confirmed(afterMs / 1000);
    this.#options.events.emit({ kind: 'confirmed', storageIndex: file.storageIndex, afterMs });
  }

  async #audit(report: RepairReport, traceId: string): Promise<void> {
    const { writer, tools } = this.#options;
    const { metrics, logger } = this.#options.telemetry;
    const done = new AbortController();
    const patience = sleep(tools.runtime.clock, auditPatienceMs, done.signal).then(
      () => Promise.reject(storeTakesNothing()),
      () => undefined,
    );
    try {
      await Promise.race([writer.enqueue(repairs, [repairRow(report, traceId)]), patience]);
    } catch (error) {
      metrics.fault('audit-row');
      logger.error({ repair: report.id, error: describeError(error) }, 'the audit of a repair could not be kept');
    } finally {
      done.abort();
    }
  }

  #note(report: RepairReport, repairClass: RepairClass): void {
    const repair = recentOf(report, repairClass);
    this.#recent.unshift(repair);
    if (this.#recent.length > recentKept) this.#recent.pop();
    this.#options.telemetry.metrics.ended(report, repairClass);
    const { id, storageIndex, ending, errorCode, errorMessage, durationMs, restoredShares, wantedShares } = repair;
    const facts = {
      repair: id,
      storageIndex,
      ending,
      errorCode,
      errorMessage,
      durationMs,
      restoredShares,
      wantedShares,
    };
    if (errorCode === '') this.#options.telemetry.logger.info(facts, 'a repair ended');
    else this.#options.telemetry.logger.warn(facts, 'a repair did not end well');
    this.#options.events.emit({ kind: 'ended', repair });
  }

  #runningState(lane: Lane): RunningState | undefined {
    const { repair } = lane;
    if (repair === undefined) return undefined;
    return {
      ...repair.progress(),
      id: repair.job.id,
      storageIndex: lane.file.storageIndex,
      repairClass: lane.repairClass,
      lane: lane.kind,
      startedAtMs: lane.startedAtMs,
      cause: repair.job.entry.cause,
    };
  }
}

/** What targets fence by: letters, digits and `._/-`, at most 64 characters. */
export function fenceScope(topic: string, partition: number): string {
  return `${topic.slice(-50)}/${partition}`;
}

function storeTakesNothing(): MeshwardError {
  return new MeshwardError('store-unavailable', 'the store takes no rows', {
    next: 'Look at ClickHouse; repairs go on without their audit meanwhile.',
    retryable: true,
  });
}
