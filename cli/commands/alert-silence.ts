/** `meshward alerts silence` and `silences`: what is told to nobody for a while, and who wanted it so. */
import type { Command } from 'commander';
import { parseAlertSelector } from '#mesh/alert-selector.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { silencesView } from '../describe-alerts.ts';
import {
  type ApiFlags,
  addApiOption,
  addCollectorOptions,
  type CollectorFlags,
  findApi,
  withCollector,
} from '../mesh-address.ts';
import { parseDuration } from '../quantities.ts';
import { showsView } from '../view-command.ts';

interface SilenceFlags extends CollectorFlags {
  readonly for: string;
  readonly why: string;
}

const exits = { 4: 'the collector is away', 6: 'the key in this data directory is not an operator of the mesh' };
const idPattern = /^[0-9a-f]{8}(-[0-9a-f-]{0,27})?$/;
const wholeIdPattern = /^[0-9a-f]{8}-[0-9a-f-]{27}$/;

export function addSilenceCommands(alerts: Command): void {
  const silence = alerts
    .command('silence')
    .argument('<selector>', 'alerts to silence: a name, or LABEL=VALUE,… with * for any text')
    .requiredOption('--for <duration>', 'how long, such as 2h')
    .requiredOption('--why <text>', 'the reason; kept with the silence')
    .description('tell nobody of these alerts for a while; they stay in `meshward alerts`');
  describeUse(addCollectorOptions(silence), {
    examples: [
      'meshward alerts silence DomainLost,zone=eu-1 --for 2h --why "new switches"',
      'meshward alerts silence severity=warning --for 30min --why "moving racks"',
    ],
    notes: [
      'Sinks that know of such an alert are told that it is over; when the silence ends and it still holds, it is told anew.',
    ],
    exits,
  });
  silence.action((selector: string, flags: SilenceFlags, command: Command) =>
    silenceAlerts(runningContextOf(command), selector, flags),
  );

  const end = alerts
    .command('unsilence')
    .argument('<id>', 'id of a silence, or the beginning of it: eight characters or more')
    .description('end a silence before its time');
  describeUse(addApiOption(addCollectorOptions(end)), {
    examples: ['meshward alerts unsilence 9b1c0d2e'],
    exits: { ...exits, 4: 'the analyzer or the collector is away' },
  });
  end.action((id: string, flags: CollectorFlags & ApiFlags, command: Command) =>
    endSilence(runningContextOf(command), id, flags),
  );

  const list = alerts.command('silences').description('silences, newest first, with who made them and why');
  showsView(addApiOption(list), { list: true }, async (context: Context, flags: ApiFlags) =>
    silencesView(await (await findApi(context, flags)).silences()),
  );
  describeUse(list, { examples: ['meshward alerts silences'], exits: { 4: 'the analyzer is away' } });
}

async function silenceAlerts(context: Context, selector: string, flags: SilenceFlags): Promise<void> {
  parseAlertSelector(selector);
  const untilMs = Date.now() + parseDuration(flags.for, '--for');
  const { id } = await withCollector(context, flags, (collector) =>
    collector.silenceAlerts({ selector, untilMs, why: flags.why }),
  );
  context.output.result(
    { id, selector, untilMs },
    () => `${selector} is silenced until ${new Date(untilMs).toISOString()} (${id})`,
  );
}

async function endSilence(context: Context, reference: string, flags: CollectorFlags & ApiFlags): Promise<void> {
  const id = wholeIdPattern.test(reference) ? reference : await idOf(context, reference, flags);
  await withCollector(context, flags, (collector) => collector.endSilence(id));
  context.output.result({ id }, () => `the silence ${id} has ended`);
}

/** Tables show the beginning of an id. */
async function idOf(context: Context, reference: string, flags: ApiFlags): Promise<string> {
  const next = '`meshward alerts silences` lists them.';
  if (!idPattern.test(reference)) throw new MeshwardError('bad-input', 'this is no id of a silence', { next });
  const meant = (await (await findApi(context, flags)).silences()).filter(({ id }) => id.startsWith(reference));
  const [silence] = meant;
  if (silence !== undefined && meant.length === 1) return silence.id;
  const what =
    meant.length === 0 ? 'no silence has an id that begins so' : `${meant.length} silences have ids that begin so`;
  throw new MeshwardError('bad-input', what, { next });
}
