/** Does what peers say arrive, and does it arrive in time? */
import { gradeHistorySeries, vitalsSeries } from '#store/series.ts';
import { alertAnnotations, campaignAnnotations, versionAnnotations } from '../build/annotations.ts';
import { column, steps, words } from '../build/colors.ts';
import { dashboard } from '../build/dashboard.ts';
import { figure, table } from '../build/figures.ts';
import { graph } from '../build/graphs.ts';
import { toPeer } from '../build/links.ts';
import type { Unplaced } from '../build/panel.ts';
import { rows, series } from '../build/target.ts';
import { databaseVariable, dataSourceVariable, domainVariable, kindVariable } from '../build/variables.ts';
import { figureRates, figures, label } from '../sql/counters.ts';
import { database, leveled, stepsClause } from '../sql/leveled.ts';
import { inDomains, isOfDomains, peersNow } from '../sql/peers.ts';

const noFigures = 'No service has written its figures in this span';
const colourCell = { 'custom.cellOptions': { type: 'color-background', mode: 'basic' } };
const ofDomains = isOfDomains('source.peer_id');

const age: Unplaced = figure(
  {
    title: 'Behind the log',
    description:
      'How far the analyzers’ reading of peer-events is behind the log’s own clock: its oldest partition now. Above a minute health is stale: an analyzer is missing, or too slow for what comes in.',
    noData: 'No analyzer has stored how far it is',
  },
  [6, 5],
  { unit: 's', decimals: 0, thresholds: steps('green', [30, 'yellow'], [120, 'red']) },
  { filled: true },
  rows(
    `SELECT greatest(0, toUnixTimestamp(least(now(), $__toTime)) - min(watermark_ms) / 1000) AS behind FROM ${database}.liveness_marks FINAL HAVING count() > 0`,
  ),
);

const stale: Unplaced = figure(
  {
    title: 'Health is stale',
    description:
      'Analyzers that cannot tell the mesh’s health at the end of the span: 0 is good. Nothing is declared lost while it is stale; `meshward doctor` names what is missing.',
    noData: noFigures,
  },
  [6, 5],
  { unit: 'short', thresholds: steps('green', [1, 'red']) },
  { filled: true, course: true },
  series(`${stepsClause}
SELECT time, sum(value_last) AS stale FROM ${figures('meshward_health_stale')} GROUP BY time ORDER BY time`),
);

const deadLetters: Unplaced = figure(
  {
    title: 'Dead letters and what was not watched',
    description:
      'In the span: records that an analyzer could not read (they are kept: `meshward dead-letters list`), records that left the log before they were read, and events beyond `analyzer.maxFiles`. All three should be 0.',
    noData: noFigures,
  },
  [12, 5],
  { unit: 'short', decimals: 0, thresholds: steps('green', [0.5, 'orange'], [100, 'red']) },
  { named: true, filled: true },
  rows(`${stepsClause}
SELECT sumIf(value_rate * step, figure = 'meshward_analyzer_malformed_records') AS "dead letters",
  sumIf(value_rate * step, figure = 'meshward_analyzer_truncated_events') AS "left the log unread",
  sumIf(value_rate * step, figure = 'meshward_analyzer_refused_events') AS "beyond maxFiles"
FROM ${figureRates('meshward_analyzer_malformed_records', 'meshward_analyzer_truncated_events', 'meshward_analyzer_refused_events')} HAVING count() > 0`),
);

const events: Unplaced = graph(
  {
    title: 'Events a second',
    description:
      'Share events that analyzers applied. A fall to nothing while heartbeats go on: no peer stores or verifies anything, or share-events does not get through. A wall is inventories after many peers returned at once.',
    noData: noFigures,
  },
  [12, 8],
  { unit: 'short' },
  { legend: 'none' },
  series(`${stepsClause}
SELECT time, sum(value_rate) AS events FROM ${figureRates('meshward_analyzer_events')} GROUP BY time ORDER BY time`),
);

const heartbeats: Unplaced = graph(
  {
    title: 'Peers that are heard',
    description:
      'Peers of the chosen domains with a heartbeat in each step. It follows the peers that are up; where it falls and they are up, collectors are overloaded or partly away.',
    noData: 'No heartbeat in this span',
  },
  [12, 8],
  { unit: 'short' },
  { legend: 'none' },
  series(`${stepsClause}
SELECT time, toFloat64(uniqExact(peer_id)) AS peers FROM ${leveled({ series: vitalsSeries, keys: ['peer_id'], figures: ['shares'], condition: ofDomains })} GROUP BY time ORDER BY time`),
);

