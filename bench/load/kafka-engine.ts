/** What a broker and ClickHouse do with the same events and without us: a Kafka engine table, a view into a MergeTree, `uniqExact`. */
import { setTimeout as wait } from 'node:timers/promises';
import { connectStore, type Store } from '#store/client.ts';
import { startEmbeddedClickHouse } from '#store/embedded/server.ts';
import { int16, text, uint64 } from '#store/row-binary/columns.ts';
import { median } from '../case.ts';
import { startChild } from './child.ts';
import type { ProduceFigures, ProduceStart } from './json-producer-process.ts';
import { MarginWatch, type ReadMargins } from './margin-watch.ts';
import { type MeshLayout, storageIndexOf } from './mesh-layout.ts';
import { ProcessorTime } from './processor-time.ts';

export interface BaselineOptions {
  readonly folder: string;
  readonly brokers: readonly string[];
  readonly layout: MeshLayout;
  /** Stored before the clock starts, and watched. */
  readonly watchedFiles: number;
  readonly brokerPid: number;
  readonly note: (line: string) => void;
}

export interface BaselineFigures {
  readonly producedPerSecond: number;
  readonly storedPerSecond: number;
  readonly cpuSecondsPerMillion: Readonly<Record<string, number>>;
  readonly visibleSeconds: Record<'under load' | 'at rest', readonly number[]>;
  /** Files by margin, over all placements. */
  readonly queryMs: number;
}

const topic = 'bench.json-events';
const partitions = 8;
const rowsPerMessage = 1000;
/** As often as our analyzer writes; ClickHouse's own default is 7.5 s. */
const flushMs = 1000;
const watchesAtRest = 5;
const watchEveryMs = 1000;
const pollMs = 50;
const patienceMs = 600_000;

export async function measureKafkaEngine(options: BaselineOptions): Promise<BaselineFigures> {
  const { folder, brokers, layout, watchedFiles, brokerPid, note } = options;
  const server = await startEmbeddedClickHouse({ directory: folder });
  const store = connectStore({
    urls: [server.url],
    username: server.username,
    password: server.password,
    database: 'bench',
  });
  const producer = startChild(new URL('./json-producer-process.ts', import.meta.url));
  try {
    await producer.ask('start', { brokers, topic, partitions, layout, rowsPerMessage } satisfies ProduceStart);
    await createTables(store, brokers);
    const rows = (): Promise<number> => count(store, 'SELECT count() AS count FROM bench.events');
    const before = await producer.ask<ProduceFigures>('produce', { from: 0, to: watchedFiles });
    await until(rows, before.events);

    const cpu = new ProcessorTime({ load: producer.pid, clickhouse: server.pid, kafka: brokerPid });
    const startedMs = performance.now();
    const secondsSince = (): number => (performance.now() - startedMs) / 1000;
    const events = (layout.files - watchedFiles) * layout.n;
    const whenProduced = producer
      .ask<ProduceFigures>('produce', { from: watchedFiles, to: layout.files })
      .then(secondsSince);
    // A lost share is a row as well.
    let lost = 0;
    const whenStored = until(async () => (await rows()) - lost, before.events + events).then(secondsSince);
    let isLoaded = true;
    void whenStored.finally(() => (isLoaded = false)).catch(() => undefined);
    const margins = watchMargins(store, layout);
    const watch = async (file: number): Promise<number> => {
      const lostMs = performance.now();
      await producer.ask('lose', { file, shareNumber: 0 });
      const seconds = await margins.until(file, layout.n - layout.k - 1, lostMs);
      lost++;
      return seconds;
    };
    const watches: Promise<number>[] = [];
    let file = 0;
    for (; isLoaded && file < watchedFiles - watchesAtRest; file++) {
      watches.push(watch(file));
      await wait(watchEveryMs);
    }
    const [producedSeconds, storedSeconds] = await Promise.all([whenProduced, whenStored]);
    const used = cpu.seconds();
    const underLoad = await Promise.all(watches);
    note(`${events} rows: produced in ${producedSeconds.toFixed(1)} s, stored in ${storedSeconds.toFixed(1)} s`);
    const atRest: number[] = [];
    for (let i = 0; i < watchesAtRest; i++) atRest.push(await watch(file + i));
    return {
      producedPerSecond: events / producedSeconds,
      storedPerSecond: events / storedSeconds,
      cpuSecondsPerMillion: Object.fromEntries(
        Object.entries(used).map(([name, seconds]) => [name, (seconds / events) * 1e6]),
      ),
      visibleSeconds: { 'under load': underLoad, 'at rest': atRest },
      queryMs: await marginQueryMs(store, layout),
    };
  } finally {
    await producer.end();
    await store.close();
    await server.stop();
  }
}

async function createTables(store: Store, brokers: readonly string[]): Promise<void> {
  await store.command('CREATE DATABASE bench ENGINE = Atomic');
  await store.command(`CREATE TABLE bench.queue (file String, share UInt8, peer String, kind UInt8, sequence UInt64)
    ENGINE = Kafka SETTINGS kafka_broker_list = '${brokers.join(',')}', kafka_topic_list = '${topic}',
    kafka_group_name = 'bench', kafka_format = 'JSONEachRow', kafka_num_consumers = 2, kafka_thread_per_consumer = 1,
    kafka_flush_interval_ms = ${flushMs}, kafka_max_block_size = 1048576`);
  await store.command(`CREATE TABLE bench.events (file String, share UInt8, peer LowCardinality(String), kind UInt8, sequence UInt64)
    ENGINE = MergeTree ORDER BY (file, share, peer)`);
  await store.command('CREATE MATERIALIZED VIEW bench.consumer TO bench.events AS SELECT * FROM bench.queue');
}

/** The newest word of each peer on each share counts; then distinct shares that are there. */
function marginsSql(layout: MeshLayout, where: string): string {
  return `SELECT file, toInt16(uniqExactIf(share, kind <= 2) - ${layout.k}) AS margin FROM (
    SELECT file, share, peer, argMax(kind, sequence) AS kind FROM bench.events ${where} GROUP BY file, share, peer) GROUP BY file`;
}

function watchMargins(store: Store, layout: MeshLayout): MarginWatch {
  const read: ReadMargins = async (files) => {
    const numberOf = new Map(files.map((file) => [nameOf(file), file]));
    const where = `WHERE file IN (${[...numberOf.keys()].map((name) => `'${name}'`).join(', ')})`;
    const rows = await store.select({ file: text, margin: int16 }, marginsSql(layout, where));
    return new Map(rows.map((row) => [numberOf.get(row.file) ?? -1, row.margin]));
  };
  return new MarginWatch(read, pollMs);
}

function nameOf(file: number): string {
  return Buffer.from(storageIndexOf(file)).toString('hex');
}

async function marginQueryMs(store: Store, layout: MeshLayout): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 3; i++) {
    const startedMs = performance.now();
    await store.select({ margin: int16 }, `SELECT margin FROM (${marginsSql(layout, '')}) GROUP BY margin`);
    times.push(performance.now() - startedMs);
  }
  return median(times);
}

async function count(store: Store, sql: string): Promise<number> {
  const [row] = await store.select({ count: uint64 }, sql);
  return row?.count ?? 0;
}

async function until(counted: () => Promise<number>, wanted: number): Promise<void> {
  const deadlineMs = performance.now() + patienceMs;
  for (let found = await counted(); found < wanted; found = await counted()) {
    if (performance.now() > deadlineMs) throw new Error(`${found} of ${wanted} rows after ${patienceMs / 1000} s`);
    await wait(100);
  }
}
