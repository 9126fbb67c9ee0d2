/**
 * What each column holds, in which unit: told by the database itself, to whoever looks at its tables. One list, in words of README.md.
 * And one word for the severity that calls a person: `page`, as the API has it; `critical` is a grade. Rows of before keep theirs.
 */
import { allSeries, type Series } from '../series.ts';
import { renderChoice, renderComments } from './engine.ts';
import type { Migration } from './migration.ts';

/** Columns that mean the same wherever they stand. */
const everywhere: Readonly<Record<string, string>> = {
  partition: 'Partition of share-events that the file belongs to',
  storage_index: 'Names a file: 16 bytes',
  storage_index_text: 'The storage index as people write it: base32, 26 characters',
  peer_id: 'Names a peer: SHA-256 of its public key',
  peer_id_text: 'The peer id as people write it: base64url, 43 characters',
  share_number: 'Which of the n shares of the file, from 0',
  k: 'How many shares give the file back',
  n: 'How many shares were made of the file',
  size_bytes: 'Size of the file, in bytes',
  policy: 'Name of the policy that the file is mended by',
  grade: 'lost < critical < at-risk < degraded < healthy',
  available: 'Distinct shares on peers that are up: could it be recovered now',
  retained: 'Distinct shares on peers that are not departed: what comes back when peers come back',
  margin: 'Available shares above k; negative: it cannot be recovered now',
  cause: 'Why the shares that are missing are missing',
  analyzer: 'The analyzer that wrote the row',
  incarnation: 'Count of the starts of the agent',
  sequence: 'Count of the batches of the peer in this incarnation',
  generation: 'Count of owners of the partition: a fence',
  version: 'Of several rows with one key the one with the largest version counts',
  gone: '1: this row takes its key away',
  deleted: 'Its owner has deleted the file',
  at: 'When, UTC',
  last_at: 'The newest moment of what is summed up here, UTC',
  trace_id: 'Trace of OpenTelemetry; empty where there is none',
  error_code: 'Code of docs/errors.md; empty where there was no error',
  error_message: 'What went wrong, in words',
  duration_ms: 'How long it took, in milliseconds',
  bytes_read: 'Bytes read from peers',
  bytes_written: 'Bytes written to peers',
};

