/** `meshward schedule list | add | remove`: what runs on calendars. */
import type { Command } from 'commander';
import type { ScheduleAnswer } from '#analyzer/api/campaign-schemas.ts';
import { describeDefinition } from '#mesh/campaigns/definition.ts';
import type { ScheduleDefinition } from '#mesh/campaigns/schedule.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { addCampaignFlags, type CampaignFlags, definitionOf } from '../campaign-flags.ts';
import { type CommandHelp, describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import {
  type ApiFlags,
  addApiOption,
  addCollectorOptions,
  type CollectorFlags,
  findApi,
  withCollector,
} from '../mesh-address.ts';
import { addNoun } from '../nouns.ts';
import { parseCount, parseDuration } from '../quantities.ts';
import { listingView, type View } from '../terminal/view.ts';
import { showsView } from '../view-command.ts';

interface AddFlags extends CampaignFlags, ApiFlags, CollectorFlags {
  readonly every?: string;
  readonly timeZone: string;
  readonly why: string;
  readonly campaign: boolean;
  readonly proofs?: string;
  readonly canary: boolean;
  readonly within: string;
  readonly repairWindow?: string;
  readonly days: string;
}

const exits: NonNullable<CommandHelp['exits']> = {
  4: 'the analyzer or the collector is away',
  5: 'another operator changed it at the same time',
  6: 'the key is not an operator of the mesh',
};

export function addScheduleCommands(program: Command): void {
  const schedule = addNoun(program, {
    name: 'schedule',
    alias: 'schedules',
    description: 'what runs on calendars: campaigns, proofs, canary files, and the hours of bulk repair',
  });
  const list = schedule.command('list').description('calendar entries, with the next three times of each');
  showsView(addApiOption(list), { list: true }, async (context: Context, flags: ApiFlags) =>
    schedulesView(await (await findApi(context, flags)).schedules()),
  );
  describeUse(list, { examples: ['meshward schedule list'], exits: { 4: 'the analyzer is away' } });

  const add = schedule.command('add').argument('<name>', 'what it is called; one of that name is changed');
  add.description('add a calendar entry, or change it');
  addCampaignFlags(
    add
      .option('--campaign', 'plan and start the campaign that the flags below describe', false)
      .option('--proofs <files>', 'really recover so many files, the riskier and longer unproven the likelier')
      .option('--canary', 'put a file with too few shares, and see that it is repaired and recovered', false)
      .option('--within <duration>', 'with --canary: how long that may take', '30min')
      .option('--repair-window <hours>', 'bulk repair and campaigns only within such hours, such as 22:00-06:00')
      .option('--days <days>', 'with --repair-window: days on which it opens, 0 is Sunday', '0,1,2,3,4,5,6')
      .option('--every <calendar>', 'minute, hour, day of the month, month, day of the week, such as "0 2 * * 6"')
      .option('--time-zone <zone>', 'such as Europe/Berlin', 'UTC'),
  );
  describeUse(addCollectorOptions(addApiOption(add)).requiredOption('--why <text>', 'why; kept with it'), {
    examples: [
      'meshward schedule add weekly-scrub --campaign --verify --unverified 30d --every "0 2 * * 6" --time-zone Europe/Berlin --why "every share is read once a month"',
      'meshward schedule add proofs --proofs 20 --every "0 * * * *" --why "see that files come back"',
      'meshward schedule add nights --repair-window 22:00-06:00 --time-zone Europe/Berlin --why "days are for users"',
      'meshward schedule add canary --canary --within 30min --every "0 4 * * *" --why "silence is not health"',
    ],
    notes: [
      'Critical files are repaired at any hour. What is due while nobody runs is told and not made up for; what still runs is not begun twice.',
    ],
    exits,
  }).action((name: string, flags: AddFlags, command: Command) => addSchedule(runningContextOf(command), flags, name));

  describeUse(
    addCollectorOptions(
      schedule
        .command('remove')
        .argument('<name>', 'as `schedule list` shows it')
        .description('take a calendar entry away'),
    ).requiredOption('--why <text>', 'why; kept with it'),
    {
      examples: ['meshward schedule remove nights --why "repairs are urgent now"'],
      exits: { ...exits, 3: 'there is no such entry' },
    },
  ).action(async (name: string, flags: CollectorFlags & { readonly why: string }, command: Command) => {
    const context = runningContextOf(command);
    const removed = await withCollector(context, flags, (collector) => collector.removeSchedule(name, flags.why));
    context.output.result(removed, () => `"${removed.name}" is taken off the calendar.`);
  });
}

async function addSchedule(context: Context, flags: AddFlags, name: string): Promise<void> {
  const { parseSchedule } = await import('#mesh/campaigns/schedule.ts');
  const definition = parseSchedule(await scheduleOf(context, flags));
  const added = await withCollector(context, flags, (collector) => collector.setSchedule(name, definition, flags.why));
  context.output.result(
    { ...added, definition },
    () => `"${added.name}" is on the calendar. See: meshward schedule list`,
  );
}

async function scheduleOf(context: Context, flags: AddFlags): Promise<unknown> {
  const kinds = [flags.campaign, flags.proofs !== undefined, flags.canary, flags.repairWindow !== undefined];
  if (kinds.filter(Boolean).length !== 1) {
    throw new MeshwardError('bad-input', 'nothing, or more than one thing, says what is to run', {
      next: 'Give one of --campaign, --proofs, --canary and --repair-window.',
    });
  }
  const { timeZone } = flags;
  if (flags.repairWindow !== undefined) {
    const [from, to] = flags.repairWindow.split('-');
    return {
      does: 'repair-window',
      from,
      to,
      days: flags.days.split(',').map(Number),
      timeZone,
    } satisfies Loose<'repair-window'>;
  }
  if (flags.every === undefined) {
    throw new MeshwardError('bad-input', 'nothing says when it is to run', {
      next: 'Give --every "0 2 * * 6" or the like.',
    });
  }
  const when = { cron: flags.every, timeZone };
  if (flags.proofs !== undefined)
    return { does: 'proofs', ...when, files: parseCount(flags.proofs, '--proofs', 1, 10_000) };
  if (flags.canary) return { does: 'canary', ...when, withinMs: parseDuration(flags.within, '--within') };
  const api = await findApi(context, flags);
  const campaign = await definitionOf(flags, {
    peers: async () => (await api.peers()).peers,
    selectionOf: async (reference) => (await api.campaign(reference)).definition.selection,
    readLines: () => Promise.resolve([]),
  });
  return { does: 'campaign', ...when, campaign };
}

/** As it comes from flags, before it is checked. */
type Loose<Does extends ScheduleDefinition['does']> = {
  readonly [Key in keyof Extract<ScheduleDefinition, { does: Does }>]: Key extends 'does' ? Does : unknown;
};

function schedulesView(schedules: readonly ScheduleAnswer[]): View {
  const minuteOf = (ms: number): string => new Date(ms).toISOString().slice(0, 16);
  return listingView<ScheduleAnswer>({
    rows: schedules,
    value: { schedules },
    none: 'Nothing is on the calendar.',
    columns: [
      { title: 'name', value: ({ name }) => name },
      { title: 'what', value: describeWhat, fit: 'text' },
      { title: 'calendar', value: ({ calendar, timeZone }) => `${calendar} ${timeZone}`, fit: 'text' },
      {
        title: 'next (UTC)',
        name: 'next_utc',
        value: ({ nextMs }) => nextMs.map(minuteOf).join(', '),
        fit: 'text',
      },
      {
        title: 'last',
        value: ({ steps }) => {
          const last = steps.at(-1);
          return last === undefined ? '' : `${last.what} ${minuteOf(last.atMs)}: ${last.why}`;
        },
        fit: 'text',
        rank: 1,
      },
    ],
  });
}

function describeWhat(one: ScheduleAnswer): string {
  const definition = one.definition as ScheduleDefinition;
  return definition.does === 'campaign' ? describeDefinition(definition.campaign) : one.description;
}
