/**
 * Bytes a row of every table on a real server after merges, and what meshes of 1, 10 and 100 million files take:
 * `npm run bench -- store-size [PLACEMENTS] [FOLDER]`, by default 5 million. A FOLDER that `history` has filled is measured as
 * it is. The tables for docs/sizing.md go to standard error.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#mesh/clock.ts';
import { connectStore, type Store } from '#store/client.ts';
import { startEmbeddedClickHouse } from '#store/embedded/server.ts';
import { migrate } from '#store/migrations/apply.ts';
import { defaultRetention } from '#store/retention.ts';
import { text, uint64 } from '#store/row-binary/columns.ts';
import { fillMeshHistory, historyPartitions } from '#store/testing/mesh-history.ts';
import type { BenchCase, BenchOptions } from './case.ts';

export async function* run({ arguments: words, note }: BenchOptions): AsyncIterable<BenchCase> {
  const sizes = await measure(Number(words[0] ?? 5_000_000), words[1], note);
  for (const [table, { rows, bytes }] of sizes)
    yield { case: `${table} (${rows} rows)`, unit: 'bytes/row', ours: bytes / rows, peers: {}, spread: 0 };
  const bytesPerRow = (table: string): number => {
    const found = sizes.get(table);
    return found === undefined ? 0 : found.bytes / found.rows;
  };
  for (const coding of codings) for (const line of renderSizes(coding, bytesPerRow)) note(line);
}

async function measure(
  placements: number,
  kept: string | undefined,
  note: (line: string) => void,
): Promise<Map<string, { rows: number; bytes: number }>> {
  const directory = kept ?? (await mkdtemp(join(tmpdir(), 'meshward-size-')));
  const server = await startEmbeddedClickHouse({ directory, memoryLimitBytes: 4 * 1024 ** 3 });
  const { url, username, password } = server;
  const requestTimeoutMs = 3_600_000;
  const store = connectStore({ urls: [url], username, password, requestTimeoutMs, partitionCount: historyPartitions });
  try {
    await migrate({ store, topology: { kind: 'single' }, clock: systemClock, holder: 'bench' });
    const days = { raw: 0.25, minute: 1.25, hour: 40, day: 400 };
    // As many as a mesh of ten million files repairs in a month: a part then shares one dictionary of peers among them.
    const repairs = 250_000;
    const peers = { peers: 10_000, peersWithVitals: 200 };
    if (kept === undefined)
      await fillMeshHistory(store, { placements, repairs, ...peers, days, nowMs: Date.now(), note });
    return await sizesOf(store, kept === undefined);
  } finally {
    await store.close();
    await server.stop();
    if (kept === undefined) await rm(directory, { recursive: true, force: true });
  }
}

async function sizesOf(store: Store, merge: boolean): Promise<Map<string, { rows: number; bytes: number }>> {
  const tables = await store.select(
    { name: text },
    "SELECT name FROM system.tables WHERE database = 'meshward' AND engine LIKE '%MergeTree' AND total_rows > 0 AND name != 'schema_migrations' ORDER BY name",
  );
  const sizes = new Map<string, { rows: number; bytes: number }>();
  for (const { name } of tables) {
    if (merge) await store.command(`OPTIMIZE TABLE ${store.qualified(name)} FINAL`);
    const [found] = await store.select(
      { rows: uint64, bytes: uint64 },
      'SELECT sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active AND database = {database:String} AND table = {name:String}',
      { parameters: { database: store.database, name } },
    );
    if (found !== undefined) sizes.set(name, found);
  }
  return sizes;
}

/** A mesh as docs/sizing.md describes it: a peer for each thousand files (a thousand at least, ten thousand at most). */
export interface MeshSize {
  readonly files: number;
  readonly k: number;
  readonly n: number;
  readonly peers: number;
  readonly analyzers: number;
  readonly policies: number;
  /** Kinds together: zones, racks. */
  readonly domains: number;
  /** Part of all files. */
  readonly atRisk: number;
  readonly gradeChangesPerFileAndDay: number;
  readonly repairsPerFileAndDay: number;
}

const codings = [
  { k: 25, n: 100 },
  { k: 3, n: 10 },
] as const;
type Coding = (typeof codings)[number];

