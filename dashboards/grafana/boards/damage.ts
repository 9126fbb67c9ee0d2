/** What would the next loss do, and what has been failing? */
import { peerStates } from '#mesh/peer-state.ts';
import { exposureSeries } from '#store/series.ts';
import { alertAnnotations, campaignAnnotations, versionAnnotations } from '../build/annotations.ts';
import { colored, column, gradeColors, moment, stateColors, steps, words } from '../build/colors.ts';
import { dashboard } from '../build/dashboard.ts';
import { bars, figure, table } from '../build/figures.ts';
import { graph } from '../build/graphs.ts';
import { toPeer, toPeers } from '../build/links.ts';
import type { Unplaced } from '../build/panel.ts';
import { rows, series } from '../build/target.ts';
import {
  databaseVariable,
  dataSourceVariable,
  domainVariable,
  kindVariable,
  policyVariable,
} from '../build/variables.ts';
import { newestExposure } from '../sql/exposure.ts';
import { database, lastSweeps, stepsClause } from '../sql/leveled.ts';
import { inDomains, peersNow } from '../sql/peers.ts';

const noExposure = 'No exposure was told of in this span';
const ofKind = "source.kind = '${kind}' AND has([${domain:sqlstring}], toString(source.domain))";
const ofPolicies = 'has([${policy:sqlstring}], toString(policy))';
const red = { thresholds: { mode: 'absolute', steps: steps('transparent', [1, 'red']) } };
const colourCell = { 'custom.cellOptions': { type: 'color-background', mode: 'basic' } };

const worst: Unplaced = figure(
  {
    title: 'Files that the worst domain would take along',
    description:
      'If the worst domain of the kind went now, so many files would fall below k and could not be recovered until it is back; and so many below their repair threshold. More than 0 below k: do not maintain that domain now, repair first.',
    noData: noExposure,
  },
  [8, 5],
  {
    unit: 'short',
    overrides: [
      column('below k', { thresholds: { mode: 'absolute', steps: steps('green', [1, 'dark-red']) } }),
      column('below repair', { thresholds: { mode: 'absolute', steps: steps('green', [1, 'orange']) } }),
    ],
  },
  { named: true, filled: true },
  rows(`${stepsClause}
SELECT max(below_k) AS "below k", max(below_repair) AS "below repair" FROM ${newestExposure(ofKind)} HAVING count() > 0`),
);

const peersDown: Unplaced = figure(
  {
    title: 'Peers that cannot be asked',
    description:
      'Peers of the chosen domains that are suspect or down now. A whole domain at once is one cause: see the outages below. A maintenance window (`meshward peer maintenance`) says that they come back.',
    noData: 'No peer has said anything yet',
  },
  [8, 5],
  {
    unit: 'short',
    overrides: [
      column('suspect', { thresholds: { mode: 'absolute', steps: steps('green', [1, 'yellow']) } }),
      column('down', { thresholds: { mode: 'absolute', steps: steps('green', [1, 'red']) } }),
    ],
  },
  { named: true, filled: true },
  rows(`SELECT countIf(state = 'suspect') AS suspect, countIf(state = 'down') AS down
FROM ${peersNow} WHERE ${inDomains('domain')} HAVING count() > 0`),
);

const flapping: Unplaced = figure(
  {
    title: 'Peers that flap',
    description:
      'Peers of the chosen domains with a flap score above 2: they have gone and come back several times lately. Each has earned a longer grace, so nothing is repaired for it; look at their network and power. The table below names them.',
    noData: 'No peer has said anything yet',
  },
  [8, 5],
  { unit: 'short', thresholds: steps('green', [1, 'yellow'], [10, 'red']) },
  { filled: true },
  rows(`SELECT countIf(flap_score >= 2) AS flapping FROM ${peersNow} WHERE ${inDomains('domain')} HAVING count() > 0`),
);

const domainBars: Unplaced = table(
  {
    title: 'Domains, the most dangerous first',
    description:
      'What the loss of each domain would do now, and how it is. A domain with files below k holds too many shares of some files: policies (maxSharesPerDomain) keep new repairs from doing that. The name leads to its peers.',
    noData: noExposure,
  },
  [12, 9],
  {
    unit: 'short',
    overrides: [
      column('domain', { links: [toPeers] }),
      column('kind', { 'custom.hideFrom': { viz: true } }),
      column('files below k', { ...red, ...colourCell }),
      column('files below repair', {
        'custom.width': 140,
        ...colourCell,
        thresholds: { mode: 'absolute', steps: steps('transparent', [1, 'orange']) },
      }),
      column('not up', { ...colourCell, ...red }),
      column('capacity', { unit: 'bytes' }),
    ],
  },
  rows(`${stepsClause}
SELECT '\${kind}' AS kind, of_domain.domain AS domain, below_k AS "files below k", below_repair AS "files below repair", peers, not_up AS "not up", capacity
FROM (
  SELECT domain, count() AS peers, countIf(state != 'up') AS not_up, sum(capacity_bytes) AS capacity FROM ${peersNow} WHERE ${inDomains('domain')} GROUP BY domain
) AS of_domain LEFT JOIN ${newestExposure(ofKind)} AS exposure ON of_domain.domain = toString(exposure.domain)
ORDER BY "files below k" DESC, "files below repair" DESC, "not up" DESC, domain LIMIT 200`),
);

