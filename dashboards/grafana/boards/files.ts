/** Which files are at risk and why; and the life of one. */
import { alertAnnotations, campaignAnnotations } from '../build/annotations.ts';
import { column, gradeColors, moment, outcomeColors, stateColors, steps, words } from '../build/colors.ts';
import { dashboard } from '../build/dashboard.ts';
import { bars, figure, table } from '../build/figures.ts';
import { graph } from '../build/graphs.ts';
import { toFile, toPeer } from '../build/links.ts';
import type { Unplaced } from '../build/panel.ts';
import { rows, series } from '../build/target.ts';
import {
  databaseVariable,
  dataSourceVariable,
  fileVariable,
  kindVariable,
  policyVariable,
  tagVariable,
} from '../build/variables.ts';
import { database } from '../sql/leveled.ts';

const colourCell = { 'custom.cellOptions': { type: 'color-background', mode: 'basic' } };
const gradeCell = { mappings: words(gradeColors), ...colourCell };
const chooseFile = 'Choose a file: put its storage index into the field above, or follow one in the table';

const index = "toFixedString(substring(tryBase32Decode(upper(concat(trim('${file}'), '======'))), 1, 16), 16)";
/** The log's partition leads the key of every table of files; the newest health says which it is. */
const ofFile = `storage_index = ${index}`;

const listed = `${database}.files_at_risk FINAL WHERE has([\${policy:sqlstring}], toString(policy))`;

const counts: Unplaced = figure(
  {
    title: 'Files that need repair',
    description:
      'Files of the chosen policies by grade, out of the standing list. Lost ones come back only with their peers; critical ones overtake all others in repair.',
    noData: 'No file is at risk',
  },
  [10, 6],
  {
    unit: 'short',
    overrides: [
      column('lost', { thresholds: { mode: 'absolute', steps: steps('green', [1, 'dark-red']) } }),
      column('critical', { thresholds: { mode: 'absolute', steps: steps('green', [1, 'red']) } }),
      column('at-risk', { thresholds: { mode: 'absolute', steps: steps('green', [1, 'orange']) } }),
    ],
  },
  { named: true, filled: true },
  rows(
    `SELECT countIf(grade = 'lost') AS lost, countIf(grade = 'critical') AS critical, countIf(grade = 'at-risk') AS "at-risk" FROM ${listed}`,
  ),
);

const causes: Unplaced = bars(
  {
    title: 'Why are they at risk?',
    description:
      'Files at risk by their cause, the most frequent first, of the thousand worst. One long bar is one thing to mend: bring that domain or that peer back before repair rewrites what it still holds.',
    noData: 'No file is at risk',
  },
  [14, 6],
  { unit: 'short', thresholds: steps('orange', [100, 'red']) },
  rows(`SELECT replaceRegexpOne(cause, ' \\\\([0-9]+ shares?\\\\)$', '') AS reason, count() AS files FROM ${database}.file_health FINAL
PREWHERE (partition, storage_index) IN (SELECT partition, storage_index FROM ${listed} ORDER BY grade, margin LIMIT 1000)
WHERE cause != '' GROUP BY reason ORDER BY files DESC LIMIT 12`),
);

const atRisk: Unplaced = table(
  {
    title: 'Files at risk, the worst first',
    description:
      'The two hundred worst of the chosen policies and tags. Margin is the shares beyond k; loss is the probability that the file is lost over the horizon of its policy if nothing is done. The storage index leads to the file’s life; `meshward file show` tells the same.',
    noData: 'No file is at risk',
  },
  [24, 10],
  {
    unit: 'short',
    overrides: [
      column('storage index', { links: [toFile], 'custom.width': 250 }),
      column('grade', { ...gradeCell, 'custom.width': 90 }),
      column('margin', {
        thresholds: { mode: 'absolute', steps: steps('dark-red', [0, 'red'], [5, 'orange'], [15, 'green']) },
        'custom.cellOptions': { type: 'color-text' },
        'custom.width': 80,
      }),
      column('shares', { 'custom.width': 110 }),
      column('domains it survives', { 'custom.width': 150 }),
      column('size', { unit: 'bytes', 'custom.width': 100 }),
      column('loss', { unit: 'percentunit', decimals: 3, 'custom.width': 100 }),
      column('since', { unit: 'dateTimeFromNow', 'custom.width': 130 }),
    ],
  },
  rows(`SELECT health.storage_index_text AS "storage index", toString(health.grade) AS grade, health.margin AS margin,
  concat(toString(available), ' of ', toString(health.n)) AS shares, tolerance_domains['\${kind}'] AS "domains it survives", health.size_bytes AS size,
  least(1, exp10(toFloat64(log10_loss))) AS loss, if(named.tag = '', '(none)', toString(named.tag)) AS tag, health.policy AS policy, grade_since AS since, cause
FROM (
  SELECT * , storage_index_text FROM ${database}.file_health FINAL
  PREWHERE (partition, storage_index) IN (SELECT partition, storage_index FROM ${listed} ORDER BY grade, margin, log10_loss DESC NULLS LAST LIMIT 2000)
  WHERE grade <= 'at-risk'
) AS health LEFT JOIN (
  SELECT partition, storage_index, tag FROM ${database}.files FINAL
  PREWHERE (partition, storage_index) IN (SELECT partition, storage_index FROM ${listed} ORDER BY grade, margin, log10_loss DESC NULLS LAST LIMIT 2000)
) AS named ON named.storage_index = health.storage_index
WHERE has([\${tag:sqlstring}], if(named.tag = '', '(none)', toString(named.tag)))
ORDER BY health.grade, margin, log10_loss DESC NULLS LAST, health.storage_index LIMIT 200`),
);