/** The columns of each table; a text where it means something of its own there. */
const tables: Readonly<Record<string, Readonly<Record<string, string | true>>>> = {
  placements: {
    partition: true,
    storage_index: true,
    storage_index_text: true,
    share_number: true,
    peer_id: true,
    peer_id_text: true,
    state: 'stored, lost (it takes the placement away) or corrupt',
    generation: 'The inventory of the peer that named the share last',
    incarnation: true,
    sequence: true,
    version: true,
    lost: '1 where the state is lost',
  },
  applied: {
    partition: true,
    peer_id: true,
    peer_id_text: true,
    incarnation: 'Of the last batch of the peer that the placements hold',
    sequence: 'Of the last batch of the peer that the placements hold',
    generation: 'The last inventory of the peer that ended',
    open_generation: 'The inventory that is under way; 0: none',
    version: true,
  },
  files: {
    partition: true,
    storage_index: true,
    storage_index_text: true,
    ueb_hash: 'Hash that all shares of the file are checked against',
    k: true,
    n: true,
    size_bytes: true,
    origin: 'Who said so: owner, or derived from a share that a peer holds',
    tag: 'Given by the owner; policies can name it',
    registered_at: 'When it became known, UTC',
    deleted: true,
    version: true,
    gone: true,
  },
  file_health: {
    partition: true,
    storage_index: true,
    storage_index_text: true,
    policy: true,
    grade: true,
    previous_grade: 'Of the row before this one; NULL: there was none',
    grade_since: 'When the file came to this grade, UTC',
    size_bytes: true,
    k: true,
    n: true,
    available: true,
    retained: true,
    counted: 'Available shares and those on peers in grace: what the repair trigger looks at',
    margin: true,
    happiness: 'Largest matching of distinct peers to distinct shares',
    distinct_peers: 'Peers that hold an available share',
    tolerance_peers:
      'Fewest peers whose loss leaves fewer than k available shares: it survives the loss of any one fewer; 0: it cannot be recovered now',
    tolerance_domains:
      'The same for each kind of failure domain: fewest domains whose loss leaves fewer than k available shares',
    corrupt: 'Shares that are there and damaged',
    log10_loss: 'log10 of the probability of loss by independent failures; NULL: not computed',
    cause: true,
    at: 'When the health was found, UTC',
    deleted: true,
    version: true,
    gone: true,
  },
  files_at_risk: {
    partition: true,
    storage_index: true,
    storage_index_text: true,
    policy: true,
    grade: true,
    margin: true,
    log10_loss: 'log10 of the probability of loss by independent failures; NULL: not computed',
    version: true,
    gone: '1: it is not at risk any more',
  },
  grade_changes: {
    at: true,
    storage_index: true,
    storage_index_text: true,
    policy: true,
    from_grade: 'NULL: the file was not known before',
    to_grade: 'lost < critical < at-risk < degraded < healthy',
    available: true,
    retained: true,
    margin: true,
    size_bytes: true,
    cause: true,
  },
  partition_owners: {
    partition: 'Partition of share-events',
    generation: true,
    analyzer: 'The analyzer that owns it under this generation',
    since: 'When it took it over, UTC',
  },
  peers: {
    peer_id: true,
    peer_id_text: true,
    name: 'As the peer was enrolled',
    state: 'up, suspect (in grace), down, departed, draining or maintenance',
    state_since: 'When it came to this state, UTC',
    domains: 'Failure domains by kind, such as zone or rack',
    capacity_bytes: 'Room for shares in all, in bytes; 0: it has not said',
    used_bytes: 'Bytes that its shares take',
    shares: 'How many shares it says to hold',
    agent_version: 'Release of its agent',
    host: 'Where it serves shares',
    port: 'Where it serves shares',
    last_heard_at: 'Its last heartbeat, UTC',
    incarnation: true,
    flap_score: 'How often it went away lately, fading with time',
    grace_ms: 'Silence after which it counts as down, in milliseconds',
    version: true,
  },
  agent_versions: {
    peer_id: true,
    peer_id_text: true,
    agent_version: 'Release of its agent',
    first_at: 'When it was first seen with this release, UTC',
    last_at: 'When it was last seen with this release, UTC',
  },
  peer_lives: {
    peer_id: true,
    peer_id_text: true,
    life: 'JSON of the analyzer: what it must remember of the peer',
    version: true,
  },
  liveness_marks: {
    partition: 'Partition of peer-events',
    next_offset: 'First offset that is not in the lives',
    watermark_ms: 'Newest tick of the log there, milliseconds since the epoch',
    elapsed_ms: 'Time of the log that has passed, in milliseconds',
    version: true,
  },
  peer_states: {
    at: true,
    peer_id: true,
    peer_id_text: true,
    from_state: 'The state before; NULL: the peer was not known',
    to_state: 'up, suspect (in grace), down, departed, draining or maintenance',
    reason: 'Why it changed',
    shares: 'How many shares it said to hold',
  },
  repairs: {
    id: 'Names the repair',
    storage_index: true,
    storage_index_text: true,
    campaign: 'The campaign that asked for it; empty: none',
    started_at: 'UTC',
    ended_at: 'UTC',
    duration_ms: true,
    k: true,
    n: true,
    size_bytes: true,
    available_before: 'Available shares when it began',
    available_after: 'Available shares when it ended',
    wanted_shares: 'Numbers of the shares that it set out to make',
    written_shares: 'Numbers of the shares that it made',
    sources: 'Peers that were read from',
    targets: 'Peers that took the written shares, in their order',
    bytes_read: true,
    bytes_written: true,
    outcome: 'repaired, partial, not-needed, failed or cancelled',
    error_code: true,
    error_message: true,
    generation: true,
    cause: true,
    trace_id: true,
  },
  proofs: {
    id: 'Names the proof',
    storage_index: true,
    storage_index_text: true,
    at: true,
    reason: 'Who asked for it: scheduled or operator',
    shares: 'Numbers of the shares that it was recovered from',
    sources: 'Peers that were read from',
    outcome: 'proven, failed or cancelled',
    duration_ms: true,
    bytes_read: true,
    size_bytes: true,
    error_code: true,
    error_message: true,
    trace_id: true,
  },
  alerts: {
    id: 'Names one firing of the alert, from its start to its end',
    at: true,
    kind: 'Key of the alert, such as files-critical',
    severity: 'info, warning or page (a person is called); critical is what earlier releases wrote for page',
    state: 'firing or resolved',
    summary: 'What it says',
    details: 'JSON: its figures, and what to do',
    files: 'How many files are at stake',
  },
  campaigns: {
    id: 'Names the campaign',
    name: 'Given by who planned it',
    state: 'planned, approved, running, paused, done, cancelled or failed',
    created_at: 'UTC',
    updated_at: 'UTC',
    created_by: 'Who planned it',
    selection: 'JSON: which files',
    plan: 'JSON: what it would do, and its cost',
    progress: 'JSON: how far it is',
    version: true,
  },
};

