/**
 * The whole way of events, each part in a process of its own as in production: peers → collector → log → analyzer →
 * ClickHouse, on the embedded log and on Apache Kafka; and in the same run what the same broker and ClickHouse do without us:
 * a Kafka engine table of JSON rows, a materialized view into a MergeTree, and a query that counts distinct shares.
 * `npm run bench -- pipeline [embedded|kafka …] [alone] [events=N]`: both, three million events; `alone` leaves the last one out.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import { fileHealthOf } from '#store/queries/health.ts';
import { int16 } from '#store/row-binary/columns.ts';
import { startKafka } from '#test/kafka/cluster.ts';
import { type BenchCase, type BenchOptions, median, spreadOf } from './case.ts';
import { type BaselineFigures, measureKafkaEngine } from './load/kafka-engine.ts';
import { MarginWatch, type ReadMargins } from './load/margin-watch.ts';
import { type MeshLayout, storageIndexOf } from './load/mesh-layout.ts';
import type { PostFigures, SayShares } from './load/mesh-load-process.ts';
import { type MeshUnderLoad, startMeshUnderLoad } from './load/mesh-under-load.ts';
import { ProcessorTime } from './load/processor-time.ts';

const coding = { k: 3, n: 10 };
const peerCount = 40;
const eventsPerBatch = 5000;
/** Files whose margins are watched: there before the load, and one after the other loses a share. */
const watchedFiles = 200;
const watchesAtRest = 5;
const watchEveryMs = 1000;
/** Asking is a load of its own, on the processes that are measured. */
const pollMs = 200;
const standStillMs = 3000;
const patienceMs = 600_000;

/** Seconds from the post of a lost share to the file's new margin. */
interface Visible {
  readonly inApi: number;
  readonly inClickHouse: number;
}

interface PipelineFigures {
  readonly eventsPerSecond: Record<'posted' | 'applied' | 'stored' | 'applied again', number>;
  readonly cpuSecondsPerMillion: Readonly<Record<string, number>>;
  readonly visibleSeconds: Record<'under load' | 'at rest', readonly Visible[]>;
  readonly queryMs: number;
}

export async function* run({ arguments: words, note }: BenchOptions): AsyncGenerator<BenchCase> {
  const events = Number(words.find((word) => word.startsWith('events='))?.slice(7) ?? 3_000_000);
  const wanted = words.filter((word) => word !== 'alone' && !word.startsWith('events='));
  const layout: MeshLayout = {
    ...coding,
    files: watchedFiles + Math.ceil(events / coding.n),
    peers: peerCount,
  };
  if (wanted.length === 0 || wanted.includes('embedded')) {
    note('embedded log');
    yield* casesOf('embedded log', await inFolder((folder) => measure(folder, layout, {}, note)), null);
  }
  if (wanted.length > 0 && !wanted.includes('kafka')) return;
  note('Apache Kafka, one broker');
  const kafka = await startKafka({ nodes: 1 });
  try {
    const settings = { 'log.adapter': 'kafka', 'kafka.brokers': kafka.brokers };
    const broker = { kafka: kafka.nodes[0]?.pid ?? 0 };
    const ours = await inFolder((folder) => measure(folder, layout, settings, note, broker));
    if (words.includes('alone')) return yield* casesOf('Kafka', ours, null);
    note("ClickHouse's own Kafka engine, the same broker");
    const baseline = await inFolder((folder) =>
      measureKafkaEngine({ folder, brokers: kafka.brokers, layout, watchedFiles, brokerPid: broker.kafka, note }),
    );
    yield* casesOf('Kafka', ours, baseline);
  } finally {
    await kafka.stop();
  }
}

