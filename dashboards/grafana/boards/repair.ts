/** Does repair keep up, what does it cost, and why does it fail? */
import { alertAnnotations, campaignAnnotations, versionAnnotations } from '../build/annotations.ts';
import { colored, column, gradeColors, moment, outcomeColors, steps, words } from '../build/colors.ts';
import { dashboard } from '../build/dashboard.ts';
import { bars, figure, table } from '../build/figures.ts';
import { graph } from '../build/graphs.ts';
import { toFile, toPeer } from '../build/links.ts';
import type { Unplaced } from '../build/panel.ts';
import { rows, series } from '../build/target.ts';
import { databaseVariable, dataSourceVariable, domainVariable, kindVariable } from '../build/variables.ts';
import { figureRates, figures, label } from '../sql/counters.ts';
import { database, stepsClause } from '../sql/leveled.ts';
import { inDomains, peersNow } from '../sql/peers.ts';

const noRepair = 'Nothing was repaired in this span';
const noFigures = 'No repairer has written its figures in this span';
const colourCell = { 'custom.cellOptions': { type: 'color-background', mode: 'basic' } };
const repairs = `${database}.repairs FINAL WHERE $__timeFilter(started_at)`;

const waiting: Unplaced = graph(
  {
    title: 'What waits for repair, by class',
    description:
      'Files in the queues of all repairers. Critical must be near 0 within minutes: it overtakes everything. At-risk falls steadily where repair keeps up; where it stays flat, look at the brake, the budget and the reasons below. “lost” waits for peers, not for repairers.',
    noData: noFigures,
  },
  [12, 8],
  { unit: 'short', overrides: colored(gradeColors) },
  { style: 'stacked' },
  series(`${stepsClause}
SELECT time, ${['degraded', 'at-risk', 'critical', 'lost'].map((name) => `sumIf(value_last, ${label('class')} = '${name}') AS "${name}"`).join(', ')}
FROM ${figures('meshward_repairer_files')} GROUP BY time ORDER BY time`),
);

const state: Unplaced = figure(
  {
    title: 'Repairers now',
    description:
      'Repairs under way, and whether the brake holds: 1 means that much went silent at once and bulk repair waits, while critical files are repaired all the same. It lets go by itself; a brake that holds for an hour is a partition or a bad release.',
    noData: noFigures,
  },
  [8, 5],
  {
    unit: 'short',
    overrides: [column('brake', { thresholds: { mode: 'absolute', steps: steps('green', [1, 'orange']) } })],
    thresholds: steps('blue'),
  },
  { named: true },
  series(`${stepsClause}
SELECT time, sumIf(value_last, figure = 'meshward_repairer_running') AS running, maxIf(value_last, figure = 'meshward_repairer_brake') AS brake
FROM ${figures('meshward_repairer_running', 'meshward_repairer_brake')} GROUP BY time ORDER BY time`),
);

const eta: Unplaced = figure(
  {
    title: 'Until the list is done',
    description:
      'Files that wait now (without lost ones) at the rate of the last half hour of the span. Longer than the time to k on “Mesh”: raise `repairer.bytesPerSecond` and `repairer.maxConcurrentRepairs`, or start more repairers.',
    noData: 'Nothing waits, or nothing was repaired in the last half hour',
  },
  [8, 5],
  { unit: 's', decimals: 0, thresholds: steps('green', [3600, 'yellow'], [21_600, 'orange'], [86_400, 'red']) },
  {},
  rows(`SELECT waiting / (done / 1800) AS eta FROM (
  SELECT count() AS waiting FROM ${database}.files_at_risk FINAL WHERE grade != 'lost'
) AS of_list CROSS JOIN (
  SELECT countIf(outcome = 'repaired') AS done FROM ${database}.repairs FINAL WHERE started_at >= $__toTime - INTERVAL 30 MINUTE AND started_at <= $__toTime
) AS of_repairs WHERE waiting > 0 AND done > 0`),
);

const ages: Unplaced = bars(
  {
    title: 'How long have files been waiting?',
    description:
      'Files on the list by the time since they fell to their grade. A long bar at the bottom is work that nobody gets done: see “Outcomes and their reasons”.',
    noData: 'No file waits',
  },
  [8, 5],
  { unit: 'short', thresholds: steps('orange') },
  rows(`WITH multiIf(minutes < 10, 0, minutes < 60, 1, minutes < 360, 2, minutes < 1440, 3, 4) AS bucket
SELECT ['under 10 minutes', 'under an hour', 'under 6 hours', 'under a day', 'a day or more'][bucket + 1] AS age, count() AS files FROM (
  SELECT dateDiff('minute', grade_since, now()) AS minutes FROM ${database}.file_health FINAL
  PREWHERE (partition, storage_index) IN (SELECT partition, storage_index FROM ${database}.files_at_risk FINAL LIMIT 100000) WHERE grade <= 'at-risk'
) GROUP BY bucket ORDER BY bucket`),
);

