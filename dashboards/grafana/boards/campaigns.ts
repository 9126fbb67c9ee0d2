/** How far are campaigns, when are they done, and who started them and why? */
import { alertAnnotations, campaignAnnotations, versionAnnotations } from '../build/annotations.ts';
import { campaignStateColors, colored, column, fileOutcomeColors, moment, steps, words } from '../build/colors.ts';
import { dashboard } from '../build/dashboard.ts';
import { figure, table } from '../build/figures.ts';
import { graph } from '../build/graphs.ts';
import { toFile } from '../build/links.ts';
import type { Unplaced } from '../build/panel.ts';
import { rows, series } from '../build/target.ts';
import { campaignVariable, databaseVariable, dataSourceVariable } from '../build/variables.ts';
import { database } from '../sql/leveled.ts';

const none = 'There was no campaign in this span';
const noFile = 'No campaign was done with a file in this span';
const colourCell = { 'custom.cellOptions': { type: 'color-background', mode: 'basic' } };

/** Chosen ones that were there in the span. */
const chosen = `(
  SELECT id, name, toString(state) AS state, created_at, updated_at, plan, progress FROM ${database}.campaigns FINAL
  WHERE name IN (\${campaign:sqlstring}) AND created_at <= $__toTime AND updated_at >= $__fromTime
)`;
/** Files that they were done with in the span, with the name of their campaign. */
const done = `(
  SELECT named.name AS campaign_name, file.* FROM (SELECT *, storage_index_text FROM ${database}.campaign_files FINAL WHERE $__timeFilter(at)) AS file
  INNER JOIN (SELECT id, name FROM ${database}.campaigns FINAL WHERE name IN (\${campaign:sqlstring})) AS named ON named.id = file.campaign
)`;

const states: Unplaced = figure(
  {
    title: 'Campaigns of the span',
    description:
      'Those that run, stand still, wait for their start or an approval, and are over. One that failed says why in “Who did what”; one that waits for approval is large: another operator reads its plan and runs `meshward campaign approve`.',
    noData: none,
  },
  [12, 5],
  {
    unit: 'short',
    overrides: [column('failed', { thresholds: { mode: 'absolute', steps: steps('green', [1, 'red']) } })],
    thresholds: steps('blue'),
  },
  { named: true },
  rows(`SELECT countIf(state = 'running') AS running, countIf(state = 'paused') AS paused, countIf(state IN ('planned', 'approved')) AS "not started",
  countIf(state = 'done') AS done, countIf(state = 'cancelled') AS cancelled, countIf(state = 'failed') AS failed FROM ${chosen}`),
);

const moved: Unplaced = figure(
  {
    title: 'Done in the span',
    description:
      'Files that campaigns were done with, shares that they wrote, and bytes that they moved. Nothing while a campaign runs: see “Why it waits”.',
    noData: noFile,
  },
  [12, 5],
  {
    unit: 'short',
    thresholds: steps('blue'),
    overrides: [column('read', { unit: 'bytes' }), column('written', { unit: 'bytes' })],
  },
  { named: true },
  rows(
    `SELECT count() AS files, sum(shares_written) AS shares, sum(bytes_read) AS "read", sum(bytes_written) AS written FROM ${done}`,
  ),
);