/** Of the series, by key and figure; the coarser levels say the same with what they keep of each. */
const ofSeries: Readonly<Record<string, string>> = {
  files: 'Files, in this sweep of this analyzer',
  bytes: 'Bytes of these files',
  kind: 'Kind of failure domain; peer is a single peer',
  domain: 'Name of the failure domain, or id of the peer',
  files_below_k: 'Files that its loss would push below k',
  files_below_repair: 'Files that its loss would push below their repair threshold',
  cpu_used_ratio: 'Part of all processors in use, 0 to 1',
  memory_used_bytes: 'Memory of the host in use, in bytes',
  disk_used_bytes: 'Disk of the shares in use, in bytes',
  disk_capacity_bytes: 'Size of the disk of the shares, in bytes',
  network_received_bytes: 'Bytes received since the agent started',
  network_sent_bytes: 'Bytes sent since the agent started',
  shares: 'Shares that it holds',
  share_bytes: 'Bytes of these shares',
  shares_verified: 'Shares checked since the agent started',
  spooled_batches: 'Batches that wait for the collector',
  spool_dropped_inventories: 'Inventories given up since the spool was full',
  process_memory_bytes: 'Memory of the agent, in bytes',
  figure: 'Name of a metric of the service, as docs/metrics.md lists it',
  labels: 'Its labels, as Prometheus writes them',
  service: 'collector, analyzer or repairer',
  instance: 'Which process of the service',
  value: 'Value of the metric',
};

const ofLevels: Readonly<Record<string, string>> = {
  min: 'smallest in the bucket',
  max: 'largest in the bucket',
  sum: 'sum over the bucket: divide by the number of rows for the mean',
  last: 'newest in the bucket, with its moment before it',
};

const countWords: Readonly<Record<string, string>> = {
  sweeps: 'Sweeps that are summed up here',
  heartbeats: 'Heartbeats that are summed up here',
  samples: 'Samples that are summed up here',
};

export const comments: Migration = {
  version: 6,
  name: 'comments',
  render: (context) => [
    ...renderChoice(context, 'alerts', 'severity', "Enum8('info' = 1, 'warning' = 2, 'critical' = 3, 'page' = 4)"),
    ...Object.entries(tables).flatMap(([table, columns]) =>
      renderComments(
        context,
        table,
        Object.entries(columns).map(([column, own]) => [column, own === true ? (everywhere[column] as string) : own]),
      ),
    ),
    ...allSeries.flatMap((series) => [
      ...renderComments(context, series.name, rawComments(series)),
      ...['minute', 'hour', 'day'].flatMap((level) =>
        renderComments(context, `${series.name}_${level}`, levelComments(series, level)),
      ),
    ]),
  ],
};

type Comments = readonly (readonly [string, string])[];

function rawComments(series: Series): Comments {
  const figures = series.figures.map(({ name }) => [name, ofSeries[name] as string] as const);
  return [['at', 'When, UTC'], ...keyComments(series), ...figures];
}

function levelComments(series: Series, level: string): Comments {
  const figures = series.figures.flatMap(({ name, aggregates }) =>
    aggregates.map((kept) => [`${name}_${kept}`, `${ofSeries[name]}: ${ofLevels[kept]}`] as const),
  );
  return [
    ['at', `Begin of the ${level}, UTC`],
    ['last_at', everywhere['last_at'] as string],
    [series.countName, countWords[series.countName] as string],
    ...keyComments(series),
    ...figures,
  ];
}

function keyComments({ keys }: Series): Comments {
  const names = keys.flatMap(({ name }) => (name === 'peer_id' ? [name, 'peer_id_text'] : [name]));
  return names.map((name) => [name, (ofSeries[name] ?? everywhere[name]) as string]);
}
