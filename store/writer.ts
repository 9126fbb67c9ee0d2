/**
 * Takes rows for all tables, sends them in batches, and knows when ClickHouse has them.
 *
 * A batch that fails for a passing reason is sent again, the same bytes under the same token, until it is acknowledged:
 * the server drops what it already has. A batch that the server refuses for good fails the writer, because what follows
 * (a committed offset) would otherwise rest on rows that are not there.
 */
import { spreadBackoffMs } from '#mesh/backoff.ts';
import { type Clock, type Random, sleep } from '#mesh/clock.ts';
import { describeError, isRetryable, MeshwardError } from '#mesh/errors.ts';
import type { InsertFormat, Store } from './client.ts';
import { type Row, type Table, writeRow } from './row-binary/table.ts';
import { noteTrace, tracedInsert } from './traced-insert.ts';
import { OpenBatch, type SealedBatch, type WriteGuard } from './write-batch.ts';
import { defaultLimits, tableShare, type WriterLimits } from './write-limits.ts';

export interface StoreWriterOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: Partial<WriterLimits>;
  /** Aborting gives up at once: what is not acknowledged by then is not in the store, and waiting calls reject. */
  readonly signal?: AbortSignal;
  readonly log?: (message: string, details: Readonly<Record<string, unknown>>) => void;
  /** Called for each acknowledged batch. */
  readonly onInserted?: (batch: InsertedBatch) => void;
}

export interface InsertedBatch {
  readonly table: string;
  readonly rows: number;
  readonly bytes: number;
  /** Since the first try, with all rests. */
  readonly durationMs: number;
}

export interface StoreWriter {
  /**
   * Resolves when the rows are in the queue, which waits while the queue is full. They are in the store after `flush`.
   * Rows of one table keep the order of the calls; rows of another one may overtake them.
   * @param guard asked right before each try to send: where it says no, the rows are left out and counted.
   * @throws MeshwardError `bad-input` for a value that does not fit (rows before it stay queued), and what failed the writer.
   */
  enqueue<T extends Table>(table: T, rows: readonly Row<T>[], guard?: WriteGuard): Promise<void>;
  /** The same for rows that are encoded already. The bytes belong to the writer from then on. */
  enqueueEncoded(table: Table, rowCount: number, bytes: Uint8Array, format: InsertFormat): Promise<void>;
  /** What is queued of the table waits no longer than this for more rows to go with it. */
  hasten(table: Table, delayMs: number): void;
  /** Resolves when everything enqueued before this call is acknowledged by ClickHouse. @throws what failed the writer. */
  flush(): Promise<void>;
  stats(): WriterStats;
  /** Flushes, and takes nothing more. */
  close(): Promise<void>;
}

export interface WriterStats {
  readonly queuedRows: number;
  readonly queuedBytes: number;
  /** When `queuedBytes` reaches it, `enqueue` waits. */
  readonly queueLimitBytes: number;
  readonly insertedRows: number;
  readonly insertedBytes: number;
  readonly insertedBatches: number;
  readonly retries: number;
  /** Rows that were left out, since whoever enqueued them may not write them any more. */
  readonly guardedRows: number;
  readonly lastSuccessAtMs: number | null;
  /** Age of the oldest row that is not acknowledged; 0 where there is none. */
  readonly oldestWaitingMs: number;
  /** Calls of `enqueue` that wait for room. */
  readonly waitingCalls: number;
  /** What the last failure said; null after a success. */
  readonly lastError: string | null;
  /** Not null: the writer has failed for good. */
  readonly failure: MeshwardError | null;
}

/** Rows are encoded this many at a time between two looks at the limit. */
const sliceRows = 1024;
/** What of one table is on its way. */
interface Lane {
  /** Calls of `enqueue` go one after another, so that rows keep their order and none overtakes a waiting one. */
  admission: Promise<void>;
  outstandingBytes: number;
  inFlight: number;
}

export function createStoreWriter(options: StoreWriterOptions): StoreWriter {
  return new BatchingWriter(options);
}

class BatchingWriter implements StoreWriter {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: WriterLimits;
  readonly #log: NonNullable<StoreWriterOptions['log']>;
  readonly #onInserted: NonNullable<StoreWriterOptions['onInserted']>;
  readonly #stop = new AbortController();
  readonly #open = new Map<Table, OpenBatch>();
  readonly #sealed: SealedBatch[] = [];
  /** Sealed and not acknowledged, in flight or not. */
  readonly #outstanding = new Set<SealedBatch>();
  #inFlight = 0;
  #outstandingRows = 0;
  #outstandingBytes = 0;
  readonly #lanes = new Map<Table, Lane>();
  #waitingCalls = 0;
  #roomMade = Promise.withResolvers<void>();
  #closed = false;
  #failure: MeshwardError | null = null;
  #insertedRows = 0;
  #insertedBytes = 0;
  #insertedBatches = 0;
  #retries = 0;
  #guardedRows = 0;
  #lastSuccessAtMs: number | null = null;
  #lastError: string | null = null;

