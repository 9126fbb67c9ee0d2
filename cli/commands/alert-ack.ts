/** `meshward alerts ack`: somebody has taken an alert on. */
import type { Command } from 'commander';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import {
  type ApiFlags,
  addApiOption,
  addCollectorOptions,
  type CollectorFlags,
  findApi,
  withCollector,
} from '../mesh-address.ts';
import { parseDuration } from '../quantities.ts';

interface AckFlags extends CollectorFlags, ApiFlags {
  readonly for?: string;
  readonly why: string;
}

export function addAckCommand(alerts: Command): void {
  const command = alerts
    .command('ack')
    .argument('<id>', 'id of an open alert, or the beginning of it')
    .option('--for <duration>', 'how long; an alert that is open afterwards is told anew (alerts.acknowledgeMs)')
    .option('--why <text>', 'what you are doing about it', '')
    .description('say that you have taken an alert on: sinks that can are told so');
  describeUse(addApiOption(addCollectorOptions(command)), {
    examples: ['meshward alerts ack 3f2a91c0', 'meshward alerts ack 3f2a91c0 --for 4h --why "replacing the switch"'],
    exits: {
      3: 'no such alert is open',
      4: 'the analyzer or the collector is away',
      6: 'the key in this data directory is not an operator of the mesh',
    },
  });
  command.action((id: string, flags: AckFlags, command: Command) => acknowledge(runningContextOf(command), id, flags));
}

async function acknowledge(context: Context, reference: string, flags: AckFlags): Promise<void> {
  const spanMs = flags.for === undefined ? context.config.alerts.acknowledgeMs : parseDuration(flags.for, '--for');
  const { id, key, alert } = await (await findApi(context, flags)).alert(reference);
  const untilMs = Date.now() + spanMs;
  await withCollector(context, flags, (collector) =>
    collector.acknowledgeAlert({ alertKey: key, alertId: id, untilMs, why: flags.why }),
  );
  context.output.result(
    { id, key, untilMs },
    () => `${alert} (${id}) is acknowledged until ${new Date(untilMs).toISOString()}`,
  );
}
