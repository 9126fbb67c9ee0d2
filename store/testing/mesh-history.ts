/** Fills a store with the history of a large mesh, by statements alone: as many rows as asked for, in distributions like those of real ones. */
import type { Store } from '../client.ts';
import {
  exposureSeries,
  gradeHistorySeries,
  marginHistorySeries,
  type Series,
  serviceFiguresSeries,
  vitalsSeries,
} from '../series.ts';

export interface MeshHistory {
  /** In all; four fifths in 25-of-100, a fifth in 3-of-10. */
  readonly placements: number;
  readonly peers: number;
  /** @default one for ten files */
  readonly repairs?: number;
  /** Peers whose hosts' figures are kept. */
  readonly peersWithVitals: number;
  /** Length of each level of the time series. */
  readonly days: { readonly raw: number; readonly minute: number; readonly hour: number; readonly day: number };
  readonly nowMs: number;
  readonly note?: (line: string) => void;
}

export const codings = [
  { k: 25, n: 100, policy: '25-of-100', part: 0.8 },
  { k: 3, n: 10, policy: '3-of-10', part: 0.2 },
] as const;

/** Partitions of share-events in this mesh. */
export const historyPartitions = 64;
const analyzers = 4;
const sweepSeconds = 10;
const rowsPerStatement = 10_000_000;
const dayMs = 86_400_000;

export function filesOf(placements: number): readonly number[] {
  return codings.map(({ n, part }) => Math.max(1, Math.round((placements * part) / n)));
}

/** Storage index of a file by its number, over all codings. */
const indexSql = (file: string): string => `sipHash128(toUInt64(${file}))`;
/** As the collector chooses it: the first four bytes, big-endian. */
const partitionSql = (file: string): string =>
  `toUInt16(reinterpretAsUInt32(reverse(substring(${indexSql(file)}, 1, 4))) % ${historyPartitions})`;

export async function fillMeshHistory(store: Store, mesh: MeshHistory): Promise<void> {
  const note = mesh.note ?? (() => undefined);
  const run = async (label: string, statements: readonly string[]): Promise<void> => {
    for (const [index, statement] of statements.entries()) {
      await store.command(statement, {
        settings: {
          max_insert_threads: '2',
          // As the client inserts rows.
          low_cardinality_max_dictionary_size: '65536',
          max_partitions_per_insert_block: '0',
          wait_end_of_query: 1,
          send_progress_in_http_headers: 1,
          http_headers_progress_interval_ms: '5000',
        },
      });
      if (statements.length > 1) note(`${label}: ${index + 1} of ${statements.length}`);
    }
    note(label);
  };
  const files = filesOf(mesh.placements);
  for (const [index, coding] of codings.entries()) {
    const first = index === 0 ? 0 : (files[0] as number);
    const count = files[index] as number;
    await run(`placements of ${coding.policy}`, placementStatements(store, mesh, coding, first, count));
    await run(`files of ${coding.policy}`, fileStatements(store, mesh, coding, first, count));
  }
  const fileCount = files.reduce((sum, count) => sum + count, 0);
  await run('audit', auditStatements(store, mesh, fileCount));
  await run('peers', peerStatements(store, mesh));
  await run('time series', seriesStatements(store, mesh));
}

type Coding = (typeof codings)[number];

function placementStatements(store: Store, mesh: MeshHistory, { n }: Coding, first: number, count: number): string[] {
  const peers = `(SELECT groupArray(toFixedString(concat(sipHash128(number, 1), sipHash128(number, 2)), 32)) FROM (SELECT toUInt64(number) AS number FROM numbers(${mesh.peers})))`;
  const rows = (version: number, state: string, from: number, to: number, condition: string): string =>
    `INSERT INTO ${store.qualified('placements')} (partition, storage_index, share_number, peer_id, state, generation, incarnation, sequence, version)
    WITH ${peers} AS peers, ${first} + intDiv(number, ${n}) AS file, number % ${n} AS share
    SELECT ${partitionSql('file')}, ${indexSql('file')}, share, peers[1 + cityHash64(file, share) % ${mesh.peers}], '${state}',
      1 + cityHash64(share) % 40, 3, 1000 + intDiv(number, 100000), ${version}
    FROM numbers(${from}, ${to - from})${condition}`;
  const total = count * n;
  const slices = Array.from({ length: Math.ceil(total / rowsPerStatement) }, (_, index) => index * rowsPerStatement);
  return [
    ...slices.map((from) => rows(1, 'stored', from, Math.min(total, from + rowsPerStatement), '')),
    // Some were lost later: versions that FINAL must choose between.
    ...slices.map((from) =>
      rows(2, 'lost', from, Math.min(total, from + rowsPerStatement), ' WHERE cityHash64(number) % 100 = 0'),
    ),
  ];
}

