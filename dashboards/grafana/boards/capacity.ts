/** When are we full, and what do watching and repair cost? */
import { gradeHistorySeries, vitalsSeries } from '#store/series.ts';
import { versionAnnotations } from '../build/annotations.ts';
import { column, steps } from '../build/colors.ts';
import { dashboard } from '../build/dashboard.ts';
import { bars, figure } from '../build/figures.ts';
import { graph } from '../build/graphs.ts';
import type { Unplaced } from '../build/panel.ts';
import { rows, series } from '../build/target.ts';
import {
  databaseVariable,
  dataSourceVariable,
  domainVariable,
  kindVariable,
  policyVariable,
} from '../build/variables.ts';
import { rates } from '../sql/counters.ts';
import { database, lastSweeps, leveled, stepsClause } from '../sql/leveled.ts';
import { isOfDomains } from '../sql/peers.ts';

const noHeartbeat = 'No heartbeat in this span';
const ofDomains = isOfDomains('source.peer_id');
const ofPolicies = 'has([${policy:sqlstring}], toString(source.policy))';

const disks = leveled({
  series: vitalsSeries,
  keys: ['peer_id'],
  figures: ['disk_used_bytes', 'disk_capacity_bytes', 'share_bytes', 'shares'],
  condition: ofDomains,
});
const grades = lastSweeps({
  series: gradeHistorySeries,
  source: 'policy',
  key: 'grade',
  figures: ['files', 'bytes'],
  condition: ofPolicies,
});

const disksOverTime = `SELECT time, sum(toFloat64(disk_used_bytes_last)) AS used, sum(toFloat64(disk_capacity_bytes_last)) AS capacity, sum(toFloat64(share_bytes_last)) AS share_bytes
  FROM ${disks} GROUP BY time`;

const full: Unplaced = figure(
  {
    title: 'Disks in use',
    description:
      'Of the file systems that hold shares, over the chosen domains and the peers that are heard. Repair needs room for what a whole domain holds: keep that much free.',
    noData: noHeartbeat,
  },
  [6, 5],
  { unit: 'percentunit', decimals: 1, thresholds: steps('green', [0.7, 'yellow'], [0.85, 'orange'], [0.95, 'red']) },
  { course: true, filled: true },
  series(`${stepsClause}
SELECT time, used / capacity AS "in use" FROM (${disksOverTime}) WHERE capacity > 0 ORDER BY time`),
);

const untilFull: Unplaced = figure(
  {
    title: 'Until the disks are full',
    description:
      'At the growth of the span, out of a line through the points of each peer. Choose 30 days or more: a day says little. Less than your time to get disks: order now.',
    noData: 'They are not growing',
  },
  [6, 5],
  {
    unit: 's',
    decimals: 0,
    thresholds: steps('red', [2_592_000, 'orange'], [7_776_000, 'yellow'], [15_552_000, 'green']),
  },
  {},
  rows(`${stepsClause}
SELECT sum(room_now) / sum(slope) AS "until full" FROM (
  SELECT peer_id, simpleLinearRegression(toUnixTimestamp(time), toFloat64(disk_used_bytes_last)).1 AS slope,
    argMax(toFloat64(disk_capacity_bytes_last) - toFloat64(disk_used_bytes_last), time) AS room_now
  FROM ${disks} GROUP BY peer_id HAVING isFinite(slope)
) HAVING sum(slope) > 1`),
);

const perByte: Unplaced = figure(
  {
    title: 'Bytes stored for a byte of file',
    description:
      'Share data on disks over the size of the files. 25-of-100 with all shares in place is 4; above it are shares twice, or of files that are deleted and not removed yet; below it shares are missing.',
    noData: noHeartbeat,
  },
  [6, 5],
  { unit: 'none', decimals: 2, thresholds: steps('blue') },
  { course: true },
  series(`${stepsClause}
SELECT disk.time AS time, disk.share_bytes / file.file_bytes AS "bytes for a byte" FROM (${disksOverTime}) AS disk
INNER JOIN (SELECT time, sum(toFloat64(bytes)) AS file_bytes FROM ${grades} GROUP BY time) AS file ON file.time = disk.time WHERE file.file_bytes > 0 ORDER BY time`),
);