const sweeps: Unplaced = graph(
  {
    title: 'Sweeps a minute',
    description:
      'Looks at every file. A gap is a time in which nobody judged the mesh: a change of owners takes seconds, more is an analyzer that cannot get its partitions.',
    noData: 'No sweep in this span',
  },
  [8, 7],
  { unit: 'short' },
  { legend: 'none' },
  series(`${stepsClause}
SELECT time, toFloat64(max(rows)) * 60 / step AS sweeps FROM ${leveled({ series: gradeHistorySeries, keys: ['policy', 'grade', 'analyzer'], figures: ['files'] })} GROUP BY time ORDER BY time`),
);

const sweepTime: Unplaced = graph(
  {
    title: 'How long is a sweep?',
    description:
      'Mean time to look at every file of an analyzer. It grows with files; near `analyzer.sweepIntervalMs` start another analyzer.',
    noData: noFigures,
  },
  [8, 7],
  { unit: 's' },
  { legend: 'none' },
  series(`${stepsClause}
SELECT time, toString(instance) AS instance, sumIf(value_rate, figure = 'meshward_analyzer_sweep_seconds_sum') / sumIf(value_rate, figure = 'meshward_analyzer_sweep_seconds_count') AS "mean"
FROM ${figureRates('meshward_analyzer_sweep_seconds_sum', 'meshward_analyzer_sweep_seconds_count')} GROUP BY time, instance HAVING sumIf(value_rate, figure = 'meshward_analyzer_sweep_seconds_count') > 0 ORDER BY time, instance`),
);

const readRecords: Unplaced = graph(
  {
    title: 'Records read from the log',
    description:
      'A second, by service. Analyzers read everything, repairers the list. A service at 0 while others read has lost its partitions: see its log.',
    noData: noFigures,
  },
  [8, 7],
  { unit: 'short', displayName: '${__field.labels.instance}' },
  {},
  series(`${stepsClause}
SELECT time, toString(instance) AS instance, sum(value_rate) AS records FROM ${figureRates('meshward_log_read_records')} GROUP BY time, instance ORDER BY time, instance`),
);

const unread: Unplaced = graph(
  {
    title: 'How far behind the log are the analyzers?',
    description:
      'Records of share-events that wait, by analyzer, at the most of each step: their sum is the lag. A peak after an outage that falls is caught up; one that only grows wants another analyzer, or ClickHouse holds it up (below). What waits for longer than the retention of the topic is lost and asked for again by inventories.',
    noData: noFigures,
  },
  [24, 7],
  { unit: 'short', min: 0, displayName: '${__field.labels.instance}' },
  {},
  series(`${stepsClause}
SELECT time, toString(instance) AS instance, max(value_max) AS records FROM ${figures('meshward_log_unread_records')} GROUP BY time, instance ORDER BY time, instance`),
);

const insertTime: Unplaced = graph(
  {
    title: 'How long does ClickHouse take for a batch?',
    description:
      'Mean time until a batch is acknowledged, by table. Above a second: look at its disks and merges. The log is read no further while the queue beside is full.',
    noData: noFigures,
  },
  [12, 8],
  { unit: 's', displayName: '${__field.labels.table}' },
  { legend: 'table' },
  series(`${stepsClause}
SELECT time, ${label('table')} AS table, sumIf(value_rate, figure = 'meshward_store_insert_seconds_sum') / sumIf(value_rate, figure = 'meshward_store_insert_seconds_count') AS "mean"
FROM ${figureRates('meshward_store_insert_seconds_sum', 'meshward_store_insert_seconds_count')} GROUP BY time, table HAVING sumIf(value_rate, figure = 'meshward_store_insert_seconds_count') > 0 ORDER BY time, table`),
);

const queue: Unplaced = graph(
  {
    title: 'How full is the queue to ClickHouse?',
    description:
      'Bytes that wait, of `clickhouse.maxQueuedBytes`. At 100 % services stop reading the log until ClickHouse takes more: nothing is dropped, and figures grow old.',
    noData: noFigures,
  },
  [6, 8],
  {
    unit: 'percentunit',
    min: 0,
    max: 1,
    thresholds: steps('transparent', [0.8, 'red']),
    displayName: '${__field.labels.instance}',
  },
  { limits: true },
  series(`${stepsClause}
SELECT time, toString(instance) AS instance, maxIf(value_max, figure = 'meshward_store_queued_bytes') / maxIf(value_max, figure = 'meshward_store_queue_limit_bytes') AS "full"
FROM ${figures('meshward_store_queued_bytes', 'meshward_store_queue_limit_bytes')} GROUP BY time, instance HAVING maxIf(value_max, figure = 'meshward_store_queue_limit_bytes') > 0 ORDER BY time, instance`),
);