  constructor(options: StoreWriterOptions) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#log = options.log ?? (() => undefined);
    this.#onInserted = options.onInserted ?? (() => undefined);
    const { signal } = options;
    const giveUp = (): void => this.#fail(cancelled(signal?.reason));
    if (signal?.aborted) giveUp();
    else signal?.addEventListener('abort', giveUp, { once: true });
  }

  enqueue<T extends Table>(table: T, rows: readonly Row<T>[], guard?: WriteGuard): Promise<void> {
    return this.#admit(table, async () => {
      for (let from = 0; from < rows.length; from += sliceRows) {
        await this.#whenRoom(table);
        this.#encode(table, rows, from, Math.min(rows.length, from + sliceRows), guard ?? null);
      }
    });
  }

  enqueueEncoded(table: Table, rowCount: number, bytes: Uint8Array, format: InsertFormat): Promise<void> {
    return this.#admit(table, async () => {
      await this.#whenRoom(table);
      const batch = this.#openBatch(table, format);
      batch.addEncoded(rowCount, bytes);
      this.#sealWhereFull(batch);
    });
  }

  hasten(table: Table, delayMs: number): void {
    const batch = this.#open.get(table);
    if (batch !== undefined) this.#sealWithin(batch, delayMs);
  }

  async flush(): Promise<void> {
    await Promise.all([...this.#lanes.values()].map(({ admission }) => admission));
    this.#sealAll();
    await Promise.all([...this.#outstanding].map((batch) => batch.settled));
    this.#throwIfFailed();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
  }

  stats(): WriterStats {
    const nowMs = this.#clock.monotonicMs();
    let queuedRows = this.#outstandingRows;
    let oldestMs = nowMs;
    for (const batch of this.#open.values()) {
      queuedRows += batch.rows;
      oldestMs = Math.min(oldestMs, batch.openedAtMs);
    }
    for (const batch of this.#outstanding) oldestMs = Math.min(oldestMs, batch.openedAtMs);
    return {
      queuedRows,
      queuedBytes: this.#queuedBytes(),
      queueLimitBytes: this.#limits.maxQueuedBytes,
      insertedRows: this.#insertedRows,
      insertedBytes: this.#insertedBytes,
      insertedBatches: this.#insertedBatches,
      retries: this.#retries,
      guardedRows: this.#guardedRows,
      lastSuccessAtMs: this.#lastSuccessAtMs,
      oldestWaitingMs: nowMs - oldestMs,
      waitingCalls: this.#waitingCalls,
      lastError: this.#lastError,
      failure: this.#failure,
    };
  }

  #admit(table: Table, add: () => Promise<void>): Promise<void> {
    if (this.#closed) {
      return Promise.reject(
        new MeshwardError('service-unavailable', 'the store writer is closed', { next: 'Start the service again.' }),
      );
    }
    this.#waitingCalls += 1;
    const lane = this.#laneOf(table);
    const admitted = lane.admission.then(async () => {
      try {
        this.#throwIfFailed();
        await add();
      } finally {
        this.#waitingCalls -= 1;
      }
    });
    lane.admission = admitted.catch(() => undefined);
    return admitted;
  }

  #laneOf(table: Table): Lane {
    let lane = this.#lanes.get(table);
    if (lane === undefined) {
      lane = { admission: Promise.resolve(), outstandingBytes: 0, inFlight: 0 };
      this.#lanes.set(table, lane);
    }
    return lane;
  }

  async #whenRoom(table: Table): Promise<void> {
    while (this.#isFull(table)) {
      this.#sealAll();
      await this.#roomMade.promise;
      this.#throwIfFailed();
    }
  }

  #isFull(table: Table): boolean {
    const { maxQueuedBytes } = this.#limits;
    const tableBytes = this.#laneOf(table).outstandingBytes + (this.#open.get(table)?.bytes ?? 0);
    return tableBytes >= maxQueuedBytes * tableShare || this.#queuedBytes() >= maxQueuedBytes;
  }

  #encode<T extends Table>(
    table: T,
    rows: readonly Row<T>[],
    from: number,
    to: number,
    guard: WriteGuard | null,
  ): void {
    for (let index = from; index < to; index++) {
      const batch = this.#openBatch(table, 'RowBinary');
      writeRow(batch.writer(guard), table.columns, rows[index] as Row<T>);
      batch.countRow();
      if (index === from) noteTrace(batch);
      this.#sealWhereFull(batch);
    }
  }

  #openBatch(table: Table, format: InsertFormat): OpenBatch {
    const found = this.#open.get(table);
    if (found?.format === format) return found;
    if (found !== undefined) this.#seal(found);
    const batch: OpenBatch = new OpenBatch(table, format, this.#clock.monotonicMs());
    this.#open.set(table, batch);
    this.#sealWithin(batch, this.#limits.maxBatchDelayMs);
    return batch;
  }

  #sealWithin(batch: OpenBatch, delayMs: number): void {
    const dueAtMs = this.#clock.monotonicMs() + delayMs;
    if (dueAtMs >= batch.dueAtMs) return;
    batch.callOffSealing();
    batch.dueAtMs = dueAtMs;
    batch.callOffSealing = this.#clock.after(delayMs, () => this.#seal(batch));
  }

  #sealWhereFull(batch: OpenBatch): void {
    if (batch.rows >= this.#limits.maxBatchRows || batch.bytes >= this.#limits.maxBatchBytes) this.#seal(batch);
  }

  #sealAll(): void {
    for (const batch of this.#open.values()) this.#seal(batch);
  }

  #seal(batch: OpenBatch): void {
    if (this.#open.get(batch.table) !== batch) return;
    this.#open.delete(batch.table);
    batch.callOffSealing();
    if (batch.rows === 0 || this.#failure !== null) return;
    const sealed = batch.seal();
    this.#outstanding.add(sealed);
    this.#outstandingRows += sealed.rows;
    this.#outstandingBytes += sealed.bytes;
    this.#laneOf(sealed.table).outstandingBytes += sealed.bytes;
    this.#sealed.push(sealed);
    this.#sendMore();
  }

  #sendMore(): void {
    const { maxInFlight } = this.#limits;
    while (this.#inFlight < maxInFlight) {
      const next = this.#sealed.findIndex(({ table }) => this.#laneOf(table).inFlight < Math.max(1, maxInFlight - 1));
      const [batch] = next < 0 ? [] : this.#sealed.splice(next, 1);
      if (batch === undefined) return;
      const lane = this.#laneOf(batch.table);
      this.#inFlight += 1;
      lane.inFlight += 1;
      void this.#send(batch).then((sent) => {
        this.#inFlight -= 1;
        lane.inFlight -= 1;
        if (sent) this.#acknowledge(batch);
        this.#sendMore();
      });
    }
  }

  /** Whether the batch was acknowledged; false when the writer has failed. Never rejects. */
  async #send(batch: SealedBatch): Promise<boolean> {
    const startedMs = this.#clock.monotonicMs();
    for (let attempt = 0; this.#failure === null; attempt++) {
      try {
        await batch.askGuards();
        const { table, body, token, format } = batch;
        const send = (): Promise<void> => this.#store.insert(table, body, { token, format, signal: this.#stop.signal });
        if (body.length > 0) await tracedInsert(batch, send);
        const durationMs = this.#clock.monotonicMs() - startedMs;
        this.#onInserted({ table: batch.table.name, rows: batch.rows, bytes: batch.bytes, durationMs });
        return true;
      } catch (error) {
        if (this.#stop.signal.aborted) return false;
        this.#lastError = describeError(error).slice(0, 1000);
        if (!isRetryable(error)) {
          this.#fail(error instanceof MeshwardError ? error : defect(error));
          return false;
        }
        this.#retries += 1;
        this.#log('insert failed, trying again', {
          table: batch.table.name,
          rows: batch.rows,
          attempt,
          error: this.#lastError,
        });
        await sleep(this.#clock, this.#retryDelayMs(attempt), this.#stop.signal).catch(() => undefined);
      }
    }
    return false;
  }

  #retryDelayMs(attempt: number): number {
    const { retryMinMs: firstMs, retryMaxMs: longestMs } = this.#limits;
    return spreadBackoffMs({ firstMs, longestMs }, attempt, this.#random);
  }

  #acknowledge(batch: SealedBatch): void {
    this.#outstanding.delete(batch);
    this.#outstandingRows -= batch.rows;
    this.#outstandingBytes -= batch.bytes;
    this.#laneOf(batch.table).outstandingBytes -= batch.bytes;
    this.#insertedRows += batch.rowsToSend;
    this.#guardedRows += batch.rows - batch.rowsToSend;
    this.#insertedBytes += batch.bytes;
    this.#insertedBatches += 1;
    this.#lastSuccessAtMs = this.#clock.nowMs();
    this.#lastError = null;
    batch.settle();
    this.#wakeWaiting();
  }

  #fail(error: MeshwardError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#stop.abort(error);
    for (const batch of this.#open.values()) batch.callOffSealing();
    this.#open.clear();
    this.#sealed.length = 0;
    for (const batch of this.#outstanding) batch.settle();
    this.#log('store writer failed', { code: error.code, error: error.message });
    this.#wakeWaiting();
  }

  #wakeWaiting(): void {
    this.#roomMade.resolve();
    this.#roomMade = Promise.withResolvers();
  }

  #queuedBytes(): number {
    let bytes = this.#outstandingBytes;
    for (const batch of this.#open.values()) bytes += batch.bytes;
    return bytes;
  }

  #throwIfFailed(): void {
    if (this.#failure !== null) throw this.#failure;
  }
}

function cancelled(reason: unknown): MeshwardError {
  return new MeshwardError('cancelled', 'the store writer was stopped', {
    next: 'Start the service again: it goes on from the log.',
    cause: reason,
  });
}

function defect(error: unknown): MeshwardError {
  return new MeshwardError('internal', `the store writer failed: ${describeError(error)}`, {
    next: 'This is a defect: please report it with the log around it.',
    cause: error,
  });
}