const outcomes: Unplaced = graph(
  {
    title: 'Repairs, by how they ended',
    description:
      'Green is done. Yellow wrote some of the shares and will come again. Red failed: see the reasons below. Blue found the file well: its peers had come back before it was its turn, which costs nothing.',
    noData: noRepair,
  },
  [12, 8],
  { unit: 'short', overrides: colored(outcomeColors) },
  { style: 'bars' },
  series(`SELECT $__timeInterval(started_at) AS time, ${Object.keys(outcomeColors)
    .map((outcome) => `countIf(outcome = '${outcome}') AS "${outcome}"`)
    .join(', ')}
FROM ${repairs} GROUP BY time ORDER BY time`),
);

const throughput: Unplaced = graph(
  {
    title: 'Bytes moved, and the budget',
    description:
      'Share data that repairs read and wrote, a second, beside what all repairers together may (`repairer.bytesPerSecond`; no line where it is unlimited). At the line repair is held back by it. Far below it while files wait: peers are slow, or nothing is found to write to.',
    noData: noRepair,
  },
  [12, 8],
  {
    unit: 'Bps',
    overrides: [column('budget', { color: { mode: 'fixed', fixedColor: 'red' }, 'custom.fillOpacity': 0 })],
  },
  {},
  series(`SELECT $__timeInterval(started_at) AS time, sum(bytes_read) / $__interval_s AS "read", sum(bytes_written) / $__interval_s AS written
FROM ${repairs} GROUP BY time ORDER BY time`),
  series(
    `${stepsClause}
SELECT time, sum(value_last) AS budget FROM ${figures('meshward_repairer_budget_bytes_per_second')} GROUP BY time HAVING budget > 0 ORDER BY time`,
    'B',
  ),
);

const cost: Unplaced = graph(
  {
    title: 'Cost of a share of margin',
    description:
      'Bytes moved for each share that a repair won. A repair reads k shares whether it writes one or fifty, so it is dear where few shares are missing: a high line means that the threshold repairs too early, and lazier policies would save traffic.',
    noData: noRepair,
  },
  [12, 7],
  { unit: 'bytes' },
  { legend: 'none', bridgeMs: 3_600_000 },
  series(`SELECT $__timeInterval(started_at) AS time, sum(bytes_read + bytes_written) / sum(toFloat64(available_after) - toFloat64(available_before)) AS "bytes a share"
FROM ${repairs} AND available_after > available_before GROUP BY time ORDER BY time`),
);

const durations: Unplaced = graph(
  {
    title: 'How long does a repair take?',
    description:
      'Half of the repairs took less than the first line, 95 in 100 less than the second. A second line that leaves the first behind is a slow peer or domain: see who was read from.',
    noData: noRepair,
  },
  [12, 7],
  { unit: 'ms' },
  { bridgeMs: 3_600_000 },
  series(`SELECT $__timeInterval(started_at) AS time, quantile(0.5)(duration_ms) AS "half of them", quantile(0.95)(duration_ms) AS "95 in 100"
FROM ${repairs} AND outcome IN ('repaired', 'partial') GROUP BY time ORDER BY time`),
);

function byDomain(title: string, peersColumn: string, bytesColumn: string, description: string): Unplaced {
  return bars(
    { title, description, noData: noRepair },
    [12, 10],
    { unit: 'bytes', thresholds: steps('blue') },
    rows(`SELECT named.domain AS domain, sum(part) AS bytes FROM (
  SELECT arrayJoin(${peersColumn}) AS peer_id, toFloat64(${bytesColumn}) / length(${peersColumn}) AS part FROM ${repairs} AND ${bytesColumn} > 0
) AS moved INNER JOIN ${peersNow} AS named ON named.peer_id = moved.peer_id WHERE ${inDomains('named.domain')}
GROUP BY named.domain ORDER BY bytes DESC, domain LIMIT 20`),
  );
}

