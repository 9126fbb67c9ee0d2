/** Campaigns, their plans and their progress as people read them. */
import type { CampaignAnswer, CampaignSummary } from '#analyzer/api/campaign-schemas.ts';
import type { CampaignPlan } from '#mesh/campaigns/plan.ts';
import { type CampaignRate } from '#mesh/campaigns/rate.ts';
import { formatBytes, formatDuration } from './terminal/amounts.ts';
import { moodOf } from './terminal/colour.ts';
import { table } from './terminal/table.ts';
import { listingView, timeColumn, type View } from './terminal/view.ts';

const shownPeers = 10;

export function describePlan(plan: CampaignPlan, description: string): string {
  const { cost, duration } = plan;
  const lines: [string, string][] = [
    ['campaign', description],
    ['files', `${plan.files} selected, ${plan.filesToRepair} get shares`],
    ['shares', `${plan.sharesToWrite} to write, ${plan.sharesToRead} to read`],
    ['bytes', `${formatBytes(plan.bytesRead)} to read, ${formatBytes(plan.bytesWritten)} to write`],
    [
      'duration',
      duration === null
        ? 'not known: no repair of this mesh was measured yet, and no budget limits it'
        : `${formatDuration(duration.leastMs)} to ${formatDuration(duration.mostMs)} (${duration.basis})`,
    ],
    [
      'cost',
      `${money(cost.read + cost.write, cost.currency)} to do, ${money(cost.keepMonthly, cost.currency)} more a month to keep`,
    ],
    ['margin', `${describeMargins(plan.marginsBefore)} before, ${describeMargins(plan.marginsAfter)} after`],
    ['nines', `${plan.ninesGained.toFixed(1)} more for each file that gets shares, on average`],
  ];
  const full = plan.peers.filter(({ fills }) => fills);
  const risks = plan.stillAtRisk.map(({ reason, files }) => `${files} files: ${reason}`);
  return [
    aligned(lines),
    ...(full.length === 0 ? [] : [`\nPeers that fill up: ${full.map(({ name }) => name).join(', ')}.`]),
    risks.length === 0
      ? '\nNothing selected stays below what it shall have.'
      : `\nStill below what they shall have after it:\n  ${risks.join('\n  ')}`,
    ...describeLoads(plan),
  ].join('\n');
}

function describeLoads(plan: CampaignPlan): string[] {
  if (plan.peers.length === 0) return [];
  const peers = plan.peers.slice(0, shownPeers);
  const more = plan.peers.length - peers.length;
  return [
    '',
    table(
      ['peer', 'reads', 'writes', 'free'],
      peers.map((peer) => [
        peer.name,
        formatBytes(peer.bytesRead),
        formatBytes(peer.bytesWritten),
        `${formatBytes(peer.freeBytes)}${peer.fills ? ' (fills up)' : ''}`,
      ]),
    ),
    ...(more > 0 ? [`and ${more} more peers (--json has them)`] : []),
    ...(plan.domains.length === 0
      ? []
      : [
          '',
          table(
            ['domain', 'reads', 'writes'],
            plan.domains
              .slice(0, shownPeers)
              .map((domain) => [
                `${domain.kind}=${domain.value}`,
                formatBytes(domain.bytesRead),
                formatBytes(domain.bytesWritten),
              ]),
          ),
        ]),
  ];
}

/** With `--csv` the load of each peer. */
export function planView(plan: CampaignPlan, value: unknown, describe: () => string): View {
  const loads = listingView<CampaignPlan['peers'][number]>({
    rows: plan.peers,
    value,
    none: '',
    columns: [
      { title: 'peer_id', value: ({ peerId }) => peerId },
      { title: 'name', value: ({ name }) => name },
      { title: 'bytes_read', value: ({ bytesRead }) => bytesRead },
      { title: 'bytes_written', value: ({ bytesWritten }) => bytesWritten },
      { title: 'free_bytes', value: ({ freeBytes }) => freeBytes },
      { title: 'fills', value: ({ fills }) => fills },
    ],
  });
  return { ...loads, text: describe };
}

export function campaignsView(campaigns: readonly CampaignSummary[]): View {
  const stateOf = (one: CampaignSummary): string => (one.state === 'paused' && !one.atRest ? 'pausing' : one.state);
  return listingView<CampaignSummary>({
    rows: campaigns,
    value: { campaigns },
    none: 'There are no campaigns.',
    columns: [
      { title: 'campaign', value: ({ name }) => name },
      { title: 'state', value: stateOf, mood: (one) => moodOf(stateOf(one)) },
      { title: 'files', value: ({ files }) => files },
      { title: 'of', name: 'planned_files', value: ({ plannedFiles }) => plannedFiles },
      { title: 'what', value: ({ description }) => description, fit: 'text' },
      timeColumn('changed', ({ changedAtMs }) => changedAtMs, { rank: 1 }),
      { title: 'id', value: ({ id }) => id, fit: 'id', rank: 2 },
    ],
  });
}