const progress: Unplaced = table(
  {
    title: 'How far, and until when?',
    description:
      'Each campaign with its files, its rate of the last quarter of an hour that it ran, and what is left at that rate; who started it, and why. No rate while it runs: see “Why it waits”. Margins are the averages of its files before and after.',
    noData: none,
  },
  [24, 7],
  {
    unit: 'short',
    overrides: [
      column('state', { mappings: words(campaignStateColors), ...colourCell, 'custom.width': 100 }),
      column('done', {
        unit: 'percentunit',
        max: 1,
        'custom.cellOptions': { type: 'gauge', mode: 'basic', valueDisplayMode: 'text' },
        thresholds: { mode: 'absolute', steps: steps('blue') },
      }),
      column('failed', { thresholds: { mode: 'absolute', steps: steps('transparent', [1, 'orange']) }, ...colourCell }),
      column('left', { unit: 's', decimals: 0 }),
      column('files a minute', { decimals: 1 }),
      column('margin before', { decimals: 1 }),
      column('margin after', { decimals: 1 }),
      column('why', { 'custom.width': 260 }),
    ],
  },
  rows(`SELECT one.name AS campaign, one.state AS state, least(1, if(planned = 0, 1, dealt / planned)) AS done, dealt AS files, planned AS "of", failed,
  rate * 60 AS "files a minute", if(one.state = 'running' AND rate > 0, greatest(0, planned - dealt) / rate, NULL) AS left, if(dealt = 0, NULL, before) AS "margin before", if(dealt = 0, NULL, after) AS "margin after",
  who, why FROM (
  SELECT id, name, state, created_at, toFloat64(JSONExtractUInt(plan, 'files')) AS planned FROM ${chosen}
) AS one LEFT JOIN (
  SELECT campaign, toFloat64(count()) AS dealt, countIf(outcome IN ('failed', 'partial', 'irrecoverable', 'corrupt')) AS failed, avg(margin_before) AS before, avg(margin_after) AS after
  FROM ${database}.campaign_files FINAL GROUP BY campaign
) AS counted ON counted.campaign = one.id LEFT JOIN (
  SELECT campaign, sum(more) / greatest(1, dateDiff('second', min(first_at), max(last_at))) AS rate FROM (
    SELECT campaign, partition, toFloat64(max(files) - min(files)) AS more, min(at) AS first_at, max(at) AS last_at
    FROM ${database}.campaign_progress WHERE at >= $__toTime - INTERVAL 15 MINUTE AND at <= $__toTime GROUP BY campaign, partition
  ) GROUP BY campaign
) AS speed ON speed.campaign = one.id LEFT JOIN (
  SELECT campaign, argMin(operator_name, revision) AS who, argMax(why, revision) AS why FROM ${database}.campaign_steps FINAL WHERE what IN ('plan', 'start') GROUP BY campaign
) AS said ON said.campaign = toString(one.id)
ORDER BY one.state = 'running' DESC, one.created_at DESC LIMIT 100`),
);

const files: Unplaced = graph(
  {
    title: 'Files that campaigns were done with',
    description:
      'By campaign. Gaps are pauses, closed repair windows, or files at risk that went first: “Why it waits” says which.',
    noData: noFile,
  },
  [12, 8],
  { unit: 'short' },
  { style: 'bars' },
  series(
    `SELECT $__timeInterval(at) AS time, campaign_name AS campaign, count() AS files FROM ${done} GROUP BY time, campaign ORDER BY time, campaign`,
  ),
);

const bytes: Unplaced = graph(
  {
    title: 'Bytes that campaigns moved',
    description:
      'Share data read and written a second, by campaign. A line that stays at its share of the budget is held back by it: `meshward repair limits --bytes` raises it while it runs.',
    noData: noFile,
  },
  [12, 8],
  { unit: 'Bps' },
  { style: 'stacked' },
  series(
    `SELECT $__timeInterval(at) AS time, campaign_name AS campaign, sum(bytes_read + bytes_written) / $__interval_s AS bytes FROM ${done} GROUP BY time, campaign ORDER BY time, campaign`,
  ),
);

const outcomes: Unplaced = graph(
  {
    title: 'Files, by what came of them',
    description:
      'Green needs nothing more. Yellow got some of the shares; red could not be done, or was found corrupt: see the reasons. Grey files were deleted meanwhile.',
    noData: noFile,
  },
  [12, 9],
  { unit: 'short', overrides: colored(fileOutcomeColors) },
  { style: 'bars' },
  series(`SELECT $__timeInterval(at) AS time, ${Object.keys(fileOutcomeColors)
    .map((outcome) => `countIf(outcome = '${outcome}') AS "${outcome}"`)
    .join(', ')}
FROM ${done} GROUP BY time ORDER BY time`),
);

