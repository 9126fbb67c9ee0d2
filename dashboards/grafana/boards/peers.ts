/** Who is there, and how are their hosts? In the spirit of Cacti: a mean in a band up to its maximum, for a day or a year. */
import { vitalsSeries } from '#store/series.ts';
import { alertAnnotations, campaignAnnotations, versionAnnotations } from '../build/annotations.ts';
import { column, numberedStates, stateColors, steps, words } from '../build/colors.ts';
import { dashboard } from '../build/dashboard.ts';
import { bars, figure, table } from '../build/figures.ts';
import { graph, stateTimeline } from '../build/graphs.ts';
import { toPeer } from '../build/links.ts';
import type { Unplaced } from '../build/panel.ts';
import type { PlainFields } from '../build/plain.ts';
import { rows, series } from '../build/target.ts';
import {
  databaseVariable,
  dataSourceVariable,
  domainVariable,
  kindVariable,
  peerVariable,
} from '../build/variables.ts';
import { rates } from '../sql/counters.ts';
import { database, leveled, stepsClause } from '../sql/leveled.ts';
import { inDomains, isPeer, peersNow } from '../sql/peers.ts';

const noPeers = 'No peer has said anything yet';
const noVitals = 'No heartbeat of this peer in this span';
const colourCell = { 'custom.cellOptions': { type: 'color-background', mode: 'basic' } };
const ofPeer = isPeer('source.peer_id');

const states: Unplaced = figure(
  {
    title: 'Peers by state',
    description:
      'Peers of the chosen domains now. Suspect: silent within its grace. Down: its grace has run out, and files are repaired around it. Departed: gone for good, its shares do not count.',
    noData: noPeers,
  },
  [24, 4],
  {
    unit: 'short',
    overrides: Object.entries(stateColors).map(([state, fixed]) =>
      column(state, { thresholds: { mode: 'absolute', steps: steps('#6e6e78', [1, fixed]) } }),
    ),
  },
  { named: true, filled: true },
  rows(
    `SELECT ${Object.keys(stateColors)
      .map((state) => `countIf(state = '${state}') AS "${state}"`)
      .join(', ')} FROM ${peersNow} WHERE ${inDomains('domain')} HAVING count() > 0`,
  ),
);

const timeline: Unplaced = stateTimeline(
  {
    title: 'Who was up when?',
    description:
      'States of the forty most restless peers of the chosen domains over the span. Red stripes under each other are one cause. Yellow teeth are a peer that flaps. Peers that never changed are left out.',
    noData: 'No peer changed its state in this span',
  },
  [24, 12],
  { unit: 'short', mappings: numberedStates(), displayName: '${__field.labels.peer}' },
  series(`WITH restless AS (
  SELECT named.peer_id AS peer_id, any(named.name) AS name, any(named.domain) AS domain, count() AS changes FROM ${database}.peer_states AS changed
  INNER JOIN ${peersNow} AS named ON named.peer_id = changed.peer_id WHERE $__timeFilter(changed.at) AND ${inDomains('named.domain')}
  GROUP BY named.peer_id ORDER BY changes DESC, name LIMIT 40
)
SELECT time, restless.name AS peer, toUInt8(state) AS state FROM (
  -- Changes that are told in one row of time: the state that none of them leaves.
  SELECT peer_id, at AS time, arrayFirst(one -> length(entered) = 1 OR NOT has(left_ones, one), entered) AS state FROM (
    SELECT peer_id, at, groupArray(CAST(to_state, 'UInt8')) AS entered, groupArray(toUInt8(ifNull(CAST(from_state, 'Nullable(Int8)'), 3))) AS left_ones
    FROM ${database}.peer_states WHERE $__timeFilter(at) GROUP BY peer_id, at
  ) WHERE state > 0
  UNION ALL SELECT peer_id, toDateTime64($__fromTime, 3, 'UTC') AS time, argMin(toUInt8(ifNull(CAST(from_state, 'Nullable(Int8)'), 3)), at) AS state
    FROM ${database}.peer_states WHERE $__timeFilter(at) GROUP BY peer_id
) AS told INNER JOIN restless ON restless.peer_id = told.peer_id ORDER BY time, restless.domain, peer LIMIT 20000`),
);