export function describeCampaign(campaign: CampaignAnswer): string {
  const { totals, steps, plan } = campaign;
  const lines: [string, string][] = [
    ['campaign', `${campaign.name} (${campaign.id})`],
    ['state', describeState(campaign)],
    ['what', campaign.description],
    [
      'priority',
      `${campaign.definition.priority}, ${Math.round(campaign.definition.budgetShare * 100)} % of the budget`,
    ],
    ['done', `${totals.files} of about ${plan.files} files; ${totals.finishedParts} of ${campaign.parts} partitions`],
    [
      'moved',
      `${totals.sharesWritten} shares written; ${formatBytes(totals.bytesRead)} read, ${formatBytes(totals.bytesWritten)} written`,
    ],
    ['running for', formatDuration(campaign.runningMs)],
    ['plan', `${campaign.planHash.slice(0, 12)}…, made ${new Date(plan.atMs).toISOString()}`],
  ];
  return [
    aligned(lines),
    ...(totals.outcomes.length === 0 ? [] : ['', describeOutcomes(totals)]),
    ...describeWaits(campaign),
    '',
    table(
      ['when', 'what', 'who', 'why'],
      steps.map((step) => [
        new Date(step.atMs).toISOString(),
        step.what,
        step.operatorId === '' ? 'the repairers' : step.operatorName || `${step.operatorId.slice(0, 8)}…`,
        step.why,
      ]),
    ),
  ].join('\n');
}

export function describeState({ state, atRest, totals, needsApproval }: CampaignAnswer): string {
  if (state === 'paused')
    return atRest ? 'paused: nothing is being done' : `pausing: ${totals.inFlight} files under way`;
  if (state === 'planned') return needsApproval ? 'planned; needs the approval of a second operator' : 'planned';
  return state;
}

/** Why a campaign is slow, or stands still. */
export function describeWaits({ state, totals, parts }: CampaignAnswer): string[] {
  if (state !== 'running') return [];
  if (totals.waits.length > 0)
    return [
      '',
      ...totals.waits.map(({ reason, parts: waiting }) => `Waits in ${waiting} of ${parts} partitions: ${reason}.`),
    ];
  return totals.inFlight > 0 ? ['', `${totals.inFlight} files are being worked on.`] : [];
}

export function describeOutcomes(totals: CampaignAnswer['totals']): string {
  return table(
    ['outcome', 'files', 'reason'],
    totals.outcomes.map(({ outcome, errorCode, files }) => [outcome, files, errorCode]),
  );
}

/** One line: what a watcher sees each time. */
export function describeProgress(campaign: CampaignAnswer, rate: CampaignRate): string {
  const { totals, plan } = campaign;
  const bad = totals.outcomes.filter(
    ({ outcome }) => !['restored', 'not-needed', 'verified', 'gone'].includes(outcome),
  );
  const failures = bad.map(
    ({ outcome, errorCode, files }) => `${files} ${outcome}${errorCode === '' ? '' : ` (${errorCode})`}`,
  );
  const left =
    campaign.state !== 'running'
      ? ''
      : rate.remaining === null
        ? ', time left not known yet'
        : `, ${formatDuration(rate.remaining.leastMs)} to ${formatDuration(rate.remaining.mostMs)} left`;
  const waits = totals.waits[0] === undefined ? '' : `; waits: ${totals.waits[0].reason}`;
  return (
    `${describeState(campaign)}: ${totals.files} of about ${plan.files} files, ${rate.filesPerSecond.toFixed(1)} a second, ` +
    `${formatBytes(Math.round(rate.bytesPerSecond))}/s${left}${failures.length === 0 ? '' : `; ${failures.join(', ')}`}${waits}`
  );
}

export function describeMargins(margins: readonly (readonly [number, number])[]): string {
  const files = margins.reduce((sum, [, count]) => sum + count, 0);
  if (files === 0) return 'none';
  const mean = margins.reduce((sum, [margin, count]) => sum + margin * count, 0) / files;
  return `${mean.toFixed(1)} (least ${margins[0]?.[0]}, most ${margins.at(-1)?.[0]})`;
}

function money(amount: number, currency: string): string {
  return `${amount.toFixed(2)} ${currency}`;
}

export function aligned(lines: readonly (readonly [string, string])[]): string {
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}