const watching: Unplaced = figure(
  {
    title: 'Database, for each file',
    description:
      'Bytes on the disk of the ClickHouse server that answers, over the files that are watched. docs/sizing.md says what to expect; far above it, look at the life times of the configuration.',
    noData: 'No file is watched yet',
  },
  [6, 5],
  { unit: 'bytes', decimals: 0, thresholds: steps('blue') },
  {},
  rows(`SELECT bytes / files AS "for each file" FROM (
  SELECT sum(total_bytes) AS bytes FROM system.tables WHERE database = '${database}'
) AS held CROSS JOIN (SELECT count() AS files FROM ${database}.files) AS watched WHERE files > 0`),
);

const growth: Unplaced = graph(
  {
    title: 'Disks',
    description:
      'In use, of which shares, and the size of the disks of peers that are heard. A step down in size is peers that are silent.',
    noData: noHeartbeat,
  },
  [12, 9],
  {
    unit: 'bytes',
    overrides: [column('size', { color: { mode: 'fixed', fixedColor: 'red' }, 'custom.fillOpacity': 0 })],
  },
  { legend: 'table' },
  series(`${stepsClause}
SELECT time, capacity AS size, used AS "in use", share_bytes AS shares FROM (${disksOverTime}) ORDER BY time`),
);

const files: Unplaced = graph(
  {
    title: 'Files and their bytes',
    description: 'What is watched, by policy: the size of the files themselves, not of their shares.',
    noData: 'No sweep in this span',
  },
  [12, 9],
  { unit: 'bytes', displayName: '${__field.labels.policy}' },
  { style: 'stacked', legend: 'table' },
  series(`${stepsClause}
SELECT time, toString(policy) AS policy, sum(toFloat64(bytes)) AS bytes FROM ${grades} GROUP BY time, policy ORDER BY time, policy`),
);

const traffic: Unplaced = graph(
  {
    title: 'What the peers’ agents move, and what of it is repair',
    description:
      'Bytes a second that agents sent and received, for everything they do, beside what repairs read from them and wrote to them. The difference is users’ transfers and the watching itself, which is small: a batch of a thousand shares is some 20 KB.',
    noData: noHeartbeat,
  },
  [12, 9],
  { unit: 'Bps' },
  { legend: 'table' },
  series(`${stepsClause}
SELECT time, sum(network_sent_bytes_rate) AS sent, sum(network_received_bytes_rate) AS received
FROM ${rates(leveled({ series: vitalsSeries, keys: ['peer_id'], figures: ['network_sent_bytes', 'network_received_bytes'], condition: ofDomains }), ['peer_id'], ['network_sent_bytes', 'network_received_bytes'])}
GROUP BY time ORDER BY time`),
  series(
    `SELECT $__timeInterval(started_at) AS time, sum(bytes_read) / $__interval_s AS "read by repair", sum(bytes_written) / $__interval_s AS "written by repair"
FROM ${database}.repairs FINAL WHERE $__timeFilter(started_at) GROUP BY time ORDER BY time`,
    'B',
  ),
);

const tables: Unplaced = bars(
  {
    title: 'What takes room in ClickHouse?',
    description:
      'Bytes on disk by table, with all levels of a series together; of shards, those of the server that answers. Placements are most of it in a large mesh; a series at the top is kept too long.',
    noData: 'Nothing is stored yet',
  },
  [12, 9],
  { unit: 'bytes', thresholds: steps('blue') },
  rows(`SELECT replaceRegexpOne(name, '(_minute|_hour|_day)?(_local)?$', '') AS kept, sum(total_bytes) AS bytes
FROM system.tables WHERE database = '${database}' AND total_bytes > 0 GROUP BY kept ORDER BY bytes DESC LIMIT 16`),
);

export const capacity = dashboard({
  name: 'capacity',
  title: 'Capacity and cost',
  description: 'When are we full, and what do watching and repair cost?',
  variables: [dataSourceVariable, databaseVariable, policyVariable, kindVariable, domainVariable],
  annotations: [versionAnnotations],
  from: 'now-30d',
  sections: [
    { title: 'Now', panels: [full, untilFull, perByte, watching] },
    { title: 'Growth', panels: [growth, files] },
    { title: 'Cost', panels: [traffic, tables] },
  ],
});