export function meshOf(files: number, coding: Coding): MeshSize {
  return {
    files,
    ...coding,
    peers: Math.min(10_000, Math.max(1000, files / 1000)),
    analyzers: Math.max(1, Math.ceil(files / 10_000_000)),
    policies: 2,
    domains: 250,
    atRisk: 0.01,
    gradeChangesPerFileAndDay: 0.01,
    repairsPerFileAndDay: 0.001,
  };
}

/** At rest; while files change all the time a sweep is written each second, and raw rows are ten times as many. */
const sweepsPerDay = 8640;
const exposuresPerDay = 1440;
/** An analyzer keeps the exposure of so many single peers. */
const worstPeers = 200;
const vitalsPerDay = 8640;

export interface TableRows {
  readonly table: string;
  readonly rowsPerDay: number;
  readonly keptRows: number;
}

/** The formulas: rows a day, and rows that are there when every life time has passed once. */
export function rowsOf(mesh: MeshSize): readonly TableRows[] {
  const { files, k, n, peers, analyzers, policies } = mesh;
  const { rawDays, minuteDays, hourDays, dayDays, gradeChangesDays, auditDays } = defaultRetention;
  const state = (table: string, keptRows: number): TableRows => ({ table, rowsPerDay: 0, keptRows });
  const kept = (table: string, rowsPerDay: number, days: number): TableRows => ({
    table,
    rowsPerDay,
    keptRows: rowsPerDay * days,
  });
  const series = (name: string, keys: number, rawPerDay: number): TableRows[] => [
    kept(name, keys * rawPerDay, rawDays),
    kept(`${name}_minute`, keys * 1440, minuteDays),
    kept(`${name}_hour`, keys * 24, hourDays),
    kept(`${name}_day`, keys, dayDays),
  ];
  return [
    state('placements', files * n),
    state('files', files),
    state('file_health', files),
    state('files_at_risk', files * mesh.atRisk),
    kept('grade_changes', files * mesh.gradeChangesPerFileAndDay, gradeChangesDays),
    kept('repairs', files * mesh.repairsPerFileAndDay, auditDays),
    // One analyzer writes the sweeps of all, each margin from lost to all shares; each writes the exposure that it sees.
    ...series('margin_history', policies * (n - k + 2), sweepsPerDay),
    ...series('grade_history', policies * 5, sweepsPerDay),
    ...series('domain_exposure', analyzers * (mesh.domains + worstPeers), exposuresPerDay),
    ...series('peer_vitals', peers, vitalsPerDay),
  ];
}

function renderSizes(coding: Coding, bytesPerRow: (table: string) => number): string[] {
  const meshes = [1e6, 1e7, 1e8].map((files) => meshOf(files, coding));
  const rows = meshes.map(rowsOf);
  const lines = (rows[0] ?? []).map(({ table }, index) => {
    const cells = rows.flatMap((ofMesh) => {
      const { rowsPerDay, keptRows } = ofMesh[index] as TableRows;
      return [short(rowsPerDay), short(keptRows), `${short(keptRows * bytesPerRow(table))}B`];
    });
    return `| \`${table}\` | ${bytesPerRow(table).toFixed(1)} | ${cells.join(' | ')} |`;
  });
  const totals = rows.map((ofMesh) =>
    ofMesh.reduce((sum, { table, keptRows }) => sum + keptRows * bytesPerRow(table), 0),
  );
  const heads = meshes.flatMap(({ files }) => [`${short(files)} files: rows a day`, 'rows kept', 'on disk']);
  return [
    `| ${coding.k}-of-${coding.n} | bytes a row | ${heads.join(' | ')} |`,
    `| --- | ---: |${' ---: |'.repeat(heads.length)}`,
    ...lines,
    `| **all** | | ${totals.map((bytes) => `| | **${short(bytes)}B**`).join(' | ')} |`,
  ];
}

function short(value: number): string {
  if (value === 0) return '–';
  const steps = [
    [1e12, 'T'],
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const;
  const [unit, letter] = steps.find(([size]) => value >= size) ?? [1, ''];
  return `${(value / unit).toPrecision(3).replace(/\.0+$/, '')} ${letter}`.trim();
}
