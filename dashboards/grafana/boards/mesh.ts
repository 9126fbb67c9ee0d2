/** Are we losing data, how far from it, where is it heading? */
import { grades } from '#mesh/grade.ts';
import { gradeHistorySeries, marginHistorySeries } from '#store/series.ts';
import { alertAnnotations, campaignAnnotations, versionAnnotations } from '../build/annotations.ts';
import { colored, column, gradeColors, steps, words } from '../build/colors.ts';
import { dashboard } from '../build/dashboard.ts';
import { figure, table } from '../build/figures.ts';
import { graph, heatmap } from '../build/graphs.ts';
import { toDomain, toRunbook } from '../build/links.ts';
import type { Unplaced } from '../build/panel.ts';
import { rows, series } from '../build/target.ts';
import { databaseVariable, dataSourceVariable, policyVariable, runbooksVariable } from '../build/variables.ts';
import { newestExposure } from '../sql/exposure.ts';
import { database, lastSweeps, stepsClause } from '../sql/leveled.ts';
import { runbookOf } from '../sql/runbook.ts';

const ofPolicies = 'has([${policy:sqlstring}], toString(source.policy))';
const gradeSweeps = lastSweeps({
  series: gradeHistorySeries,
  source: 'policy',
  key: 'grade',
  figures: ['files', 'bytes'],
  condition: ofPolicies,
});
const marginSweeps = lastSweeps({
  series: marginHistorySeries,
  source: 'policy',
  key: 'margin',
  figures: ['files', 'bytes'],
  condition: ofPolicies,
});

const noSweep = 'No sweep in this span';

function byGrade(figureName: string): string {
  const columns = grades.map((grade) => `sumIf(${figureName}, grade = '${grade}') AS "${grade}"`);
  return `${stepsClause}
SELECT time, ${columns.join(', ')}
FROM ${gradeSweeps} GROUP BY time ORDER BY time`;
}

const gradeTiles = [
  column('lost', { thresholds: { mode: 'absolute', steps: steps('green', [1, 'dark-red']) } }),
  column('critical', { thresholds: { mode: 'absolute', steps: steps('green', [1, 'red']) } }),
  column('at-risk', { thresholds: { mode: 'absolute', steps: steps('green', [1, 'orange']) } }),
  column('degraded', { thresholds: { mode: 'absolute', steps: steps('green', [1, 'yellow']) } }),
  column('healthy', { thresholds: { mode: 'absolute', steps: steps('red', [1, 'green']) } }),
];

const filesNow: Unplaced = figure(
  {
    title: 'Are files being lost?',
    description:
      'Files by grade at the end of the span. Lost: fewer than k shares on peers that are up, so nobody can recover it now. Any lost or critical file: look at the worst domain and the open alerts below, then bring its peers back; repair of critical files is never held back.',
    noData: noSweep,
  },
  [14, 5],
  { unit: 'short', overrides: gradeTiles },
  { named: true, filled: true, course: true },
  series(byGrade('files')),
);

const smallestMargin: Unplaced = figure(
  {
    title: 'Smallest margin',
    description:
      'Shares that the worst file has beyond k. 0: the next loss of one of its peers loses it. Below 0 it is lost until peers come back. Open “Files” for the list and its causes.',
    noData: noSweep,
  },
  [3, 5],
  { unit: 'short', decimals: 0, thresholds: steps('dark-red', [0, 'red'], [2, 'orange'], [5, 'green']) },
  { course: true },
  series(`${stepsClause}
SELECT time, minIf(margin, files > 0) AS "smallest margin"
FROM ${marginSweeps} GROUP BY time HAVING sum(files) > 0 ORDER BY time`),
);

const timeToK: Unplaced = figure(
  {
    title: 'Time to k',
    description:
      'When the worst file reaches k if the smallest margin goes on falling as it did over the span. Less than repair needs (see “Repair”): raise its limits or bring peers back now.',
    noData: 'Margin is not falling',
  },
  [3, 5],
  { unit: 's', decimals: 1, thresholds: steps('red', [3600, 'orange'], [86_400, 'yellow'], [604_800, 'green']) },
  {},
  rows(`${stepsClause}
SELECT greatest(0, smallest_now) / -slope AS "time to k" FROM (
  SELECT simpleLinearRegression(toUnixTimestamp(time), smallest).1 AS slope, argMax(smallest, time) AS smallest_now, argMin(smallest, time) AS smallest_first FROM (
    SELECT time, minIf(margin, files > 0) AS smallest FROM ${marginSweeps} GROUP BY time HAVING sum(files) > 0
  )
) WHERE slope < 0 AND smallest_now < smallest_first`),
);

