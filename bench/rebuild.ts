/**
 * A partition that moves: its placements, files and health out of ClickHouse into the native share map, and the first sweep after it;
 * against the plain way, which asks for JSON and keeps objects. `npm run bench -- rebuild [FILES [K-of-N]]`, by default 1000000 3-of-10
 * (10 million placements); 25-of-100 takes 100 million, some 3 GB of disk and 1 GB of memory.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createNoopMeter } from '@opentelemetry/api';
import { loadStoredPartition } from '#analyzer/clickhouse/stored-partition.ts';
import { figuresOf } from '#analyzer/files/partition/published-health.ts';
import { PartitionRestore } from '#analyzer/files/partition/restore.ts';
import { healthOf } from '#analyzer/files/share-map/health.ts';
import type { PlacementRow } from '#analyzer/files/share-map/kept-rows.ts';
import { NativeShareMap } from '#analyzer/files/share-map/native-share-map.ts';
import { PeerTable } from '#analyzer/files/share-map/peer-table.ts';
import type { FileHealth } from '#analyzer/files/share-map/share-map.ts';
import { PlainShareMap } from '#analyzer/files/share-map/testing/plain-share-map.ts';
import { Turns } from '#analyzer/files/turns.ts';
import { analyzerMetrics } from '#analyzer/metrics.ts';
import { systemClock } from '#mesh/clock.ts';
import { type Coding, formatCoding } from '#mesh/coding.ts';
import { silentLogger } from '#mesh/logger.ts';
import { peerIdFromBytes } from '#mesh/peer-id.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import { connectStore, type Store } from '#store/client.ts';
import { startEmbeddedClickHouse } from '#store/embedded/server.ts';
import { migrate } from '#store/migrations/apply.ts';
import { type BenchCase, type BenchOptions, median, spreadOf } from './case.ts';

const peerCount = 1000;
const rounds = 3;
const placementsPerInsert = 2_000_000;
const requestTimeoutMs = 600_000;
/** Rows as objects take their memory: the plain way is asked for so many files at most. */
const mostPlainFiles = 100_000;
const plainPartition = 1;
const atMs = 1_700_000_000_000;