async function inFolder<T>(measureIn: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'meshward-bench-'));
  try {
    return await measureIn(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(
  folder: string,
  layout: MeshLayout,
  settings: Readonly<Record<string, unknown>>,
  note: (line: string) => void,
  more: Readonly<Record<string, number>> = {},
): Promise<PipelineFigures> {
  const mesh = await startMeshUnderLoad(folder, layout, settings, note);
  try {
    await mesh.load.ask('register', { from: 0, to: layout.files });
    const before = await storeFiles(mesh, 0, watchedFiles);
    await untilStored(mesh, before.events);
    note(`${layout.files} files are registered, ${before.events} placements are there`);
    // Files that are watched are none that have just come.
    await wait(standStillMs);

    const [appliedBefore, storedBefore] = [await mesh.appliedEvents(), await mesh.storedPlacements()];
    const cpu = new ProcessorTime({ ...mesh.pids, ...more });
    const startedMs = performance.now();
    const secondsSince = (): number => (performance.now() - startedMs) / 1000;
    const posted = storeFiles(mesh, watchedFiles, layout.files);
    const whenPosted = posted.then(secondsSince);
    const events = (layout.files - watchedFiles) * layout.n;
    const whenApplied = untilCount(() => mesh.appliedEvents(), appliedBefore + events).then(secondsSince);
    const whenStored = untilCount(() => mesh.storedPlacements(), storedBefore + events)
      .then(() => untilCount(() => mesh.filesKnown(), layout.files))
      .then(secondsSince);
    let isLoaded = true;
    void whenStored.finally(() => (isLoaded = false)).catch(() => undefined);
    const watches = watchesOf(mesh);
    const visible: Promise<Visible>[] = [];
    let file = 0;
    for (; isLoaded && file < watchedFiles - watchesAtRest; file++) {
      visible.push(secondsUntilVisible(mesh, watches, layout, file));
      await wait(watchEveryMs);
    }
    const [postSeconds, appliedSeconds, storedSeconds] = await Promise.all([whenPosted, whenApplied, whenStored]);
    const { putOff } = await posted;
    const used = cpu.seconds();
    const underLoad = await Promise.all(visible);
    note(
      `${events} events: posted in ${postSeconds.toFixed(1)} s (${putOff} posts were put off), stored in ${storedSeconds.toFixed(1)} s`,
    );
    note(`margins under load were in ClickHouse after ${listOf(underLoad)} s`);
    const atRest: Visible[] = [];
    for (let i = 0; i < watchesAtRest; i++) atRest.push(await secondsUntilVisible(mesh, watches, layout, file + i));
    return {
      eventsPerSecond: {
        posted: events / postSeconds,
        applied: events / appliedSeconds,
        stored: events / storedSeconds,
        'applied again': await verifiedPerSecond(mesh, layout),
      },
      cpuSecondsPerMillion: Object.fromEntries(
        Object.entries(used).map(([name, seconds]) => [name, (seconds / events) * 1e6]),
      ),
      visibleSeconds: { 'under load': underLoad, 'at rest': atRest },
      queryMs: await marginQueryMs(mesh),
    };
  } finally {
    await mesh.stop();
  }
}

function listOf(visible: readonly Visible[]): string {
  return visible.map(({ inClickHouse }) => inClickHouse.toFixed(1)).join(', ');
}

function storeFiles(mesh: MeshUnderLoad, from: number, to: number): Promise<PostFigures> {
  return mesh.load.ask<PostFigures>('say', { from, to, kind: 'stored', eventsPerBatch } satisfies SayShares);
}

/** What peers say most of the time: the shares are still there, and sound. */
async function verifiedPerSecond(mesh: MeshUnderLoad, { files, n }: MeshLayout): Promise<number> {
  const before = await mesh.appliedEvents();
  const startedMs = performance.now();
  const said: SayShares = { from: watchedFiles, to: files, kind: 'verified', eventsPerBatch };
  await mesh.load.ask<PostFigures>('say', said);
  const events = (files - watchedFiles) * n;
  await untilCount(() => mesh.appliedEvents(), before + events);
  return (events / (performance.now() - startedMs)) * 1000;
}

async function untilStored(mesh: MeshUnderLoad, placements: number): Promise<void> {
  await untilCount(() => mesh.storedPlacements(), placements);
}

async function untilCount(count: () => Promise<number>, wanted: number): Promise<void> {
  const deadlineMs = performance.now() + patienceMs;
  for (let found = await count(); found < wanted; found = await count()) {
    if (performance.now() > deadlineMs) throw new Error(`${found} of ${wanted} after ${patienceMs / 1000} s`);
    await wait(pollMs);
  }
}

async function secondsUntilVisible(
  mesh: MeshUnderLoad,
  watches: Watches,
  { n, k }: MeshLayout,
  file: number,
): Promise<Visible> {
  const startedMs = performance.now();
  await mesh.load.ask('lose', { file, shareNumber: 0 });
  const [inApi, inClickHouse] = await Promise.all([
    watches.api.until(file, n - k - 1, startedMs),
    watches.clickhouse.until(file, n - k - 1, startedMs),
  ]);
  return { inApi, inClickHouse };
}

interface Watches {
  readonly api: MarginWatch;
  readonly clickhouse: MarginWatch;
}

function watchesOf({ api, store }: MeshUnderLoad): Watches {
  const readApi: ReadMargins = async (files) =>
    new Map(
      await Promise.all(
        files.map(
          async (file): Promise<[number, number]> => [
            file,
            (await api.file(storageIndexFromBytes(storageIndexOf(file)))).margin,
          ],
        ),
      ),
    );
  const readStore: ReadMargins = async (files) => {
    const numberOf = new Map(files.map((file) => [storageIndexFromBytes(storageIndexOf(file)), file]));
    const rows = await fileHealthOf(store, [...numberOf.keys()]);
    return new Map(rows.map((row) => [numberOf.get(row.storageIndex) ?? -1, row.margin]));
  };
  return { api: new MarginWatch(readApi, pollMs), clickhouse: new MarginWatch(readStore, pollMs) };
}

/** How many files have which margin, from what is kept of each file. */
async function marginQueryMs({ store }: MeshUnderLoad): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const startedMs = performance.now();
    await store.select({ margin: int16 }, `SELECT margin FROM ${store.qualified('file_health')} FINAL GROUP BY margin`);
    times.push(performance.now() - startedMs);
  }
  return median(times);
}