const freshness: Unplaced = figure(
  {
    title: 'Age of these figures',
    description:
      'Since the last sweep before the end of the span. Sweeps come every few seconds. Above a minute nothing here is news: run `meshward doctor` and look at “Pipeline”. While figures are stale, no share is declared lost.',
    noData: 'No sweep in the last day',
  },
  [4, 5],
  { unit: 's', decimals: 0, thresholds: steps('green', [30, 'yellow'], [120, 'red']) },
  {},
  rows(`WITH least(toDateTime($__toTime, 'UTC'), toDateTime(now(), 'UTC')) AS until
SELECT greatest(0, dateDiff('second', max(last_at), until)) AS age FROM ${database}.grade_history_minute
WHERE at <= until AND at >= until - INTERVAL 1 DAY AND toStartOfDay(at) >= toStartOfDay(until - INTERVAL 1 DAY) HAVING count() > 0`),
);

const marginRows: readonly (readonly [title: string, least: number, most: number])[] = [
  ['lost', -1000, -1],
  ['0', 0, 0],
  ['1–2', 1, 2],
  ['3–5', 3, 5],
  ['6–10', 6, 10],
  ['11–15', 11, 15],
  ['16–25', 16, 25],
  ['26–40', 26, 40],
  ['41–60', 41, 60],
  ['61–75', 61, 75],
  ['76 and more', 76, 1000],
];

const marginHeat: Unplaced = heatmap(
  {
    title: 'How far are files from being lost?',
    description:
      'Files by margin (shares beyond k) over time. A healthy mesh is one band at the top. A band that sinks is a loss of peers, one that climbs is repair; anything that sinks into the lowest rows needs a person now. Small codings never have much: a whole 3-of-10 file has 7; choose a policy to see one coding.',
    noData: noSweep,
  },
  [14, 10],
  { unit: 'short' },
  'margin',
  series(`${stepsClause}
SELECT time, ${marginRows.map(([title, least, most]) => `sumIf(files, margin BETWEEN ${least} AND ${most}) AS "${title}"`).join(', ')}
FROM ${marginSweeps} GROUP BY time ORDER BY time`),
);

const marginLines: Unplaced = graph(
  {
    title: 'Where is the margin heading?',
    description:
      'Of each policy the smallest margin, and the margin below which one file in a hundred is. They fall together when a domain goes; only the smallest falls when single files lose peers or shares are corrupt.',
    noData: noSweep,
  },
  [24, 8],
  {
    unit: 'short',
    decimals: 0,
    displayName: '${__field.name} · ${__field.labels.policy}',
    thresholds: steps('red', [0, 'transparent']),
  },
  { limits: true },
  series(`${stepsClause}
SELECT time, toString(policy) AS policy, minIf(margin, files > 0) AS smallest, quantileExactWeighted(0.01)(margin, toUInt64(files)) AS "worst 1 %"
FROM ${marginSweeps} GROUP BY time, policy HAVING sum(files) > 0 ORDER BY time, policy`),
);

function belowHealthy(title: string, figureName: string, unit: string): Unplaced {
  const columns = grades
    .filter((grade) => grade !== 'healthy')
    .toReversed()
    .map((grade) => `sumIf(${figureName}, grade = '${grade}') AS "${grade}"`);
  return graph(
    {
      title,
      description:
        'What is not healthy, by grade. Yellow alone is waiting for more loss before repair is worth it; orange is being repaired; red is urgent. Where orange does not shrink, look at “Repair”.',
      noData: noSweep,
    },
    [12, 8],
    { unit, overrides: colored(gradeColors) },
    { style: 'stacked' },
    series(`${stepsClause}
SELECT time, ${columns.join(', ')} FROM ${gradeSweeps} GROUP BY time ORDER BY time`),
  );
}

/** Parts of all files over all time that may be lost, and that may be below the repair threshold. */
const objectives = { recoverable: 1e-6, aboveRepair: 1e-3 } as const;

const shares = `sum(toFloat64(files)) AS all_files, sumIf(toFloat64(files), grade = 'lost') / all_files AS lost_part,
  sumIf(toFloat64(files), grade <= 'at-risk') / all_files AS below_part`;

const objective: Unplaced = figure(
  {
    title: 'Recoverability over the span',
    description:
      'Part of all files, over all of the span, that could be recovered; the objective is 99.9999 %. And the part that was at or above the repair threshold; the objective is 99.9 %. Choose 30 days for the figure that the objective is about.',
    noData: noSweep,
  },
  [8, 6],
  {
    unit: 'percentunit',
    decimals: 5,
    overrides: [
      column('recoverable', {
        thresholds: { mode: 'absolute', steps: steps('red', [1 - objectives.recoverable, 'green']) },
      }),
      column('above repair threshold', {
        thresholds: { mode: 'absolute', steps: steps('red', [1 - objectives.aboveRepair, 'green']) },
      }),
    ],
  },
  { named: true },
  rows(`${stepsClause}
SELECT 1 - lost_part AS "recoverable", 1 - below_part AS "above repair threshold" FROM (
  SELECT ${shares} FROM ${gradeSweeps}
) WHERE all_files > 0`),
);