const reasons: Unplaced = table(
  {
    title: 'Outcomes and their reasons',
    description:
      'Every code that repairs ended with, the most frequent first, with the newest message. docs/errors.md says what each asks of you: `repair-no-target` wants peers with room, `not-enough-shares` wants peers back.',
    noData: noRepair,
  },
  [12, 9],
  {
    unit: 'short',
    overrides: [
      column('outcome', { mappings: words(outcomeColors), ...colourCell, 'custom.width': 110 }),
      column('newest', { unit: 'dateTimeFromNow', 'custom.width': 130 }),
      column('repairs', { 'custom.width': 80 }),
    ],
  },
  rows(`SELECT toString(outcome) AS outcome, if(error_code = '', '–', toString(error_code)) AS code, count() AS repairs, max(started_at) AS newest, argMax(error_message, started_at) AS message
FROM ${repairs} GROUP BY outcome, code ORDER BY repairs DESC LIMIT 50`),
);

const confirm: Unplaced = graph(
  {
    title: 'From the end of a repair until the mesh knows',
    description:
      'Time until the analyzers took a repaired file off the list, on average. Above ten seconds they lag behind the log: see “Pipeline”.',
    noData: noFigures,
  },
  [12, 8],
  { unit: 's', thresholds: steps('transparent', [10, 'orange']) },
  { limits: true, legend: 'none' },
  series(`${stepsClause}
SELECT time, if(ended > 0, spent / ended, 0) AS "mean" FROM (
  SELECT time, sumIf(value_rate, figure = 'meshward_repairer_confirm_seconds_sum') AS spent, sumIf(value_rate, figure = 'meshward_repairer_confirm_seconds_count') AS ended
  FROM ${figureRates('meshward_repairer_confirm_seconds_sum', 'meshward_repairer_confirm_seconds_count')} GROUP BY time
) WHERE ended > 0 ORDER BY time`),
);

const byPeer: Unplaced = table(
  {
    title: 'Who gave and who took',
    description:
      'Share data that each peer gave to repairs and took from them in the span. A peer that gives far more than the others is read too often: it holds the only copies, or others are slow.',
    noData: noRepair,
  },
  [12, 9],
  {
    unit: 'bytes',
    overrides: [column('peer', { links: [toPeer] }), column('peer_id', { 'custom.hideFrom': { viz: true } })],
  },
  rows(`SELECT named.name AS peer, named.id AS peer_id, named.domain AS domain, sum(gave) AS gave, sum(took) AS took FROM (
  SELECT arrayJoin(sources) AS peer_id, toFloat64(bytes_read) / length(sources) AS gave, 0 AS took FROM ${repairs} AND bytes_read > 0
  UNION ALL SELECT arrayJoin(targets) AS peer_id, 0 AS gave, toFloat64(bytes_written) / length(targets) AS took FROM ${repairs} AND bytes_written > 0
) AS moved INNER JOIN ${peersNow} AS named ON named.peer_id = moved.peer_id WHERE ${inDomains('named.domain')}
GROUP BY named.name, named.id, named.domain ORDER BY gave + took DESC, peer LIMIT 100`),
);

const recent: Unplaced = table(
  {
    title: 'The newest repairs',
    description: 'What was done last, and why. The storage index leads to the life of the file.',
    noData: noRepair,
  },
  [24, 9],
  {
    unit: 'short',
    overrides: [
      column('when', moment),
      column('storage index', { links: [toFile], 'custom.width': 250 }),
      column('outcome', { mappings: words(outcomeColors), ...colourCell }),
      column('took', { unit: 'ms' }),
    ],
  },
  rows(`SELECT started_at AS "when", storage_index_text AS "storage index", toString(outcome) AS outcome, available_before AS before, available_after AS after, duration_ms AS took, cause
FROM ${database}.repairs WHERE $__timeFilter(started_at) ORDER BY started_at DESC, id LIMIT 1 BY started_at, id LIMIT 100`),
);

export const repair = dashboard({
  name: 'repair',
  title: 'Repair',
  description: 'Does repair keep up, what does it cost, and why does it fail?',
  variables: [dataSourceVariable, databaseVariable, kindVariable, domainVariable],
  annotations: [alertAnnotations, campaignAnnotations, versionAnnotations],
  sections: [
    { title: 'Does it keep up?', panels: [state, eta, ages, waiting, outcomes, throughput, confirm] },
    { title: 'Cost', panels: [cost, durations] },
    {
      title: 'Who, and why',
      panels: [
        byDomain(
          'Read from, by domain',
          'sources',
          'bytes_read',
          'Share data that repairs read from each domain. Peers and domains have budgets of their own; a domain at the top for long is the one to widen.',
        ),
        byDomain(
          'Written to, by domain',
          'targets',
          'bytes_written',
          'Share data that repairs wrote to each domain. One that takes most of it is where there is room: add peers elsewhere, or files crowd together.',
        ),
        reasons,
        byPeer,
        recent,
      ],
    },
  ],
});
