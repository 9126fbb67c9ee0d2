/**
 * The embedded log: appends that survive a crash, and records handed over. Beside it what is written first without it: one
 * durable transaction of node:sqlite for each record, and a plain SELECT.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createEmbeddedLog, type EmbeddedLog } from '#log/embedded-log.ts';
import { systemClock } from '#mesh/clock.ts';
import { type Bench, type BenchCase, median, spreadOf } from './case.ts';

interface Shape {
  readonly valueBytes: number;
  readonly records: number;
  readonly callers: number;
}

/** Records a second. */
interface Rates {
  readonly appended: number;
  readonly handedOver: number;
}

const shapes: readonly Shape[] = [
  { valueBytes: 200, records: 20_000, callers: 64 },
  { valueBytes: 10_000, records: 5000, callers: 64 },
  { valueBytes: 10_000, records: 1000, callers: 1 },
];
const partitions = 16;
const rounds = 3;
const handOvers = 50;

export const run: Bench = async function* bench({ note }): AsyncGenerator<BenchCase> {
  for (const shape of shapes) {
    const ours: Rates[] = [];
    const theirs: Rates[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(await inFolder((folder) => runOurs(folder, shape)));
      theirs.push(await inFolder((folder) => runSqlite(folder, shape)));
      note(`${shape.valueBytes} bytes, round ${round}: ${JSON.stringify([ours.at(-1), theirs.at(-1)])}`);
    }
    const callers = shape.callers === 1 ? 'one caller' : `${shape.callers} callers`;
    for (const [what, title] of [
      ['appended', `log: ${shape.valueBytes} bytes appended, ${callers}`],
      ['handedOver', `log: ${shape.valueBytes} bytes followed (${callers})`],
    ] as const) {
      const own = ours.map((rates) => rates[what]);
      const peers = { 'node:sqlite': median(theirs.map((rates) => rates[what])) };
      yield { case: title, unit: 'records/s', ours: median(own), peers, spread: spreadOf(own) };
    }
  }
  const times = await inFolder(handOverTimes);
  yield { case: 'log: append to handler', unit: 'ms', ours: median(times), peers: {}, spread: spreadOf(times) };
};

async function inFolder<T>(work: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'meshward-bench-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function openLog(directory: string): Promise<EmbeddedLog> {
  const topic = { name: 'bench', partitions, compacted: false, retentionMs: 0, retentionBytes: 0 };
  return createEmbeddedLog({ directory, topics: [topic], clock: systemClock });
}

async function runOurs(folder: string, { valueBytes, records, callers }: Shape): Promise<Rates> {
  await using stack = new AsyncDisposableStack();
  const log = await openLog(folder);
  stack.defer(() => log.close());
  const value = valueOf(valueBytes);
  let sent = 0;
  const appender = async (): Promise<void> => {
    while (sent < records) await log.append('bench', [{ partition: sent++ % partitions, key: null, value }]);
  };
  const appended = await perSecond(records, () => Promise.all(Array.from({ length: callers }, appender)));
  const handedOver = await perSecond(records, async () => {
    const following = await log.follow(['bench'], 'first', () => Promise.resolve());
    await following.caughtUp;
    await following.close();
  });
  return { appended, handedOver };
}

/** The same durability: write-ahead log, synced at each commit. */
async function runSqlite(folder: string, { valueBytes, records }: Shape): Promise<Rates> {
  const database = new DatabaseSync(join(folder, 'records.db'));
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    database.exec('CREATE TABLE records (partition INTEGER, value BLOB)');
    const insert = database.prepare('INSERT INTO records VALUES (?, ?)');
    const value = valueOf(valueBytes);
    const appended = await perSecond(records, () => {
      for (let i = 0; i < records; i++) insert.run(i % partitions, value);
    });
    const handedOver = await perSecond(records, () => {
      for (const row of database.prepare('SELECT * FROM records').iterate()) void row;
    });
    return { appended, handedOver };
  } finally {
    database.close();
  }
}

/** From an append by one client to the handler of another, one record at a time, in milliseconds. */
async function handOverTimes(folder: string): Promise<readonly number[]> {
  await using stack = new AsyncDisposableStack();
  const [from, to] = [await openLog(folder), await openLog(folder)];
  stack.defer(() => Promise.all([from.close(), to.close()]).then(() => undefined));
  let arrived = Promise.withResolvers<void>();
  const following = await to.follow(['bench'], 'next', () => {
    arrived.resolve();
    return Promise.resolve();
  });
  await following.caughtUp;
  const times: number[] = [];
  for (let i = 0; i < handOvers; i++) {
    arrived = Promise.withResolvers<void>();
    const startMs = performance.now();
    await from.append('bench', [{ partition: 0, key: null, value: valueOf(10_000) }]);
    await arrived.promise;
    times.push(performance.now() - startMs);
  }
  await following.close();
  return times;
}

async function perSecond(records: number, work: () => unknown): Promise<number> {
  const startMs = performance.now();
  await work();
  return (records / (performance.now() - startMs)) * 1000;
}

function valueOf(bytes: number): Uint8Array {
  return new Uint8Array(bytes).map((_, index) => index * 17);
}