/** Of 10 000 files 2 are lost, 18 critical, 80 at risk, 1400 degraded: a mesh in which a zone has just come back. */
function fileStatements(store: Store, mesh: MeshHistory, coding: Coding, first: number, count: number): string[] {
  const { k, n, policy } = coding;
  const now = `fromUnixTimestamp64Milli(toInt64(${mesh.nowMs}))`;
  const numbers = `FROM (SELECT ${first} + number AS file, cityHash64(file, 7) % 10000 AS luck, cityHash64(file, 8) AS random FROM numbers(${count}))`;
  const grade =
    "multiIf(luck < 2, 'lost', luck < 20, 'critical', luck < 100, 'at-risk', luck < 1500, 'degraded', 'healthy')";
  const spread = Math.max(1, Math.floor((n - k) / 10));
  const available = `toUInt16(multiIf(luck < 2, ${k - 1}, luck < 20, ${k} + random % ${spread}, luck < 100, ${k + spread} + random % ${spread}, luck < 1500, ${k + 2 * spread} + random % ${2 * spread}, ${n} - random % ${2 * spread}))`;
  // No row is of a change: those are written as the history that they are.
  const health = (version: number, condition: string): string =>
    `INSERT INTO ${store.qualified('file_health')} (partition, storage_index, policy, grade, previous_grade, grade_since, size_bytes, k, n, available, retained, counted, margin, happiness, distinct_peers, tolerance_peers, tolerance_domains, corrupt, log10_loss, cause, at, deleted, version)
    WITH ${available} AS held
    SELECT ${partitionSql('file')}, ${indexSql('file')}, '${policy}', ${grade} AS own_grade, own_grade, ${now} - toIntervalSecond(random % 8000000), 1000000 + random % 5000000000,
      ${k}, ${n}, held, held, held, toInt16(held) - ${k}, held, held, held - least(held, ${k - 1}),
      map('zone', toUInt16(luck % 3), 'rack', toUInt16(luck % 17)), 0, if(luck < 1500, toNullable(toFloat32(-1 - (random % 900) / 100)), NULL),
      if(luck < 1500, concat('peer silent ', toString(random % 1000)), ''), ${now} - toIntervalSecond(random % 80000), false, ${version}
    ${numbers}${condition}`;
  return [
    `INSERT INTO ${store.qualified('files')} (partition, storage_index, ueb_hash, k, n, size_bytes, origin, tag, registered_at, deleted, version)
    SELECT ${partitionSql('file')}, ${indexSql('file')}, toFixedString(concat(sipHash128(file, 3), sipHash128(file, 4)), 32), ${k}, ${n}, 1000000 + random % 5000000000,
      'owner', ['', 'archive', 'photos'][1 + random % 3], ${now} - toIntervalSecond(random % 30000000), false, 1
    ${numbers}`,
    health(1, ''),
    health(2, ' WHERE luck < 1500 OR luck % 10 = 0'),
    `INSERT INTO ${store.qualified('grade_changes')} (at, storage_index, policy, from_grade, to_grade, available, retained, margin, size_bytes, cause)
    WITH ${available} AS held
    SELECT ${now} - toIntervalMillisecond(cityHash64(file, 9) % toUInt64(${Math.round(Math.max(mesh.days.hour, 1) * dayMs)})), ${indexSql('file')}, '${policy}', 'healthy', ${grade}, held, held, toInt16(held) - ${k}, 1000000, 'peer silent'
    ${numbers}`,
  ];
}