const fileNow: Unplaced = figure(
  {
    title: 'The file now',
    description:
      'Margin: shares beyond k on peers that are up. Available: those shares. Retained: with those of peers that may come back. Survives: how many peers may go before it is lost. 0 or less: act now; see where its shares are, below.',
    noData: chooseFile,
  },
  [12, 6],
  {
    unit: 'short',
    overrides: [
      column('margin', {
        thresholds: { mode: 'absolute', steps: steps('dark-red', [0, 'red'], [5, 'orange'], [15, 'green']) },
      }),
      column('survives', {
        thresholds: { mode: 'absolute', steps: steps('red', [2, 'orange'], [5, 'green']) },
      }),
    ],
    thresholds: steps('blue'),
  },
  { named: true },
  rows(
    `SELECT margin, available, retained, happiness, tolerance_peers AS survives FROM ${database}.file_health FINAL PREWHERE ${ofFile}`,
  ),
);

const byDomain: Unplaced = bars(
  {
    title: 'Where are its shares?',
    description:
      'Distinct shares of the file by domain of the chosen kind, on peers that are up. Its loss takes that many away at once: no bar should be longer than the margin.',
    noData: chooseFile,
  },
  [12, 6],
  { unit: 'short', thresholds: steps('blue') },
  rows(`SELECT domains['\${kind}'] AS domain, uniqExactIf(share_number, held.state = 'stored' AND peer.state IN ('up', 'draining')) AS shares
FROM (SELECT share_number, peer_id, state FROM ${database}.placements FINAL PREWHERE ${ofFile} WHERE state != 'lost') AS held
INNER JOIN (SELECT peer_id, state, domains FROM ${database}.peers FINAL) AS peer ON peer.peer_id = held.peer_id
GROUP BY domain ORDER BY shares DESC, domain LIMIT 30`),
);

const life: Unplaced = graph(
  {
    title: 'The life of its margin',
    description:
      'Shares beyond k at each change of its grade, and after each repair. A step down without an alert at the same time is damage to single shares: look at the repairs and proofs below.',
    noData: chooseFile,
  },
  [24, 7],
  { unit: 'short', decimals: 0, thresholds: steps('red', [0, 'transparent']) },
  { stepped: true, limits: true, bridgeMs: 4_000_000_000, legend: 'none' },
  series(`SELECT time, toFloat64(min(margin_then)) AS margin FROM (
  SELECT at AS time, toInt32(margin) AS margin_then FROM ${database}.grade_changes WHERE ${ofFile} AND at <= $__toTime ORDER BY at DESC LIMIT 1000
  UNION ALL SELECT ended_at AS time, toInt32(available_after) - toInt32(k) AS margin_then FROM ${database}.repairs
    WHERE ${ofFile} AND outcome IN ('repaired', 'partial') AND ended_at <= $__toTime ORDER BY ended_at DESC LIMIT 1000
  UNION ALL SELECT greatest(at, least(now64(3, 'UTC'), toDateTime64($__toTime, 3, 'UTC'))) AS time, toInt32(margin) AS margin_then FROM ${database}.file_health FINAL PREWHERE ${ofFile}
) GROUP BY time ORDER BY time`),
);