function* casesOf(title: string, ours: PipelineFigures, baseline: BaselineFigures | null): Iterable<BenchCase> {
  const peer = (value: number | undefined): Record<string, number> =>
    value === undefined ? {} : { 'Kafka engine': value };
  const single = (name: string, unit: string, value: number, other?: number): BenchCase => ({
    case: `${title}: ${name}`,
    unit,
    ours: value,
    peers: peer(other),
    spread: 0,
  });
  yield single('taken by collectors', 'events/s', ours.eventsPerSecond.posted, baseline?.producedPerSecond);
  yield single('applied by the analyzer', 'events/s', ours.eventsPerSecond.applied);
  yield single('the same shares verified, applied by the analyzer', 'events/s', ours.eventsPerSecond['applied again']);
  yield single('rows in ClickHouse', 'rows/s', ours.eventsPerSecond.stored, baseline?.storedPerSecond);
  for (const when of ['under load', 'at rest'] as const) {
    const times = ours.visibleSeconds[when];
    if (times.length === 0) continue;
    const other = baseline === null ? undefined : median(baseline.visibleSeconds[when]);
    for (const [where, seconds] of [
      ['the API', times.map(({ inApi }) => inApi)],
      ['ClickHouse', times.map(({ inClickHouse }) => inClickHouse)],
    ] as const) {
      const visible = single(`a margin is visible in ${where}, ${when}`, 's', median(seconds), other);
      yield { ...visible, spread: spreadOf(seconds) };
    }
  }
  yield single('files by margin', 'ms', ours.queryMs, baseline?.queryMs);
  const sum = (of: Readonly<Record<string, number>>): number => Object.values(of).reduce((a, b) => a + b, 0);
  const others = baseline?.cpuSecondsPerMillion;
  yield single(
    'all processes',
    'CPU s/M',
    sum(ours.cpuSecondsPerMillion),
    others === undefined ? undefined : sum(others),
  );
  for (const [name, seconds] of Object.entries(ours.cpuSecondsPerMillion))
    yield single(name, 'CPU s/M', seconds, others?.[name]);
}
