import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { ManualClock, settle } from '#mesh/testing/manual-clock.ts';
import type { InsertOptions, Store } from './client.ts';
import { text, uint32 } from './row-binary/columns.ts';
import { defineTable, readRowBatches, type Table } from './row-binary/table.ts';
import { createStoreWriter, type StoreWriter, type StoreWriterOptions } from './writer.ts';

const letters = defineTable('letters', { number: uint32, body: text });
const parcels = defineTable('parcels', { number: uint32 });

/** Takes inserts as a server would: keeps what has a new token, and answers when the test says so. */
class RecordingStore {
  readonly sent: { table: string; token: string; bytes: Uint8Array }[] = [];
  readonly kept = new Map<string, { table: string; bytes: Uint8Array }>();
  answer: (sent: number) => Promise<void> = () => Promise.resolve();

  async insert(table: Table, body: readonly Uint8Array[], options: InsertOptions): Promise<void> {
    const bytes = Buffer.concat(body);
    this.sent.push({ table: table.name, token: options.token, bytes });
    const aborted = new Promise<never>((_, reject) =>
      options.signal?.addEventListener('abort', () => reject(options.signal?.reason as Error)),
    );
    aborted.catch(() => undefined);
    await Promise.race([this.answer(this.sent.length), aborted]);
    this.kept.set(options.token, { table: table.name, bytes });
  }

  async rows(table: typeof letters | typeof parcels): Promise<number[]> {
    const numbers: number[] = [];
    for (const { table: name, bytes } of this.kept.values()) {
      if (name !== table.name) continue;
      for await (const rows of readRowBatches(once(bytes), table.columns))
        numbers.push(...rows.map((row) => row.number));
    }
    return numbers;
  }
}

const unavailable = (): MeshwardError =>
  new MeshwardError('store-unavailable', 'away', { next: 'wait', retryable: true });

function writerOn(
  store: RecordingStore,
  options: Partial<StoreWriterOptions> = {},
): { writer: StoreWriter; clock: ManualClock } {
  const clock = new ManualClock();
  const writer = createStoreWriter({ store: store as unknown as Store, clock, random: seededRandom(1), ...options });
  return { writer, clock };
}

const letter = (number: number, bodyBytes = 1): { number: number; body: string } => ({
  number,
  body: 'x'.repeat(bodyBytes),
});