const everyPeer: Unplaced = table(
  {
    title: 'Every peer',
    description:
      'The peers of the chosen domains, those that need a look first: state, then how full they are. A peer above 90 % takes no repairs soon. The name leads to the graphs of its host.',
    noData: noPeers,
  },
  [24, 10],
  {
    unit: 'short',
    overrides: [
      column('peer', { links: [toPeer] }),
      column('peer_id', { 'custom.hideFrom': { viz: true } }),
      column('state', { mappings: words(stateColors), ...colourCell }),
      column('since', { unit: 'dateTimeFromNow' }),
      column('last heard', { unit: 'dateTimeFromNow' }),
      column('capacity', { unit: 'bytes' }),
      column('shares, bytes', { unit: 'bytes' }),
      column('full', {
        unit: 'percentunit',
        min: 0,
        max: 1,
        thresholds: { mode: 'absolute', steps: steps('green', [0.8, 'orange'], [0.9, 'red']) },
        'custom.cellOptions': { type: 'gauge', mode: 'basic' },
      }),
      column('flap score', {
        decimals: 1,
        thresholds: { mode: 'absolute', steps: steps('green', [2, 'yellow'], [10, 'red']) },
        'custom.cellOptions': { type: 'color-text' },
      }),
    ],
  },
  rows(`SELECT name AS peer, id AS peer_id, named.domain AS domain, named.state AS state, state_since AS since, last_heard_at AS "last heard", agent_version AS release,
  if(disk.capacity > 0, disk.used / disk.capacity, NULL) AS full, capacity_bytes AS capacity, shares, used_bytes AS "shares, bytes", flap_score AS "flap score"
FROM ${peersNow} AS named LEFT JOIN (
  SELECT peer_id, max(disk_used_bytes_last).2 AS used, max(disk_capacity_bytes_last).2 AS capacity FROM ${database}.peer_vitals_hour
  WHERE at >= toStartOfHour($__toTime) - INTERVAL 2 HOUR AND at <= $__toTime GROUP BY peer_id
) AS disk ON disk.peer_id = named.peer_id
WHERE ${inDomains('domain')} ORDER BY indexOf(['down', 'suspect', 'draining', 'maintenance', 'up', 'departed'], named.state), full DESC, name LIMIT 2000`),
);

const room: Unplaced = bars(
  {
    title: 'Room by domain',
    description:
      'Free space on the disks of peers that are up, by domain of the chosen kind. Repair spreads shares over domains: the one with the least room is where that fails first. Add peers there.',
    noData: noPeers,
  },
  [12, 10],
  { unit: 'bytes', thresholds: steps('red', [1e11, 'orange'], [1e12, 'green']) },
  rows(`SELECT named.domain AS domain, sum(toFloat64(capacity) - least(toFloat64(used), toFloat64(capacity))) AS free FROM (
  SELECT peer_id, max(disk_used_bytes_last).2 AS used, max(disk_capacity_bytes_last).2 AS capacity FROM ${database}.peer_vitals_hour
  WHERE at >= toStartOfHour($__toTime) - INTERVAL 2 HOUR AND at <= $__toTime GROUP BY peer_id
) AS disk INNER JOIN ${peersNow} AS named ON named.peer_id = disk.peer_id WHERE named.state = 'up' AND ${inDomains('named.domain')}
GROUP BY named.domain ORDER BY free, domain LIMIT 30`),
);

const releases: Unplaced = bars(
  {
    title: 'Releases',
    description:
      'Peers by the release that their agent runs. More than two is a roll-out that has stopped half-way: old agents know nothing of new events. Blue lines over the graphs show when each was begun.',
    noData: noPeers,
  },
  [12, 10],
  { unit: 'short', thresholds: steps('blue') },
  rows(`SELECT if(agent_version = '', 'unknown', agent_version) AS release, count() AS peers FROM ${peersNow}
WHERE state != 'departed' AND ${inDomains('domain')} GROUP BY release ORDER BY release DESC LIMIT 20`),
);

const figuresOf = (...names: readonly string[]): string =>
  leveled({ series: vitalsSeries, keys: ['peer_id'], figures: names, condition: ofPeer });

const band = (mean: string, most: string): PlainFields['overrides'] => [
  column(mean, { color: { mode: 'fixed', fixedColor: 'green' }, 'custom.fillOpacity': 45 }),
  column(most, { color: { mode: 'fixed', fixedColor: 'dark-green' }, 'custom.fillOpacity': 10, 'custom.lineWidth': 1 }),
];

const cpu: Unplaced = graph(
  {
    title: 'Processor',
    description:
      'Part of the host’s processors in use: the mean of each step, and its maximum. A mean near 100 % slows repairs that read from here; a maximum there is nothing while the mean is low.',
    noData: noVitals,
  },
  [12, 7],
  { unit: 'percentunit', min: 0, max: 1, overrides: band('mean', 'maximum') ?? [] },
  { legend: 'table' },
  series(`${stepsClause}
SELECT time, cpu_used_ratio_mean AS mean, toFloat64(cpu_used_ratio_max) AS maximum FROM ${figuresOf('cpu_used_ratio')} ORDER BY time`),
);

