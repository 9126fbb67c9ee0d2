/** `meshward campaign report`: what came of a campaign, as text, JSON or one page that needs nothing else. */
import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { CampaignReport } from '#analyzer/api/campaign-schemas.ts';
import { isOver } from '#mesh/campaigns/campaign.ts';
import { renderReportPage } from '../campaign-page.ts';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { describeCampaign, describeMargins } from '../describe-campaign.ts';
import { type ApiFlags, addApiOption, findApi } from '../mesh-address.ts';
import { planTimeoutMs } from './campaign-plan.ts';

interface ReportFlags extends ApiFlags {
  readonly html?: string;
}

export function addCampaignReportCommand(campaign: Command): void {
  describeUse(
    addApiOption(
      campaign
        .command('report')
        .argument('<campaign>', 'name or id')
        .description('account for a campaign: what it did, what came of it, who said so and why')
        .option('--html <file>', 'write one page with pictures, which needs nothing else'),
    ),
    {
      examples: [
        'meshward campaign report lift',
        'meshward campaign report lift --html lift.html',
        'meshward --json campaign report lift',
      ],
      exits: { 3: 'there is no such campaign', 4: 'the analyzer is away' },
    },
  ).action((reference: string, flags: ReportFlags, command: Command) =>
    report(runningContextOf(command), flags, reference),
  );
}

async function report(context: Context, flags: ReportFlags, reference: string): Promise<void> {
  const api = await findApi(context, flags, planTimeoutMs);
  const { kind } = await api.campaign(reference);
  const isMove = kind === 'drain' || kind === 'replace' || kind === 'rebalance';
  const found = await api.campaignReport(reference, isMove);
  const names = new Map(isMove ? (await api.peers()).peers.map((peer) => [peer.peerId, peer.name]) : []);
  if (flags.html !== undefined) {
    await writeFile(flags.html, renderReportPage(found, endWords(found, names)));
    context.output.note(`The page is in ${flags.html}.`);
  }
  context.output.result(found, () => describeReport(found, endWords(found, names)));
}

function describeReport(found: CampaignReport, end: string): string {
  return [
    describeCampaign(found.campaign),
    '',
    `Margins: ${describeMargins(found.marginsBefore)} before, ${describeMargins(found.marginsAfter)} after.`,
    ...(end === '' ? [] : [end]),
  ].join('\n');
}

/** Of peers that were left: whether they may be switched off. */
export function endWords({ campaign, remaining }: CampaignReport, names: ReadonlyMap<string, string>): string {
  if (remaining === null || !isOver(campaign.state)) return '';
  const stuck = remaining.filesToRepair + remaining.stillAtRisk.reduce((sum, { files }) => sum + files, 0);
  const peers = campaign.definition.leave.map((peer) => names.get(peer) ?? `${peer.slice(0, 8)}…`).join(', ');
  if (peers === '')
    return stuck === 0 ? 'Every file is spread as it shall be.' : `${stuck} files are not spread as they shall be.`;
  const they = campaign.definition.leave.length === 1 ? 'it' : 'they';
  if (stuck === 0) return `Everything that ${peers} held is elsewhere too: ${they} may be switched off.`;
  return `${stuck} files have shares that only ${peers} held: ${they} may NOT be switched off yet.`;
}