export async function* run({ arguments: words, note }: BenchOptions): AsyncIterable<BenchCase> {
  const files = Number(words[0] ?? 1_000_000);
  const [k = 3, n = 10] = (words[1] ?? '3-of-10').split('-of-').map(Number);
  const directory = await mkdtemp(join(tmpdir(), 'meshward-bench-'));
  const server = await startEmbeddedClickHouse({ directory, memoryLimitBytes: 3 * 1024 ** 3 });
  const { url, username, password } = server;
  const store = connectStore({ urls: [url], username, password, requestTimeoutMs });
  try {
    await migrate({ store, topology: { kind: 'single' }, clock: systemClock, holder: 'bench' });
    note(`filling ${files.toLocaleString('en')} files ${formatCoding({ k, n })}`);
    const plainFiles = Math.min(files, mostPlainFiles);
    await fill(store, { k, n }, 0, files);
    await fill(store, { k, n }, plainPartition, plainFiles);
    yield* measure(store, { k, n }, files, plainFiles, note);
  } finally {
    await store.close();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function* measure(
  store: Store,
  { k, n }: Coding,
  files: number,
  plainFiles: number,
  note: (line: string) => void,
): AsyncIterable<BenchCase> {
  const title = `${formatCoding({ k, n })}, ${files.toLocaleString('en')} files`;
  const found: Measured[] = [];
  for (let round = 0; round < rounds; round++) {
    note(`rebuild ${round + 1} of ${rounds}`);
    found.push(await rebuild(store, files, n));
  }
  const plain = await plainLoad(store, plainFiles * n);
  const name = `JSON rows into objects (${plainFiles.toLocaleString('en')} files)`;
  const of = (value: number): Record<string, number> => ({ [name]: value });
  const figure = (what: string, unit: string, values: readonly number[], peers: Record<string, number> = {}) => ({
    case: `${title}: ${what}`,
    unit,
    ours: median(values),
    peers,
    spread: spreadOf(values),
  });
  const placements = files * n;
  yield figure(
    'rebuild',
    's',
    found.map(({ seconds }) => seconds),
  );
  yield figure(
    'placements read',
    'rows/s',
    found.map(({ seconds }) => placements / seconds),
    of(plain.rowsPerSecond),
  );
  yield figure(
    'own processor time a million placements',
    's',
    found.map(({ cpuSeconds }) => (cpuSeconds / placements) * 1e6),
    of((plain.cpuSeconds / (plainFiles * n)) * 1e6),
  );
  // Later rounds find the memory of the first one.
  const peakBytes = found[0]?.peakBytes ?? 0;
  yield figure('peak of resident memory above the start', 'MB', [peakBytes / 1e6]);
  yield figure('of that a placement', 'bytes', [peakBytes / placements], of(plain.peakBytes / (plainFiles * n)));
  yield figure(
    'longest pause of the event loop',
    'ms',
    found.map(({ pauseMs }) => pauseMs),
    of(plain.pauseMs),
  );
  yield figure(
    'longest turn, in processor time',
    'ms',
    found.map(({ turnMs }) => turnMs),
    of(plain.turnMs),
  );
  yield figure(
    'first sweep, every file compared with what is stored',
    's',
    found.map(({ sweepSeconds }) => sweepSeconds),
  );
  yield figure(
    'longest pause in that',
    'ms',
    found.map(({ sweepPauseMs }) => sweepPauseMs),
  );
  yield figure(
    'longest turn in that, in processor time',
    'ms',
    found.map(({ sweepTurnMs }) => sweepTurnMs),
  );
}

interface Measured {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  readonly pauseMs: number;
  readonly turnMs: number;
  readonly sweepSeconds: number;
  readonly sweepPauseMs: number;
  readonly sweepTurnMs: number;
}

/** Maps of earlier rounds: freeing one takes a turn of its own, which is no part of a rebuild. */
const kept: NativeShareMap[] = [];

async function rebuild(store: Store, files: number, n: number): Promise<Measured> {
  const peers = new PeerTable();
  const map = new NativeShareMap({ peers, policyFor: defaultPolicy, maxFiles: 1e8, settleMs: 0 });
  kept.push(map);
  const { signal } = new AbortController();
  const options = { partition: 0, map, clock: systemClock, logger: silentLogger, signal };
  const restore = new PartitionRestore({ ...options, metrics: analyzerMetrics(createNoopMeter()) });
  const loaded = await watched(async () => {
    const { applied } = await loadStoredPartition(store, 0, restore);
    map.progress.load(applied);
  });
  if (map.fileCount !== files || map.placementCount !== files * n) throw new Error('not everything was loaded');
  for (const { peer } of peers.rows()) peers.setState(peer, 'up');
  let different = 0;
  const swept = await watched(async () => {
    const turns = new Turns(systemClock);
    for (let left = 1; left > 0; ) {
      const sweep = await map.sweepBeside(atMs, 200_000);
      left = sweep.changedLater;
      for (const health of sweep.changed()) {
        const stored = restore.published.get(health.storageIndex);
        if (stored?.grade !== health.grade || stored.figures !== figuresOf(health)) different++;
        if (turns.over) await turns.next();
      }
    }
  });
  if (different > 0) throw new Error(`${different} files differ from what is stored`);
  return { ...loaded, sweepSeconds: swept.seconds, sweepPauseMs: swept.pauseMs, sweepTurnMs: swept.turnMs };
}

/** The way that comes to mind first: rows as JSON, an object for each, and the map that is made of objects. */
async function plainLoad(store: Store, placements: number) {
  const map = new PlainShareMap({ peers: new PeerTable(), policyFor: defaultPolicy, maxFiles: 1e8, settleMs: 0 });
  const measured = await watched(async () => {
    const sql =
      'SELECT hex(storage_index) AS file, share_number, hex(peer_id) AS peer, state, generation ' +
      `FROM ${store.qualified('placements')} FINAL WHERE partition = ${plainPartition}`;
    const rows: PlacementRow[] = [];
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of store.bytes(sql, 'JSONEachRow')) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() as string;
      for (const line of lines) {
        const row = JSON.parse(line) as Record<'file' | 'peer' | 'state', string> & Record<string, number>;
        rows.push({
          storageIndex: storageIndexFromBytes(Buffer.from(row.file, 'hex')),
          shareNumber: row['share_number'] as number,
          peer: peerIdFromBytes(Buffer.from(row.peer, 'hex')),
          state: row.state as PlacementRow['state'],
          generation: row['generation'] as number,
        });
      }
    }
    map.load({ placements: rows, files: [], applied: [] });
  });
  if (map.placementCount !== placements) throw new Error('not everything was loaded');
  return { ...measured, rowsPerSecond: placements / measured.seconds };
}

/**
 * Beside the pause by the clock, in which other processes have their part, the processor time of the longest turn: how long the loop
 * would have been held up on a core of its own.
 */