function auditStatements(store: Store, mesh: MeshHistory, files: number): string[] {
  const repairs = mesh.repairs ?? Math.max(1000, Math.floor(files / 10));
  const now = `fromUnixTimestamp64Milli(toInt64(${mesh.nowMs}))`;
  const someone = (salt: string): string =>
    `toFixedString(concat(sipHash128(toUInt64(${salt} % ${mesh.peers}), 1), sipHash128(toUInt64(${salt} % ${mesh.peers}), 2)), 32)`;
  const startedAt = `${now} - toIntervalMillisecond(cityHash64(number) % toUInt64(${1000 * dayMs}))`;
  return [
    `INSERT INTO ${store.qualified('repairs')} (id, storage_index, campaign, started_at, ended_at, duration_ms, k, n, size_bytes, available_before, available_after, wanted_shares, written_shares, sources, targets, bytes_read, bytes_written, outcome, error_code, error_message, generation, cause, trace_id)
    SELECT generateUUIDv4(number), ${indexSql(`number % ${files}`)}, if(number % 5 = 0, 'spring', ''), ${startedAt} AS started, started + toIntervalMillisecond(1500), 1500, 25, 100, 1000000000,
      40, 90, range(50), range(48), arrayMap(i -> ${someone('(number * 7 + i)')}, range(25)), arrayMap(i -> ${someone('(number * 11 + i)')}, range(48)), 250000000, 480000000,
      if(number % 50 = 0, 'failed', 'repaired'), if(number % 50 = 0, 'repair-no-source', ''), '', 4, 'peer silent', lower(hex(sipHash128(number)))
    FROM numbers(${repairs}) SETTINGS max_block_size = 8192, min_insert_block_size_rows = 200000`,
    `INSERT INTO ${store.qualified('proofs')} (id, storage_index, at, reason, shares, sources, outcome, duration_ms, bytes_read, size_bytes, error_code, error_message, trace_id)
    SELECT generateUUIDv4(number), ${indexSql(`number % ${files}`)}, ${startedAt}, 'scheduled', range(25), arrayMap(i -> ${someone('(number * 7 + i)')}, range(25)),
      'proven', 900, 250000000, 1000000000, '', '', '' FROM numbers(${Math.max(500, Math.floor(repairs / 5))})`,
    `INSERT INTO ${store.qualified('alerts')} (id, at, kind, severity, state, summary, details, files)
    SELECT generateUUIDv4(number), ${now} - toIntervalMinute(number % 500000), 'files-critical', 'warning', if(number % 100 = 0, 'firing', 'resolved'), 'files are critical', '{}', number
    FROM numbers(5000)`,
  ];
}

function peerStatements(store: Store, mesh: MeshHistory): string[] {
  const now = `fromUnixTimestamp64Milli(toInt64(${mesh.nowMs}))`;
  const id = 'toFixedString(concat(sipHash128(toUInt64(peer), 1), sipHash128(toUInt64(peer), 2)), 32)';
  return [
    `INSERT INTO ${store.qualified('peers')} (peer_id, name, state, state_since, domains, capacity_bytes, used_bytes, shares, agent_version, host, port, last_heard_at, incarnation, flap_score, grace_ms, version)
    SELECT ${id}, concat('peer-', toString(peer)), if(peer % 20 = 0, 'down', 'up'), ${now}, map('zone', toString(peer % 16), 'rack', toString(peer % 200)), 4000000000000, 1000000000000, 30000, '0.1.0', 'peer.example', 7000, ${now}, 1, 0, 900000, 1
    FROM (SELECT number AS peer FROM numbers(${mesh.peers}))`,
    `INSERT INTO ${store.qualified('peer_states')} (at, peer_id, from_state, to_state, reason, shares)
    SELECT ${now} - toIntervalMillisecond(cityHash64(number) % toUInt64(${700 * dayMs})), ${id}, 'up', 'suspect', 'silent', 30000
    FROM (SELECT number, number % ${mesh.peers} AS peer FROM numbers(${mesh.peers * 50}))`,
  ];
}

interface Rows {
  readonly series: Series;
  /** Keys, one expression each, from \`item\`. */
  readonly keys: Readonly<Record<string, string>>;
  readonly items: number;
  readonly figure: string;
}