const oldest: Unplaced = graph(
  {
    title: 'The oldest row that waits',
    description:
      'Its age, by service. Seconds are usual; minutes mean that ClickHouse is away or refuses: see the service’s log.',
    noData: noFigures,
  },
  [6, 8],
  { unit: 's', thresholds: steps('transparent', [60, 'red']), displayName: '${__field.labels.instance}' },
  { limits: true },
  series(`${stepsClause}
SELECT time, toString(instance) AS instance, max(value_max) AS age FROM ${figures('meshward_store_oldest_waiting_seconds')} GROUP BY time, instance ORDER BY time, instance`),
);

const spools: Unplaced = graph(
  {
    title: 'Batches in the spools of peers',
    description:
      'Batches that agents keep because no collector takes them, over all chosen domains (the maximum of each peer in each step, summed), and inventories that a full spool dropped and that come anew.',
    noData: 'No heartbeat in this span',
  },
  [12, 8],
  { unit: 'short' },
  {},
  series(`${stepsClause}
SELECT time, toFloat64(sum(spooled_batches_max)) AS "batches kept", toFloat64(sum(spool_dropped_inventories_last)) AS "inventories dropped"
FROM ${leveled({ series: vitalsSeries, keys: ['peer_id'], figures: ['spooled_batches', 'spool_dropped_inventories'], condition: ofDomains })} GROUP BY time ORDER BY time`),
);

const spooling: Unplaced = table(
  {
    title: 'Who cannot send?',
    description: 'Peers whose spool held something in the last hour of the span, the fullest first.',
    noData: 'Every peer has sent what it had',
  },
  [12, 8],
  {
    unit: 'short',
    overrides: [
      column('peer', { links: [toPeer] }),
      column('peer_id', { 'custom.hideFrom': { viz: true } }),
      column('state', { mappings: words({ up: 'green', suspect: 'yellow', down: 'red' }), ...colourCell }),
    ],
  },
  rows(`SELECT named.name AS peer, named.id AS peer_id, named.domain AS domain, named.state AS state, toUInt64(batches) AS "batches kept" FROM (
  SELECT peer_id, max(spooled_batches_max) AS batches FROM ${database}.peer_vitals_hour
  WHERE at >= toStartOfHour($__toTime) - INTERVAL 1 HOUR AND at <= $__toTime GROUP BY peer_id HAVING batches > 0
) AS spooled INNER JOIN ${peersNow} AS named ON named.peer_id = spooled.peer_id WHERE ${inDomains('named.domain')}
ORDER BY batches DESC, peer LIMIT 100`),
);

const processMemory: Unplaced = graph(
  {
    title: 'Memory of services',
    description:
      'Resident memory of each process. An analyzer takes six bytes a share; one that grows without more files has a fault.',
    noData: noFigures,
  },
  [12, 7],
  { unit: 'bytes', displayName: '${__field.labels.instance}' },
  { legend: 'table' },
  series(`${stepsClause}
SELECT time, toString(instance) AS instance, max(value_max) AS memory FROM ${figures('meshward_process_memory_bytes')} GROUP BY time, instance ORDER BY time, instance`),
);

const restarts: Unplaced = graph(
  {
    title: 'Restarts of services',
    description:
      'Times that a process was started anew, by step. One by one is a release; the same one again and again is a crash: its log says why, with a code of docs/errors.md.',
    noData: noFigures,
  },
  [12, 7],
  { unit: 'short', decimals: 0, displayName: '${__field.labels.instance}' },
  { style: 'bars' },
  series(`${stepsClause}
SELECT time, toString(instance) AS instance, toFloat64(sum(value_last < before)) AS restarts FROM (
  SELECT time, instance, value_last, lagInFrame(value_last, 1, value_last) OVER (PARTITION BY service, instance ORDER BY time ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before
  FROM ${figures('meshward_process_uptime_seconds')}
) GROUP BY time, instance ORDER BY time, instance`),
);

export const pipeline = dashboard({
  name: 'pipeline',
  title: 'Pipeline',
  description: 'Does what peers say arrive, and does it arrive in time?',
  variables: [dataSourceVariable, databaseVariable, kindVariable, domainVariable],
  annotations: [alertAnnotations, campaignAnnotations, versionAnnotations],
  sections: [
    { title: 'Now', panels: [age, stale, deadLetters] },
    { title: 'From the peers', panels: [events, heartbeats, spools, spooling] },
    { title: 'Through the analyzers', panels: [sweeps, sweepTime, readRecords, unread] },
    { title: 'Into ClickHouse', panels: [insertTime, queue, oldest] },
    { title: 'Processes', panels: [processMemory, restarts] },
  ],
});
