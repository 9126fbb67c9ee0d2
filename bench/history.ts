/**
 * Reads of the API and of analyzers over a large mesh's history: `npm run bench -- history [PLACEMENTS] [ROUNDS] [FOLDER]`, by
 * default 300 million and 20. Fills an embedded ClickHouse in a temporary folder (some gigabytes, removed afterwards), then runs
 * every read in turns and prints p50, p95, processor time and, from EXPLAIN, how many granules the indexes leave to be read.
 * A FOLDER is kept, and one that is filled is read as it is, at the time that it was filled for.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadStoredFiles, loadWorstFiles } from '#analyzer/clickhouse/stored-files.ts';
import type { WorstFiles } from '#analyzer/ports.ts';
import { systemClock } from '#mesh/clock.ts';
import { connectStore, type Store } from '#store/client.ts';
import { startEmbeddedClickHouse } from '#store/embedded/server.ts';
import { migrate } from '#store/migrations/apply.ts';
import { placementBlocks } from '#store/queries.ts';
import { text, timestamp, uint64 } from '#store/row-binary/columns.ts';
import { fillMeshHistory, historyPartitions } from '#store/testing/mesh-history.ts';
import { type Read, readsOf, selectedBy } from '#store/testing/reads.ts';
import { type BenchCase, type BenchOptions, median, spreadOf } from './case.ts';

export async function* run({ arguments: words, note }: BenchOptions): AsyncIterable<BenchCase> {
  const placements = Number(words[0] ?? 300_000_000);
  const rounds = Number(words[1] ?? 20);
  const kept = words[2];
  const directory = kept ?? (await mkdtemp(join(tmpdir(), 'meshward-history-')));
  const server = await startEmbeddedClickHouse({ directory, memoryLimitBytes: 6 * 1024 ** 3 });
  const store = connectStore({
    urls: [server.url],
    username: server.username,
    password: server.password,
    requestTimeoutMs: 3_600_000,
    partitionCount: historyPartitions,
  });
  try {
    await migrate({ store, topology: { kind: 'single' }, clock: systemClock, holder: 'bench' });
    if ((await rowsOf(store, 'peers')) === 0) {
      const startedMs = performance.now();
      const nowMs = Date.now();
      await fillMeshHistory(store, {
        placements,
        peers: 10_000,
        peersWithVitals: 500,
        days: placements < 50_000_000 ? fewDays : manyDays,
        nowMs,
        note: (line) => note(`${((performance.now() - startedMs) / 1000).toFixed(0)} s: ${line}`),
      });
    }
    await whenMerged(store, note);
    await tell(store, note);
    const nowMs = await newestSweepMs(store);
    const reads = [...(await readsOf(store, nowMs)), ...(await readsOfAnalyzers(store))];
    for (const read of reads) {
      const { granules, ofGranules, parts, ofParts } = await selectedBy(store, read);
      note(`${read.name}: ${granules} of ${ofGranules} granules in ${parts} of ${ofParts} parts`);
    }
    const times = await timesOf(store, reads, rounds, server.pid);
    for (const read of reads) {
      const { wallMs, cpuMs } = times.get(read.name) ?? { wallMs: [], cpuMs: [] };
      const sorted = wallMs.toSorted((a, b) => a - b);
      const at = (part: number): number =>
        sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? 0;
      // Processor time of the server, which other work on the machine does not stretch.
      const peers = { 'p50 ms': at(0.5), 'processor ms': median(cpuMs) };
      yield { case: read.name, unit: 'ms p95', ours: at(0.95), peers, spread: spreadOf(sorted) };
    }
    yield await bulk(store);
  } finally {
    await store.close();
    await server.stop();
    if (kept === undefined) await rm(directory, { recursive: true, force: true });
  }
}

const manyDays = { raw: 1, minute: 14, hour: 400, day: 3650 };
const fewDays = { raw: 0.1, minute: 1, hour: 30, day: 400 };

async function newestSweepMs(store: Store): Promise<number> {
  const [found] = await store.select({ at: timestamp }, `SELECT max(at) FROM ${store.qualified('grade_history')}`);
  return found?.at ?? Date.now();
}

/** What an analyzer asks for files of partitions that others own. */
async function readsOfAnalyzers(store: Store): Promise<readonly Read[]> {
  const worst = (from: Store): Promise<WorstFiles> =>
    loadWorstFiles(from, { limit: 100, worstUpTo: 'at-risk', exceptPartitions: [0, 1] });
  const { files } = await worst(store);
  return [
    { name: 'worst files of others, 100 and their number', run: async (at) => (await worst(at)).files },
    { name: 'manifests and placements of 100 files', run: (at) => loadStoredFiles(at, files) },
  ];
}

async function rowsOf(store: Store, table: string): Promise<number> {
  const [found] = await store.select({ rows: uint64 }, `SELECT count() FROM ${store.qualified(table)}`);
  return found?.rows ?? 0;
}

interface Times {
  readonly wallMs: number[];
  readonly cpuMs: number[];
}

/** One of each in turn, so that a busy moment of the machine falls on all of them. */
async function timesOf(
  store: Store,
  reads: readonly Read[],
  rounds: number,
  pid: number,
): Promise<ReadonlyMap<string, Times>> {
  const times = new Map<string, Times>(reads.map(({ name }) => [name, { wallMs: [], cpuMs: [] }]));
  for (let round = 0; round < rounds; round++) {
    for (const read of reads) {
      const [startedMs, cpuMs] = [performance.now(), await processorMs(pid)];
      await read.run(store);
      times.get(read.name)?.wallMs.push(performance.now() - startedMs);
      times.get(read.name)?.cpuMs.push((await processorMs(pid)) - cpuMs);
    }
  }
  return times;
}

/** Of all threads of a process; ticks of ten milliseconds. */
async function processorMs(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** What an analyzer does when it takes a partition over: no read of the API, and no limit but its speed. */
async function bulk(store: Store): Promise<BenchCase> {
  const startedMs = performance.now();
  let count = 0;
  for await (const block of placementBlocks(store, 5)) count += block.count;
  const perSecond = (count / (performance.now() - startedMs)) * 1000;
  return { case: `placements of a partition (${count})`, unit: 'rows/s', ours: perSecond, peers: {}, spread: 0 };
}

/** Merges go on in the background; what is read meanwhile would say more of them than of the schema. */
async function whenMerged(store: Store, note: (line: string) => void): Promise<void> {
  const deadlineMs = performance.now() + 1_200_000;
  for (let quiet = 0; quiet < 3 && performance.now() < deadlineMs; ) {
    const [found] = await store.select({ merges: uint64 }, 'SELECT count() FROM system.merges');
    quiet = found?.merges === 0 ? quiet + 1 : 0;
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
  note('merges are done');
}

async function tell(store: Store, note: (line: string) => void): Promise<void> {
  const tables = await store.select(
    { name: text, rows: uint64, bytes: uint64, parts: uint64 },
    "SELECT table, sum(rows), sum(bytes_on_disk), count() FROM system.parts WHERE active AND database = 'meshward' AND rows > 0 GROUP BY table ORDER BY table",
  );
  for (const { name, rows, bytes, parts } of tables)
    note(
      `${name}: ${rows} rows, ${(bytes / 1e6).toFixed(1)} MB, ${(bytes / rows).toFixed(2)} bytes a row, ${parts} parts`,
    );
}