async function watched(
  work: () => Promise<void>,
): Promise<Omit<Measured, 'sweepSeconds' | 'sweepPauseMs' | 'sweepTurnMs'>> {
  global.gc?.();
  const before = process.memoryUsage.rss();
  let peak = before;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const turns = new LongestTurn();
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 20);
  delay.enable();
  const cpu = process.cpuUsage();
  const started = performance.now();
  await work();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  delay.disable();
  const turnMs = turns.stop();
  clearInterval(watch);
  peak = Math.max(peak, process.memoryUsage.rss());
  return { seconds, cpuSeconds: (user + system) / 1e6, peakBytes: peak - before, pauseMs: delay.max / 1e6, turnMs };
}

class LongestTurn {
  #longestMs = 0;
  #before = threadMs();
  #stopped = false;

  constructor() {
    const look = (): void => {
      const now = threadMs();
      this.#longestMs = Math.max(this.#longestMs, now - this.#before);
      this.#before = now;
      if (!this.#stopped) setImmediate(look);
    };
    setImmediate(look);
  }

  stop(): number {
    this.#stopped = true;
    return Math.max(this.#longestMs, threadMs() - this.#before);
  }
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Files whose shares lie on consecutive peers, all stored and healthy. */
async function fill(store: Store, { k, n }: Coding, partition: number, files: number): Promise<void> {
  const index = `sipHash128(number, ${partition})`;
  const peer = (number: string): string => `SHA256(toString((${number}) % ${peerCount}))`;
  const health = sampleHealth({ k, n });
  await store.command(
    `INSERT INTO ${store.qualified('files')} (partition, storage_index, ueb_hash, k, n, size_bytes, origin, tag, registered_at, deleted, version)\n` +
      `SELECT ${partition}, ${index}, SHA256(toString(number)), ${k}, ${n}, 10000000, 'owner', '', fromUnixTimestamp64Milli(toInt64(${atMs})), false, 1 FROM numbers(${files})`,
  );
  await store.command(
    `INSERT INTO ${store.qualified('file_health')} (partition, storage_index, policy, grade, grade_since, size_bytes, k, n, available, retained, counted,\n` +
      '  margin, happiness, distinct_peers, tolerance_peers, tolerance_domains, corrupt, log10_loss, cause, at, deleted, version)\n' +
      `SELECT ${partition}, ${index}, '${health.policy.name}', '${health.grade}', fromUnixTimestamp64Milli(toInt64(${atMs})), 10000000, ${k}, ${n}, ${health.available}, ${health.retained}, ${health.counted},\n` +
      `  ${health.margin}, ${health.happiness}, ${health.distinctPeers}, ${health.tolerancePeers}, map(), 0, -9, '', fromUnixTimestamp64Milli(toInt64(${atMs})), false, 1 FROM numbers(${files})`,
  );
  const rows = files * n;
  for (let from = 0; from < rows; from += placementsPerInsert) {
    await store.command(
      `INSERT INTO ${store.qualified('placements')} (partition, storage_index, share_number, peer_id, state, generation, incarnation, sequence, version)\n` +
        `SELECT ${partition}, sipHash128(intDiv(number, ${n}), ${partition}), number % ${n}, ${peer(`intDiv(number, ${n}) + number % ${n}`)}, 'stored', 1, 0, 0, 1\n` +
        `FROM numbers(${from}, ${Math.min(placementsPerInsert, rows - from)})`,
    );
  }
  await store.command(
    `INSERT INTO ${store.qualified('applied')} (partition, peer_id, incarnation, sequence, generation, open_generation, version)\n` +
      `SELECT ${partition}, ${peer('number')}, 1, 1, 1, 0, 1 FROM numbers(${peerCount})`,
  );
}

function sampleHealth({ k, n }: Coding): FileHealth {
  const peers = new PeerTable();
  const storageIndex = storageIndexFromBytes(new Uint8Array(16));
  const manifest = { storageIndex, uebHash: new Uint8Array(32), k, n, sizeBytes: 10_000_000 };
  const placements = Array.from({ length: n }, (_, shareNumber) => {
    const peer = peerIdFromBytes(new Uint8Array(32).fill(shareNumber));
    peers.setState(peer, 'up');
    return { shareNumber, corrupt: false, peer: peers.row(peers.numberOf(peer)) };
  });
  return healthOf({ manifest, origin: 'owner', tag: '' }, defaultPolicy({ k, n }), placements, () => false);
}
