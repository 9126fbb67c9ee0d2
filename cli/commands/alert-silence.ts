/** `meshward alerts silence` and `silences`: what is told to nobody for a while, and who wanted it so. */
import type { Command } from 'commander';
import { parseAlertSelector } from '#mesh/alert-selector.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { describeSilences } from '../describe-alerts.ts';
import {
  type ApiFlags,
  addApiOption,
  addCollectorOptions,
  type CollectorFlags,
  findApi,
  withCollector,
} from '../mesh-address.ts';
import { parseDuration } from '../quantities.ts';

interface SilenceFlags extends CollectorFlags {
  readonly for: string;
  readonly why: string;
}

const exits = { 4: 'the collector is away', 6: 'the key in this data directory is not an operator of the mesh' };
const idPattern = /^[0-9a-f]{8}-[0-9a-f-]{27}$/;

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
    .argument('<id>', 'id of a silence')
    .description('end a silence before its time');
  describeUse(addCollectorOptions(end), { examples: ['meshward alerts unsilence 9b1c0d2e-…'], exits });
  end.action((id: string, flags: CollectorFlags, command: Command) => endSilence(runningContextOf(command), id, flags));

  const list = alerts.command('silences').description('silences, newest first, with who made them and why');
  describeUse(addApiOption(list), { examples: ['meshward alerts silences'], exits: { 4: 'the analyzer is away' } });
  list.action((flags: ApiFlags, command: Command) => listSilences(runningContextOf(command), flags));
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

async function endSilence(context: Context, id: string, flags: CollectorFlags): Promise<void> {
  if (!idPattern.test(id)) {
    throw new MeshwardError('bad-input', 'this is no id of a silence', {
      next: '`meshward alerts silences` lists them.',
    });
  }
  await withCollector(context, flags, (collector) => collector.endSilence(id));
  context.output.result({ id }, () => `the silence ${id} has ended`);
}

async function listSilences(context: Context, flags: ApiFlags): Promise<void> {
  const silences = await (await findApi(context, flags)).silences();
  context.output.result({ silences }, () => describeSilences(silences));
}