const memory: Unplaced = graph(
  {
    title: 'Memory',
    description:
      'Memory in use on the host, and by the agent itself (its maximum). An agent that grows for days without end has a fault: keep its log, restart it.',
    noData: noVitals,
  },
  [12, 7],
  { unit: 'bytes', overrides: band('mean', 'maximum') ?? [] },
  { legend: 'table' },
  series(`${stepsClause}
SELECT time, memory_used_bytes_mean AS mean, toFloat64(memory_used_bytes_max) AS maximum, toFloat64(process_memory_bytes_max) AS agent
FROM ${figuresOf('memory_used_bytes', 'process_memory_bytes')} ORDER BY time`),
);

const network: Unplaced = graph(
  {
    title: 'Network',
    description:
      'Bytes a second that the agent received (below the line) and sent, on average. Sending that rises during repair is this peer being read from; its budget is `meshward peer settings`.',
    noData: noVitals,
  },
  [12, 7],
  { unit: 'Bps', overrides: [column('received', { 'custom.transform': 'negative-Y' })] },
  { legend: 'table' },
  series(`${stepsClause}
SELECT time, network_received_bytes_rate AS received, network_sent_bytes_rate AS sent
FROM ${rates(figuresOf('network_received_bytes', 'network_sent_bytes'), ['peer_id'], ['network_received_bytes', 'network_sent_bytes'])} ORDER BY time`),
);

const disk: Unplaced = graph(
  {
    title: 'Disk',
    description:
      'The file system that holds the shares: in use, its size, and the shares themselves. In use that grows while the shares do not is something else on that disk.',
    noData: noVitals,
  },
  [12, 7],
  {
    unit: 'bytes',
    overrides: [column('size', { color: { mode: 'fixed', fixedColor: 'red' }, 'custom.fillOpacity': 0 })],
  },
  { legend: 'table' },
  series(`${stepsClause}
SELECT time, toFloat64(disk_used_bytes_last) AS "in use", toFloat64(disk_capacity_bytes_last) AS size, toFloat64(share_bytes_last) AS shares
FROM ${figuresOf('disk_used_bytes', 'disk_capacity_bytes', 'share_bytes')} ORDER BY time`),
);

const held: Unplaced = graph(
  {
    title: 'Shares held',
    description:
      'Shares on the peer. A sudden fall is a disk that was wiped or a folder that is not mounted: the next inventory reports them lost, and repair begins.',
    noData: noVitals,
  },
  [8, 7],
  { unit: 'short' },
  { legend: 'none' },
  series(`${stepsClause}
SELECT time, toFloat64(shares_last) AS shares FROM ${figuresOf('shares')} ORDER BY time`),
);

const verified: Unplaced = graph(
  {
    title: 'Time to verify every share once',
    description:
      'Shares that the peer holds over the rate at which it reads and checks them. It is how long damage to a share can stay unseen here: longer than the horizon of the policies, raise `agent.verifyBytesPerSecond`.',
    noData: 'It has not verified anything in this span',
  },
  [8, 7],
  { unit: 's' },
  { legend: 'none', bridgeMs: 3_600_000 },
  series(`${stepsClause}
SELECT rate.time AS time, held.shares_last / rate.shares_verified_rate AS "one pass" FROM ${rates(figuresOf('shares_verified'), ['peer_id'], ['shares_verified'])} AS rate
INNER JOIN ${figuresOf('shares')} AS held ON held.time = rate.time WHERE rate.shares_verified_rate > 0 ORDER BY time`),
);

const spool: Unplaced = graph(
  {
    title: 'Batches in the spool',
    description:
      'Batches that the agent keeps because no collector takes them. A line above 0 for minutes: collectors are away or the peer’s network is. Nothing is lost by it: they are sent in order.',
    noData: noVitals,
  },
  [8, 7],
  { unit: 'short', thresholds: steps('transparent', [10, 'orange']) },
  { legend: 'none', limits: true },
  series(`${stepsClause}
SELECT time, toFloat64(spooled_batches_max) AS batches FROM ${figuresOf('spooled_batches')} ORDER BY time`),
);

export const peers = dashboard({
  name: 'peers',
  title: 'Peers',
  description: 'Who is there, who was up when, and how are their hosts?',
  variables: [dataSourceVariable, databaseVariable, kindVariable, domainVariable, peerVariable],
  annotations: [alertAnnotations, campaignAnnotations, versionAnnotations],
  sections: [
    { title: 'All of them', panels: [states, timeline, everyPeer, room, releases] },
    { title: 'The host of the chosen peer', panels: [cpu, memory, network, disk, held, verified, spool] },
  ],
});