const waits: Unplaced = table(
  {
    title: 'Why it waits',
    description:
      'What partitions of campaigns that are not over said last of why nothing is being done. Critical files and files at risk go first by design; “holds” is the brake or an operator; a window opens by itself.',
    noData: 'Nothing waits',
  },
  [12, 9],
  { unit: 'short', overrides: [column('newest', moment), column('partitions', { 'custom.width': 90 })] },
  rows(`SELECT named.name AS campaign, reason, count() AS partitions, max(last_at) AS newest FROM (
  SELECT campaign, partition, toString(argMax(waits_for, at)) AS reason, argMax(finished, at) AS is_finished, max(at) AS last_at
  FROM ${database}.campaign_progress WHERE $__timeFilter(at) GROUP BY campaign, partition
) AS told INNER JOIN ${chosen} AS named ON named.id = told.campaign
WHERE reason != '' AND NOT is_finished AND named.state IN ('running', 'paused') GROUP BY named.name, reason ORDER BY partitions DESC, campaign LIMIT 50`),
);

const reasons: Unplaced = table(
  {
    title: 'What could not be done, and why',
    description:
      'Codes of docs/errors.md by campaign. `repair-no-target` wants peers with room, `not-enough-shares` wants peers back; the campaign tries each file again, and counts what is left then.',
    noData: 'Nothing went wrong',
  },
  [12, 8],
  {
    unit: 'short',
    overrides: [
      column('outcome', { mappings: words(fileOutcomeColors), ...colourCell, 'custom.width': 110 }),
      column('newest', moment),
    ],
  },
  rows(`SELECT campaign_name AS campaign, toString(outcome) AS outcome, if(error_code = '', '–', toString(error_code)) AS code, count() AS files, max(at) AS newest
FROM ${done} WHERE outcome IN ('failed', 'partial', 'irrecoverable', 'corrupt') GROUP BY campaign, outcome, code ORDER BY files DESC, campaign LIMIT 50`),
);

const failed: Unplaced = table(
  {
    title: 'Files that were not done',
    description: 'The newest of them; the storage index leads to the life of the file.',
    noData: 'Nothing went wrong',
  },
  [12, 8],
  {
    unit: 'short',
    overrides: [
      column('when', moment),
      column('storage index', { links: [toFile], 'custom.width': 250 }),
      column('outcome', { mappings: words(fileOutcomeColors), ...colourCell }),
    ],
  },
  rows(`SELECT at AS "when", campaign_name AS campaign, storage_index_text AS "storage index", toString(outcome) AS outcome, pass AS tries, margin_after AS margin
FROM ${done} WHERE outcome IN ('failed', 'partial', 'irrecoverable', 'corrupt') ORDER BY at DESC, storage_index_text LIMIT 100`),
);

const audit: Unplaced = table(
  {
    title: 'Who did what, and why',
    description:
      'Every word of operators about campaigns, calendars, limits and the brake, and what services did by themselves. It is append-only.',
    noData: 'Nobody said anything in this span',
  },
  [24, 9],
  { unit: 'short', overrides: [column('when', moment), column('what', { 'custom.width': 90 })] },
  rows(`SELECT at AS "when", toString(name) AS of, toString(what) AS what, if(operator_id = '', 'the services', operator_name) AS who, why
FROM ${database}.campaign_steps FINAL WHERE $__timeFilter(at) ORDER BY at DESC, of LIMIT 200`),
);

export const campaigns = dashboard({
  name: 'campaigns',
  title: 'Campaigns',
  description: 'How far are campaigns, when are they done, and who started them and why?',
  variables: [dataSourceVariable, databaseVariable, campaignVariable],
  annotations: [campaignAnnotations, alertAnnotations, versionAnnotations],
  sections: [
    { title: 'How far?', panels: [states, moved, progress, files, bytes] },
    { title: 'What comes of it, and what holds it back', panels: [outcomes, waits, reasons, failed] },
    { title: 'Who, and why', panels: [audit] },
  ],
});