const exposureSweeps = lastSweeps({
  series: exposureSeries,
  source: 'kind',
  key: 'domain',
  figures: ['files_below_k', 'files_below_repair'],
  condition: ofKind,
});

function exposureOverTime(title: string, figureName: string, description: string): Unplaced {
  return graph(
    { title, description, noData: noExposure },
    [12, 9],
    { unit: 'short', displayName: '${__field.labels.domain}' },
    { legend: 'table', bridgeMs: 3_600_000 },
    series(`${stepsClause},
  worst_domains AS (SELECT domain FROM ${exposureSweeps} GROUP BY domain ORDER BY max(${figureName}) DESC, domain LIMIT 12)
SELECT time, toString(domain) AS domain, toFloat64(${figureName}) AS files
FROM ${exposureSweeps} WHERE domain IN (SELECT domain FROM worst_domains) ORDER BY time, domain`),
  );
}

const peerExposure: Unplaced = bars(
  {
    title: 'Peers whose loss would hurt most',
    description:
      'Files that the loss of this one peer would push below their repair threshold. A peer far above the others holds too much: drain it or add peers beside it.',
    noData: 'No single peer would push a file below its threshold',
  },
  [12, 9],
  { unit: 'short', thresholds: steps('yellow', [10, 'orange'], [100, 'red']) },
  rows(`${stepsClause}
SELECT any(named.name) AS peer, max(below_repair) AS files FROM ${newestExposure("source.kind = 'peer'")} AS exposure
INNER JOIN ${peersNow} AS named ON named.id = toString(exposure.domain) WHERE below_repair > 0 AND ${inDomains('named.domain')}
GROUP BY named.id ORDER BY files DESC, peer LIMIT 20`),
);

const stateChanges: Unplaced = graph(
  {
    title: 'Changes of state',
    description:
      'Peers that went into each state. Yellow that is followed by green is a flap: nothing is repaired for it. A tall yellow bar is many at once: a switch, a rack, a bad release. Red is grace that has run out.',
    noData: 'No peer changed its state in this span',
  },
  [12, 9],
  { unit: 'short', overrides: colored(stateColors) },
  { style: 'bars' },
  series(`SELECT $__timeInterval(at) AS time, ${peerStates.map((state) => `countIf(to_state = '${state}') AS "${state}"`).join(', ')}
FROM ${database}.peer_states WHERE $__timeFilter(at) GROUP BY time ORDER BY time`),
);

const together: Unplaced = table(
  {
    title: 'Which failures came together?',
    description:
      'Domains of which several peers went silent within five minutes of each other. A part near 100 % is the loss of the domain itself: power, uplink, operator. A small part in many domains at once is a release or a collector.',
    noData: 'No two peers of a domain went silent together in this span',
  },
  [12, 9],
  {
    unit: 'short',
    overrides: [
      column('when', moment),
      column('domain', { links: [toPeers] }),
      column('kind', { 'custom.hideFrom': { viz: true } }),
      column('part of its peers', {
        unit: 'percentunit',
        min: 0,
        max: 1,
        thresholds: { mode: 'absolute', steps: steps('yellow', [0.3, 'orange'], [0.8, 'red']) },
        'custom.cellOptions': { type: 'gauge', mode: 'basic' },
      }),
    ],
  },
  rows(`SELECT toStartOfInterval(silent.at, INTERVAL 5 MINUTE) AS "when", '\${kind}' AS kind, named.domain AS domain, uniqExact(silent.peer_id) AS peers,
  peers / any(of_domain.peers) AS "part of its peers"
FROM ${database}.peer_states AS silent
INNER JOIN ${peersNow} AS named ON named.peer_id = silent.peer_id
INNER JOIN (SELECT domain, count() AS peers FROM ${peersNow} GROUP BY domain) AS of_domain ON of_domain.domain = named.domain
WHERE silent.to_state = 'suspect' AND $__timeFilter(silent.at) AND ${inDomains('named.domain')}
GROUP BY "when", named.domain HAVING peers > 1 ORDER BY peers DESC, "when" DESC LIMIT 50`),
);

