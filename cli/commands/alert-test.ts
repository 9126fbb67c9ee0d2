/** `meshward alerts test`: does an alert reach people? Sent from this machine, by the configuration that the analyzer would use. */
import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';

interface TestFlags {
  readonly sink?: string;
  readonly resolve: boolean;
}

interface Outcome {
  readonly sink: string;
  readonly kind: string;
  readonly ok: boolean;
  readonly error: string;
  readonly next: string;
}

/** How long Alertmanager holds a test, unless it is told that it is over. */
const validMs = 5 * 60_000;

export function addAlertTestCommand(alerts: Command): void {
  const command = alerts
    .command('test')
    .option('--sink <name>', 'only this one of alerts.sinks')
    .option('--resolve', 'say at once that it is over, too', false)
    .description('send a test alert to the sinks of the configuration, and say which have taken it');
  describeUse(command, {
    examples: ['meshward alerts test', 'meshward alerts test --sink pager --resolve'],
    notes: [
      'It pages. Run it where an analyzer runs, with its configuration: what matters is whether that machine reaches the sinks.',
    ],
    exits: { 4: 'a sink has not taken it' },
  });
  command.action((flags: TestFlags, command: Command) => test(runningContextOf(command), flags));
}

async function test(context: Context, { sink: wanted, resolve }: TestFlags): Promise<void> {
  const { createSinks } = await import('#analyzer/alerts/delivery/sinks.ts');
  const { alertAddresses } = await import('../alerting.ts');
  const { testNotice, watchdogNotice } = await import('#analyzer/alerts/delivery/notice.ts');
  const { config, output } = context;
  const every = createSinks(config.alerts);
  const sinks = every.filter(({ name }) => wanted === undefined || name === wanted);
  if (sinks.length === 0) {
    throw new MeshwardError(
      'bad-input',
      every.length === 0 ? 'alerts.sinks names no sink' : `there is no sink ${wanted}`,
      {
        next:
          every.length === 0
            ? 'Set alerts.sinks; docs/alerts.md has an example of each kind.'
            : `Choose one of ${every.map(({ name }) => name).join(', ')}.`,
      },
    );
  }
  const nowMs = Date.now();
  const outlook = {
    smallestMargin: null,
    timeToKMs: null,
    filesToRepair: 0,
    repairEtaMs: null,
    runningRepairs: null,
    brake: null,
  };
  const mesh = config.alerts.meshName;
  const noticeContext = { mesh, addresses: alertAddresses(config), outlook, nowMs, validMs };
  const outcomes = await Promise.all(
    sinks.map(async (sink): Promise<Outcome> => {
      const page = testNotice(noticeContext, 'page', randomUUID());
      const notice = sink.kind === 'heartbeat' ? watchdogNotice(noticeContext, nowMs) : page;
      const limit = AbortSignal.timeout(config.alerts.sendTimeoutMs);
      try {
        await sink.send(notice, limit);
        if (resolve && sink.kind !== 'heartbeat') {
          await sink.send({ ...notice, state: 'resolved', endedAtMs: Date.now(), why: 'the test is over' }, limit);
        }
        return { sink: sink.name, kind: sink.kind, ok: true, error: '', next: '' };
      } catch (error) {
        const next = error instanceof MeshwardError ? error.next : '';
        return { sink: sink.name, kind: sink.kind, ok: false, error: describeError(error), next };
      } finally {
        await sink.close();
      }
    }),
  );
  await Promise.all(every.filter((sink) => !sinks.includes(sink)).map((sink) => sink.close()));
  output.result({ outcomes }, () => outcomes.map(describeOutcome).join('\n'));
  const failed = outcomes.filter(({ ok }) => !ok);
  if (failed.length === 0) return;
  throw new MeshwardError(
    'alert-undelivered',
    `${failed.map(({ sink }) => sink).join(', ')} has not taken the test alert`,
    {
      next: failed[0]?.next ?? '',
      retryable: true,
    },
  );
}

function describeOutcome({ sink, kind, ok, error }: Outcome): string {
  return `${ok ? 'taken' : 'NOT TAKEN'}  ${sink} (${kind})${ok ? '' : `: ${error}`}`;
}