const placements: Unplaced = table(
  {
    title: 'Every share',
    description:
      'Which peer holds each share, as of the last checkpoint, and whether it can be asked now. Corrupt shares do not count; a peer that is down keeps its shares for when it returns.',
    noData: chooseFile,
  },
  [12, 10],
  {
    unit: 'short',
    overrides: [
      column('peer', { links: [toPeer] }),
      column('peer_id', { 'custom.hideFrom': { viz: true } }),
      column('peer state', { mappings: words(stateColors), ...colourCell }),
      column('share state', {
        mappings: words({ stored: 'green', corrupt: 'red' }),
        'custom.cellOptions': { type: 'color-text' },
      }),
      column('last heard', { unit: 'dateTimeFromNow' }),
    ],
  },
  rows(`SELECT share_number AS share, toString(held.state) AS "share state", peer.name AS peer, peer.peer_id_text AS peer_id, domains['\${kind}'] AS domain,
  toString(peer.state) AS "peer state", last_heard_at AS "last heard"
FROM (SELECT share_number, peer_id, state FROM ${database}.placements FINAL PREWHERE ${ofFile} WHERE state != 'lost') AS held
LEFT JOIN (SELECT peer_id, peer_id_text, name, state, domains, last_heard_at FROM ${database}.peers FINAL) AS peer ON peer.peer_id = held.peer_id
ORDER BY share, peer LIMIT 1000`),
);

const changes: Unplaced = table(
  {
    title: 'Changes of its grade',
    description: 'When the file changed its grade, and what the cause was. The newest first.',
    noData: chooseFile,
  },
  [12, 10],
  {
    unit: 'short',
    overrides: [column('when', moment), column('from', gradeCell), column('to', gradeCell), column('margin', {})],
  },
  rows(`SELECT at AS "when", ifNull(toString(from_grade), 'new') AS "from", toString(to_grade) AS "to", margin, available, cause
FROM ${database}.grade_changes WHERE ${ofFile} AND at <= $__toTime ORDER BY at DESC LIMIT 200`),
);

const repairs: Unplaced = table(
  {
    title: 'Its repairs',
    description:
      'Every repair of the file that was tried. A failed one says why; the same failure again and again needs a person: see the runbook of its code in docs/errors.md.',
    noData: 'It was never repaired, or no file is chosen',
  },
  [16, 8],
  {
    unit: 'short',
    overrides: [
      column('when', moment),
      column('outcome', { mappings: words(outcomeColors), ...colourCell }),
      column('read', { unit: 'bytes' }),
      column('written', { unit: 'bytes' }),
      column('took', { unit: 'ms' }),
    ],
  },
  rows(`SELECT started_at AS "when", toString(outcome) AS outcome, available_before AS before, available_after AS after, length(written_shares) AS shares,
  bytes_read AS "read", bytes_written AS written, duration_ms AS took, toString(error_code) AS error, trace_id AS trace
FROM ${database}.repairs WHERE ${ofFile} AND started_at <= $__toTime ORDER BY started_at DESC LIMIT 1 BY id LIMIT 200`),
);

const proofs: Unplaced = table(
  {
    title: 'Its proofs',
    description:
      'Real recoveries of the file from k shares, checked against its manifest. A failed proof of a file with a margin is the most serious thing that can stand here: `meshward file prove` tries again and names the shares.',
    noData: 'It was never proven, or no file is chosen',
  },
  [8, 8],
  {
    unit: 'short',
    overrides: [
      column('when', moment),
      column('outcome', { mappings: words({ proven: 'green', failed: 'red', cancelled: '#6e6e78' }), ...colourCell }),
      column('read', { unit: 'bytes' }),
      column('took', { unit: 'ms' }),
    ],
  },
  rows(`SELECT at AS "when", toString(outcome) AS outcome, length(shares) AS shares, bytes_read AS "read", duration_ms AS took, toString(error_code) AS error
FROM ${database}.proofs WHERE ${ofFile} AND at <= $__toTime ORDER BY at DESC LIMIT 1 BY id LIMIT 200`),
);

export const files = dashboard({
  name: 'files',
  title: 'Files',
  description: 'Which files are at risk and why, and the life of one file.',
  variables: [dataSourceVariable, databaseVariable, policyVariable, tagVariable, kindVariable, fileVariable],
  annotations: [alertAnnotations, campaignAnnotations],
  sections: [
    { title: 'At risk', panels: [counts, causes, atRisk] },
    { title: 'The life of a file', panels: [fileNow, byDomain, life, placements, changes, repairs, proofs] },
  ],
});