const outages: Unplaced = table(
  {
    title: 'Outages',
    description:
      'Every time that a peer was silent: until it was up again, or until the end of the span. The longest first. An outage shorter than the grace cost nothing; a longer one was repaired around.',
    noData: 'No peer was silent in this span',
  },
  [24, 9],
  {
    unit: 'short',
    overrides: [
      column('peer', { links: [toPeer] }),
      column('peer_id', { 'custom.hideFrom': { viz: true } }),
      column('silent since', moment),
      column('for', { unit: 's' }),
      column('over', { mappings: words({ yes: 'green', no: 'red' }), ...colourCell }),
    ],
  },
  // A short silence may begin and end in one row of time: what ends it is the first return that is not before it.
  rows(`SELECT named.name AS peer, named.id AS peer_id, named.domain AS domain, began AS "silent since",
  dateDiff('second', began, if(is_over, back, least(now64(3, 'UTC'), toDateTime64($__toTime, 3, 'UTC')))) AS "for",
  if(went >= began AND (NOT is_over OR went <= back), 'yes', 'no') AS "grace ran out", if(is_over, 'yes', 'no') AS over
FROM (
  SELECT ended.peer_id AS peer_id, ended.began AS began, ended.back AS back, ended.back >= ended.began AS is_over, gone.at AS went FROM (
    SELECT silent.peer_id AS peer_id, silent.at AS began, returned.at AS back
    FROM (SELECT peer_id, at FROM ${database}.peer_states WHERE to_state = 'suspect' AND $__timeFilter(at)) AS silent
    ASOF LEFT JOIN (SELECT peer_id, at FROM ${database}.peer_states WHERE to_state NOT IN ('suspect', 'down') AND $__timeFilter(at)) AS returned
      ON returned.peer_id = silent.peer_id AND returned.at >= silent.at
  ) AS ended ASOF LEFT JOIN (SELECT peer_id, at FROM ${database}.peer_states WHERE to_state = 'down' AND $__timeFilter(at)) AS gone
    ON gone.peer_id = ended.peer_id AND gone.at >= ended.began
) AS one INNER JOIN ${peersNow} AS named ON named.peer_id = one.peer_id WHERE ${inDomains('named.domain')}
ORDER BY over, "for" DESC LIMIT 200`),
);

const flappers: Unplaced = table(
  {
    title: 'The most restless peers',
    description:
      'Flap score: a count of outages that fades by half in a day. Grace: how long each may be silent before it counts as down, which grows with its own short outages. A score above 10 is a peer that helps nobody: drain it.',
    noData: 'No peer has flapped lately',
  },
  [12, 9],
  {
    unit: 'short',
    overrides: [
      column('peer', { links: [toPeer] }),
      column('peer_id', { 'custom.hideFrom': { viz: true } }),
      column('state', { mappings: words(stateColors), ...colourCell }),
      column('flap score', {
        decimals: 1,
        thresholds: { mode: 'absolute', steps: steps('green', [2, 'yellow'], [10, 'red']) },
        'custom.cellOptions': { type: 'color-text' },
      }),
      column('grace', { unit: 'ms' }),
    ],
  },
  rows(`SELECT name AS peer, id AS peer_id, domain, state, flap_score AS "flap score", grace_ms AS grace
FROM ${peersNow} WHERE flap_score > 0.05 AND ${inDomains('domain')} ORDER BY flap_score DESC, name LIMIT 50`),
);

const worsened: Unplaced = graph(
  {
    title: 'Files that got worse, by the grade they fell to',
    description:
      'Files that fell to each grade. Compare with the changes of state beside it: a fall without a silent peer is corrupt or deleted shares. Files that go up again are not in here.',
    noData: 'No file got worse in this span',
  },
  [12, 9],
  { unit: 'short', overrides: colored(gradeColors) },
  { style: 'bars' },
  series(`SELECT $__timeInterval(at) AS time, countIf(to_grade = 'degraded') AS degraded, countIf(to_grade = 'at-risk') AS "at-risk",
  countIf(to_grade = 'critical') AS critical, countIf(to_grade = 'lost') AS lost
FROM ${database}.grade_changes WHERE $__timeFilter(at) AND from_grade IS NOT NULL AND to_grade < from_grade AND ${ofPolicies}
GROUP BY time ORDER BY time`),
);

export const damage = dashboard({
  name: 'damage',
  title: 'Damage',
  description: 'What would the next loss do, what has failed, and did it fail together?',
  variables: [dataSourceVariable, databaseVariable, policyVariable, kindVariable, domainVariable],
  annotations: [alertAnnotations, campaignAnnotations, versionAnnotations],
  sections: [
    { title: 'If the next one goes', panels: [worst, peersDown, flapping, domainBars, peerExposure] },
    {
      title: 'Exposure over time',
      panels: [
        exposureOverTime(
          'Files below k without this domain',
          'files_below_k',
          'Files that the loss of each domain would have made unrecoverable. A line that rises is margin that is gone: the loss of one domain makes all others more dangerous. It falls again with repair.',
        ),
        exposureOverTime(
          'Files below the repair threshold without this domain',
          'files_below_repair',
          'Files that the loss of each domain would have sent to repair: the size of the storm that would follow. Compare with what “Repair” can do in an hour.',
        ),
      ],
    },
    { title: 'What failed', panels: [together, stateChanges, flappers, worsened, outages] },
  ],
});
