/** `meshward campaign list | show | watch`: where campaigns are. */
import type { Command } from 'commander';
import type { CampaignAnswer } from '#analyzer/api/campaign-schemas.ts';
import { type ApiClient } from '#analyzer/api/client.ts';
import { isOver } from '#mesh/campaigns/campaign.ts';
import { type Counted, rateOf } from '#mesh/campaigns/rate.ts';
import { sleep, systemClock } from '#mesh/clock.ts';
import { isRetryable } from '#mesh/errors.ts';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { campaignsView, describeCampaign, describeOutcomes, describeProgress } from '../describe-campaign.ts';
import { exitCodes } from '../exit-codes.ts';
import { interruptible } from '../interrupt.ts';
import { type ApiFlags, addApiOption, findApi } from '../mesh-address.ts';
import { textView } from '../terminal/view.ts';
import { showsView } from '../view-command.ts';

const exits = { 3: 'there is no such campaign', 4: 'the analyzer is away' } as const;

export function addCampaignLookCommands(campaign: Command): void {
  const list = addApiOption(campaign.command('list').description('campaigns, newest first'));
  showsView(list, { list: true, state: true }, async (context: Context, flags: ApiFlags) =>
    campaignsView(await (await findApi(context, flags)).campaigns()),
  );
  describeUse(list, {
    examples: ['meshward campaign list', 'meshward campaigns list --watch 5'],
    exits: { 4: exits[4] },
  });

  const show = campaign
    .command('show')
    .argument('<campaign>', 'name or id')
    .description('one campaign: its state, what came of its files, why it waits, and who did what');
  showsView(addApiOption(show), { state: true }, async (context: Context, flags: ApiFlags, [reference = '']) => {
    const found = await (await findApi(context, flags)).campaign(reference);
    return textView(found, () => describeCampaign(found));
  });
  describeUse(show, { examples: ['meshward campaign show lift', 'meshward campaign show lift --watch'], exits });

  describeUse(
    addApiOption(
      campaign
        .command('watch')
        .argument('<campaign>', 'name or id')
        .description('follow a campaign until it is over; ctrl-c leaves it running'),
    ),
    {
      examples: ['meshward campaign watch lift', 'meshward campaign watch lift | tee lift.log'],
      notes: ['On a terminal one line is written anew; where it is piped, each step is a line. Come back at any time.'],
      exits: { ...exits, 5: 'it is over, and files could not be dealt with', 130: 'no longer watched; it goes on' },
    },
  ).action(async (reference: string, flags: ApiFlags, command: Command) => {
    const context = runningContextOf(command);
    await watch(context, await findApi(context, flags), reference);
  });
}

const lookEveryMs = 1000;
/** Where each look is a line, not every look is one. */
const lineEveryMs = 5000;
const rememberedMs = 30_000;

async function watch(context: Context, api: ApiClient, reference: string): Promise<void> {
  const { id } = await api.campaign(reference);
  const last = await interruptible(async (signal) => {
    const counted: Counted[] = [];
    const show = shower(context);
    for (;;) {
      const stand = await lookAgain(api, id, signal);
      const { files, bytesRead, bytesWritten } = stand.totals;
      counted.push({ atMs: systemClock.nowMs(), files, bytes: bytesRead + bytesWritten });
      while (counted.length > 2 && (counted.at(-1)?.atMs ?? 0) - (counted[0]?.atMs ?? 0) > rememberedMs)
        counted.shift();
      const rate = rateOf(counted, stand.runningMs, stand.plan.files);
      const isEnd = isOver(stand.state) && stand.atRest;
      show(stand, describeProgress(stand, rate), isEnd);
      if (isEnd) return stand;
      await sleep(systemClock, lookEveryMs, signal);
    }
  });
  context.output.result(last, () => describeOutcomes(last.totals));
  const bad = last.totals.outcomes.some(({ outcome }) =>
    ['failed', 'partial', 'irrecoverable', 'corrupt'].includes(outcome),
  );
  if (bad || last.state === 'failed') process.exitCode = exitCodes.negative;
}

/** The analyzer may be started anew while one watches. */
async function lookAgain(api: ApiClient, id: string, signal: AbortSignal): Promise<CampaignAnswer> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await api.campaign(id);
    } catch (error) {
      if (!isRetryable(error) || attempt >= 60) throw error;
      await sleep(systemClock, lookEveryMs, signal);
    }
  }
}

function shower(context: Context): (stand: CampaignAnswer, line: string, isEnd: boolean) => void {
  const { stderr } = process;
  if (stderr.isTTY && !context.output.json) {
    return (_stand, line, isEnd) => void stderr.write(`\r\u001b[K${line}${isEnd ? '\n' : ''}`);
  }
  let saidAtMs = 0;
  let state = '';
  return (stand, line, isEnd) => {
    const nowMs = systemClock.nowMs();
    if (!isEnd && stand.state === state && nowMs - saidAtMs < lineEveryMs) return;
    saidAtMs = nowMs;
    state = stand.state;
    if (!context.output.json) process.stdout.write(`${new Date(nowMs).toISOString()} ${line}\n`);
    else stderr.write(`${line}\n`);
  };
}