const budget: Unplaced = graph(
  {
    title: 'Error budget of 30 days, used in this span',
    description:
      'Of what the objectives allow for 30 days, how much this span has used up to each moment: 100 % is all of it. A steep line is an incident; one that goes on climbing while no domain is away means that repair is too slow for its losses.',
    noData: noSweep,
  },
  [16, 6],
  { unit: 'percentunit', thresholds: steps('transparent', [1, 'red']) },
  { limits: true, legend: 'table', softMax: 1 },
  series(`${stepsClause}
SELECT time,
  sum(lost) OVER (ORDER BY time) * step / allowed / ${objectives.recoverable} AS "recoverable",
  sum(below) OVER (ORDER BY time) * step / allowed / ${objectives.aboveRepair} AS "above repair threshold"
FROM (
  SELECT time, lost, below, greatest(1, avg(total) OVER ()) * ${30 * 86_400} AS allowed FROM (
    SELECT time, sum(toFloat64(files)) AS total, sumIf(toFloat64(files), grade = 'lost') AS lost, sumIf(toFloat64(files), grade <= 'at-risk') AS below
    FROM ${gradeSweeps} GROUP BY time
  )
) ORDER BY time`),
);

const openAlerts: Unplaced = table(
  {
    title: 'What is wrong, and what to do',
    description:
      'Alerts that were open at the end of the span, the gravest first. One cause is one alert. “What to do” is the command to run; the name leads to the runbook.',
    noData: 'No alert is open',
  },
  [24, 6],
  {
    unit: 'short',
    overrides: [
      column('severity', {
        mappings: words({ page: 'red', critical: 'red', warning: 'orange', info: 'blue' }),
        'custom.cellOptions': { type: 'color-background', mode: 'basic' },
        'custom.width': 90,
      }),
      column('alert', { links: [toRunbook], 'custom.width': 220 }),
      column('since', { unit: 'dateTimeFromNow', 'custom.width': 120 }),
      column('files', { 'custom.width': 70 }),
      column('runbook', { 'custom.hideFrom': { viz: true } }),
      column('what to do', { 'custom.cellOptions': { type: 'auto', wrapText: true } }),
      column('summary', { 'custom.cellOptions': { type: 'auto', wrapText: true }, 'custom.width': 600 }),
    ],
  },
  rows(`SELECT toString(severity) AS severity, toString(kind) AS alert, began AS since, files, summary,
  JSONExtractString(details, 'next') AS "what to do", ${runbookOf('toString(kind)')} AS runbook
FROM (
  SELECT id, any(kind) AS kind, argMax(severity, at) AS severity, min(at) AS began, argMax(files, at) AS files,
    argMax(summary, at) AS summary, argMax(details, at) AS details, argMax(state, (at, state)) AS newest
  FROM ${database}.alerts WHERE at <= $__toTime GROUP BY id
) WHERE newest = 'firing' ORDER BY severity IN ('page', 'critical') DESC, files DESC, since LIMIT 50`),
);

const worstDomains: Unplaced = table(
  {
    title: 'Which domain must not go next?',
    description:
      'Files that the loss of one more domain would push below k, or below the repair threshold. A figure in the first column is a mesh that one power cut away loses data: spread shares over domains (policies: maxSharesPerDomain) and repair the files first. The name leads to its peers.',
    noData: 'No exposure was told of in this span',
  },
  [10, 10],
  {
    unit: 'short',
    overrides: [
      column('domain', { links: [toDomain] }),
      column('kind', { 'custom.width': 90 }),
      column('files below k', {
        thresholds: { mode: 'absolute', steps: steps('transparent', [1, 'red']) },
        'custom.cellOptions': { type: 'color-background', mode: 'basic' },
      }),
      column('files below repair', {
        thresholds: { mode: 'absolute', steps: steps('transparent', [1, 'orange']) },
        'custom.cellOptions': { type: 'color-background', mode: 'basic' },
      }),
    ],
  },
  rows(`${stepsClause}
SELECT toString(kind) AS kind, toString(domain) AS domain, below_k AS "files below k", below_repair AS "files below repair"
FROM ${newestExposure("source.kind != 'peer'")}
ORDER BY "files below k" DESC, "files below repair" DESC, kind, domain LIMIT 20`),
);

export const mesh = dashboard({
  name: 'mesh',
  title: 'Mesh',
  description: 'Are we losing data, how far are we from it, and where is it heading?',
  variables: [dataSourceVariable, databaseVariable, policyVariable, runbooksVariable],
  annotations: [alertAnnotations, campaignAnnotations, versionAnnotations],
  sections: [
    { title: 'Now', panels: [filesNow, smallestMargin, timeToK, freshness, openAlerts] },
    { title: 'Heading', panels: [marginHeat, worstDomains, marginLines] },
    {
      title: 'Damage',
      panels: [
        belowHealthy('Files that are not healthy', 'files', 'short'),
        belowHealthy('Bytes that are not healthy', 'bytes', 'bytes'),
      ],
    },
    { title: 'Objective', panels: [objective, budget] },
  ],
});