function seriesStatements(store: Store, mesh: MeshHistory): string[] {
  const analyzer = `concat('analyzer-', toString(item % ${analyzers}))`;
  const list: readonly Rows[] = [
    {
      series: marginHistorySeries,
      keys: {
        policy: `if(item < ${analyzers * 60}, '25-of-100', '3-of-10')`,
        margin: `toInt16(intDiv(item, ${analyzers}) % 60)`,
        analyzer,
      },
      items: analyzers * 68,
      figure: 'toUInt64(100000 + item * 10 + tick % 1000)',
    },
    {
      series: gradeHistorySeries,
      keys: {
        policy: `if(item < ${analyzers * 5}, '25-of-100', '3-of-10')`,
        grade: `toInt8(1 + intDiv(item, ${analyzers}) % 5)`,
        analyzer,
      },
      items: analyzers * 10,
      figure: 'toUInt64(100000 + item * 10 + tick % 1000)',
    },
    {
      series: exposureSeries,
      keys: {
        kind: `if(item < ${analyzers * 16}, 'zone', 'rack')`,
        domain: `toString(intDiv(item, ${analyzers}))`,
        analyzer,
      },
      items: analyzers * 66,
      figure: 'toUInt64(1000 + item + tick % 10)',
    },
    {
      series: vitalsSeries,
      keys: { peer_id: 'toFixedString(concat(sipHash128(toUInt64(item), 1), sipHash128(toUInt64(item), 2)), 32)' },
      items: mesh.peersWithVitals,
      figure: '1000000 + cityHash64(item, intDiv(tick, 60)) % 1000 + tick',
    },
    {
      series: serviceFiguresSeries,
      keys: {
        figure: "'meshward_repairer_files'",
        labels: `concat('class=', toString(intDiv(item, ${analyzers})))`,
        service: "'repairer'",
        instance: analyzer,
      },
      items: analyzers * 10,
      figure: 'toUInt64(100 + item + tick % 100)',
    },
  ];
  const levels = [
    ['raw', sweepSeconds, mesh.days.raw],
    ['minute', 60, mesh.days.minute],
    ['hour', 3600, mesh.days.hour],
    ['day', 86_400, mesh.days.day],
  ] as const;
  return list.flatMap((rows) =>
    levels.map(([level, seconds, days]) => levelStatement(store, mesh, rows, level, seconds, days)),
  );
}

/** Raw rows go through the views; levels before them are written as they would be. */
function levelStatement(
  store: Store,
  mesh: MeshHistory,
  rows: Rows,
  level: string,
  seconds: number,
  days: number,
): string {
  const { series, keys, items, figure } = rows;
  const rawFromMs = mesh.nowMs - mesh.days.raw * dayMs;
  const toMs = level === 'raw' ? mesh.nowMs : rawFromMs;
  const ticks = Math.max(0, Math.floor((toMs - (mesh.nowMs - days * dayMs)) / (seconds * 1000)));
  const at = `fromUnixTimestamp64Milli(toInt64(${toMs} - toInt64(tick + 1) * ${seconds * 1000}), 'UTC')`;
  const bucket = {
    raw: at,
    minute: `toStartOfMinute(toDateTime(${at}))`,
    hour: `toStartOfHour(toDateTime(${at}))`,
    day: `toStartOfDay(toDateTime(${at}))`,
  }[level];
  const columns =
    level === 'raw'
      ? series.figures.map(
          ({ name, type }) => [name, type === 'Float32' ? `toFloat32((${figure}) % 100 / 100)` : figure] as const,
        )
      : levelColumns(series, figure, at);
  const all = [['at', bucket] as const, ...Object.entries(keys), ...columns];
  const name = level === 'raw' ? series.name : `${series.name}_${level}`;
  return `INSERT INTO ${store.qualified(name)} (${all.map(([column]) => column).join(', ')})
    SELECT ${all.map(([, expression]) => expression).join(', ')}
    FROM (SELECT intDiv(number, ${items}) AS tick, number % ${items} AS item FROM numbers(${ticks * items}))`;
}

function levelColumns(series: Series, figure: string, at: string): (readonly [string, string])[] {
  const rows = 6;
  return [
    ['last_at', at],
    [series.countName, `toUInt64(${rows})`],
    ...series.figures.flatMap(({ name, type, sumType, aggregates }) => {
      const value = type === 'Float32' ? `toFloat32((${figure}) % 100 / 100)` : figure;
      const expressions = {
        min: value,
        max: value,
        sum: `to${sumType ?? 'UInt64'}(${rows} * (${value}))`,
        last: `(${at}, to${type}(${value}))`,
      };
      return aggregates.map((aggregate) => [`${name}_${aggregate}`, expressions[aggregate]] as const);
    }),
  ];
}