describe('the store writer', () => {
  test('sends rows of one table together: when they are enough, when they are old enough, and on flush', async () => {
    const store = new RecordingStore();
    const { writer, clock } = writerOn(store, { limits: { maxBatchRows: 3, maxBatchDelayMs: 500 } });
    await writer.enqueue(letters, [letter(1), letter(2)]);
    expect(store.sent).toHaveLength(0);
    await writer.enqueue(letters, [letter(3), letter(4)]);
    await settle();
    expect(await store.rows(letters)).toEqual([1, 2, 3]);
    await clock.advance(500);
    expect(await store.rows(letters)).toEqual([1, 2, 3, 4]);
    await writer.enqueue(parcels, [{ number: 5 }]);
    await writer.flush();
    expect(await store.rows(parcels)).toEqual([5]);
    expect(writer.stats()).toMatchObject({
      queuedRows: 0,
      queuedBytes: 0,
      insertedRows: 5,
      insertedBatches: 3,
      retries: 0,
      oldestWaitingMs: 0,
    });
  });

  test('flush resolves only when everything enqueued before is acknowledged', async () => {
    const store = new RecordingStore();
    const answers: (() => void)[] = [];
    store.answer = () => new Promise((resolve) => answers.push(resolve));
    const { writer } = writerOn(store);
    await writer.enqueue(letters, [letter(1)]);
    let flushed = false;
    const flushing = writer.flush().then(() => {
      flushed = true;
    });
    await settle();
    expect(flushed).toBe(false);
    expect(writer.stats()).toMatchObject({ queuedRows: 1, insertedRows: 0 });
    answers[0]?.();
    await flushing;
    expect(writer.stats()).toMatchObject({ queuedRows: 0, insertedRows: 1 });
  });

  test('sends a failed batch again: the same bytes under the same token, with growing rests', async () => {
    const store = new RecordingStore();
    store.answer = (count) => (count < 5 ? Promise.reject(unavailable()) : Promise.resolve());
    const { writer, clock } = writerOn(store, { limits: { retryMinMs: 100, retryMaxMs: 300 } });
    await writer.enqueue(letters, [letter(1)]);
    const flushing = writer.flush();
    const rests: number[] = [];
    for (let retry = 0; retry < 4; retry++) {
      await settle();
      const [rest] = clock.pendingDelaysMs;
      rests.push(rest as number);
      await clock.advance(rest as number);
    }
    await flushing;
    expect(store.sent).toHaveLength(5);
    expect(new Set(store.sent.map((sent) => sent.token)).size).toBe(1);
    expect(new Set(store.sent.map((sent) => Buffer.from(sent.bytes).toString('hex'))).size).toBe(1);
    for (const [index, span] of [100, 200, 300, 300].entries()) {
      expect(rests[index]).toBeGreaterThanOrEqual(span / 2);
      expect(rests[index]).toBeLessThanOrEqual(span);
    }
    expect(writer.stats()).toMatchObject({ retries: 4, lastError: null, insertedRows: 1 });
  });

  test('different rows, and the same rows of another table, have other tokens', async () => {
    const store = new RecordingStore();
    const others = defineTable('others', parcels.columns);
    const { writer } = writerOn(store);
    for (const [table, number] of [
      [parcels, 1],
      [parcels, 2],
      [others, 1],
    ] as const) {
      await writer.enqueue(table, [{ number }]);
      await writer.flush();
    }
    expect(new Set(store.sent.map((sent) => sent.token)).size).toBe(3);
  });

  test('holds no more bytes than its limit and one slice while the server is away, then delivers each row once', async () => {
    const store = new RecordingStore();
    let away = true;
    store.answer = () => (away ? Promise.reject(unavailable()) : Promise.resolve());
    const maxQueuedBytes = 100_000;
    const { writer, clock } = writerOn(store, { limits: { maxQueuedBytes, maxBatchRows: 100, retryMaxMs: 1000 } });
    const rows = Array.from({ length: 20_000 }, (_, number) => letter(number, 20));
    let enqueued = false;
    const enqueueing = writer.enqueue(letters, rows).then(() => {
      enqueued = true;
    });
    await settle();
    for (let second = 0; second < 30; second++) await clock.advance(1000);
    const sliceBytes = 1024 * 25;
    expect(enqueued).toBe(false);
    expect(writer.stats()).toMatchObject({ insertedRows: 0, waitingCalls: 1, lastError: 'away' });
    expect(writer.stats().queuedBytes).toBeLessThan(maxQueuedBytes + sliceBytes);
    expect(writer.stats().oldestWaitingMs).toBe(30_000);
    away = false;
    const flushing = writer.flush();
    for (let second = 0; second < 200 && writer.stats().insertedRows < rows.length; second++) await clock.advance(1000);
    await Promise.all([enqueueing, flushing]);
    expect((await store.rows(letters)).sort((a, b) => a - b)).toEqual(rows.map((row) => row.number));
  });

  test('few rows do not wait behind many of another table, however slow the server takes those', async () => {
    const store = new RecordingStore();
    const answers: (() => void)[] = [];
    store.answer = (count) =>
      store.sent[count - 1]?.table === 'letters' ? new Promise((resolve) => answers.push(resolve)) : Promise.resolve();
    const { writer, clock } = writerOn(store, {
      limits: { maxBatchRows: 100, maxQueuedBytes: 100_000, maxInFlight: 3, maxBatchDelayMs: 500 },
    });
    const many = Array.from({ length: 5000 }, (_, number) => letter(number, 20));
    let enqueued = 0;
    // What fills the queue comes in calls: each waits for room, and the ones after it wait for their turn.
    const enqueueing = Array.from({ length: 10 }, async (_, part) => {
      await writer.enqueue(letters, many.slice(part * 500, part * 500 + 500));
      enqueued++;
    });
    await settle();
    expect(enqueued).toBeLessThan(10);
    await writer.enqueue(parcels, [{ number: 1 }]);
    await clock.advance(500);
    expect(await store.rows(parcels)).toEqual([1]);
    expect(store.sent.filter(({ table }) => table === 'letters')).toHaveLength(2);
    const flushing = writer.flush();
    while (writer.stats().queuedRows + writer.stats().waitingCalls > 0) {
      for (const answer of answers.splice(0)) answer();
      await settle();
    }
    await Promise.all([...enqueueing, flushing]);
    expect(await store.rows(letters)).toEqual(many.map(({ number }) => number));
  });

  test('hastened rows go sooner, and no call puts them off', async () => {
    const store = new RecordingStore();
    const { writer, clock } = writerOn(store, { limits: { maxBatchDelayMs: 1000 } });
    writer.hasten(parcels, 20);
    await writer.enqueue(parcels, [{ number: 1 }]);
    await writer.enqueue(letters, [letter(1)]);
    writer.hasten(parcels, 20);
    writer.hasten(parcels, 5000);
    await clock.advance(19);
    expect(store.sent).toHaveLength(0);
    await clock.advance(1);
    expect(await store.rows(parcels)).toEqual([1]);
    expect(await store.rows(letters)).toEqual([]);
    await clock.advance(980);
    expect(await store.rows(letters)).toEqual([1]);
  });

  test('rows that are encoded in another format go in a batch of their own', async () => {
    const sent: (string | undefined)[] = [];
    const store = new RecordingStore();
    const insert = store.insert.bind(store);
    store.insert = (table, body, options) => {
      sent.push(options.format);
      return insert(table, body, options);
    };
    const { writer } = writerOn(store);
    await writer.enqueue(parcels, [{ number: 1 }]);
    await writer.enqueueEncoded(parcels, 1, new Uint8Array([2, 0, 0, 0]), 'Native');
    await writer.enqueueEncoded(parcels, 1, new Uint8Array([3, 0, 0, 0]), 'Native');
    await writer.enqueue(parcels, [{ number: 4 }]);
    await writer.flush();
    expect(sent).toEqual(['RowBinary', 'Native', 'RowBinary']);
    expect(await store.rows(parcels)).toEqual([1, 2, 3, 4]);
  });

  test('rows whose guard does not hold when they are sent are left out of each try, and counted; the others go', async () => {
    const store = new RecordingStore();
    const { writer, clock } = writerOn(store, { limits: { retryMinMs: 10 } });
    const [mine, lost, lostLater] = [true, false, true].map((holds) => ({ holds: () => Promise.resolve(holds) }));
    if (mine === undefined || lost === undefined || lostLater === undefined) throw new Error('three guards');
    store.answer = (sent) => (sent === 1 ? Promise.reject(unavailable()) : Promise.resolve());
    for (const [number, guard] of [mine, lost, lostLater, mine].entries())
      await writer.enqueue(parcels, [{ number }], guard);
    await writer.enqueue(parcels, [{ number: 4 }]);
    const flushed = writer.flush();
    await settle();
    lostLater.holds = () => Promise.resolve(false);
    await clock.advance(20);
    await flushed;
    expect(store.sent.map(({ bytes }) => [...bytes].filter((_, at) => at % 4 === 0))).toEqual([
      [0, 2, 3, 4],
      [0, 3, 4],
    ]);
    expect(new Set(store.sent.map(({ token }) => token)).size).toBe(2);
    expect(writer.stats()).toMatchObject({ insertedRows: 3, guardedRows: 2, queuedRows: 0, queuedBytes: 0 });
  });

  test('a batch of which nothing is left is not sent', async () => {
    const store = new RecordingStore();
    const { writer } = writerOn(store);
    await writer.enqueue(parcels, [{ number: 1 }], { holds: () => Promise.resolve(false) });
    await writer.flush();
    expect(store.sent).toEqual([]);
    expect(writer.stats()).toMatchObject({ insertedRows: 0, guardedRows: 1, queuedRows: 0 });
  });

  test('a single slot serves every table in turn', async () => {
    const store = new RecordingStore();
    const { writer } = writerOn(store, { limits: { maxBatchRows: 1, maxInFlight: 1 } });
    await Promise.all([writer.enqueue(letters, [letter(1), letter(2)]), writer.enqueue(parcels, [{ number: 3 }])]);
    await writer.flush();
    expect(await store.rows(letters)).toEqual([1, 2]);
    expect(await store.rows(parcels)).toEqual([3]);
  });

  test('fails for good when the server refuses a batch: nothing is taken or flushed any more', async () => {
    const store = new RecordingStore();
    const refusal = new MeshwardError('store-refused', 'no such column', { next: 'migrate' });
    store.answer = () => Promise.reject(refusal);
    const { writer } = writerOn(store);
    await writer.enqueue(letters, [letter(1)]);
    await expect(writer.flush()).rejects.toBe(refusal);
    await expect(writer.enqueue(letters, [letter(2)])).rejects.toBe(refusal);
    await expect(writer.flush()).rejects.toBe(refusal);
    expect(writer.stats().failure).toBe(refusal);
  });

  test('a row that does not fit is refused alone: rows before it and later calls go on', async () => {
    const store = new RecordingStore();
    const { writer } = writerOn(store);
    await expect(writer.enqueue(parcels, [{ number: 1 }, { number: -1 }, { number: 2 }])).rejects.toMatchObject({
      code: 'bad-input',
    });
    await writer.enqueue(parcels, [{ number: 3 }]);
    await writer.flush();
    expect(await store.rows(parcels)).toEqual([1, 3]);
  });

  test('gives up at once when it is aborted, in the middle of a retry and with callers waiting for room', async () => {
    const store = new RecordingStore();
    store.answer = () => Promise.reject(unavailable());
    const stop = new AbortController();
    const { writer } = writerOn(store, { signal: stop.signal, limits: { maxQueuedBytes: 10 } });
    await writer.enqueue(letters, [letter(1, 50)]);
    const waiting = writer.enqueue(letters, [letter(2)]);
    const flushing = writer.flush();
    waiting.catch(() => undefined);
    flushing.catch(() => undefined);
    await settle();
    stop.abort(new Error('stop'));
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    await expect(flushing).rejects.toMatchObject({ code: 'cancelled' });
  });

  test('close delivers what is queued and takes nothing more', async () => {
    const store = new RecordingStore();
    const { writer, clock } = writerOn(store);
    await writer.enqueue(parcels, [{ number: 1 }]);
    await writer.close();
    expect(await store.rows(parcels)).toEqual([1]);
    await expect(writer.enqueue(parcels, [{ number: 2 }])).rejects.toMatchObject({ code: 'service-unavailable' });
    await clock.advance(60_000);
    expect(store.sent).toHaveLength(1);
  });

  test('whatever the calls, sizes, limits and failures: each row arrives exactly once, and within a call in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 20 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(fc.boolean(), { maxLength: 30 }),
        async (calls, maxBatchRows, maxQueuedBytes, maxInFlight, failures) => {
          const store = new RecordingStore();
          store.answer = (count) => (failures[count] === true ? Promise.reject(unavailable()) : Promise.resolve());
          const { writer, clock } = writerOn(store, { limits: { maxBatchRows, maxQueuedBytes, maxInFlight } });
          let next = 0;
          const all = calls.map((count) =>
            writer.enqueue(
              parcels,
              Array.from({ length: count }, () => ({ number: next++ })),
            ),
          );
          const flushing = writer.flush();
          for (let step = 0; step < 500 && writer.stats().queuedRows + writer.stats().waitingCalls > 0; step++)
            await clock.advance(20_000);
          await Promise.all([...all, flushing]);
          expect((await store.rows(parcels)).sort((a, b) => a - b)).toEqual(
            Array.from({ length: next }, (_, index) => index),
          );
          expect(writer.stats()).toMatchObject({ queuedRows: 0, queuedBytes: 0, waitingCalls: 0 });
        },
      ),
      { numRuns: 60 },
    );
  });
});

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
