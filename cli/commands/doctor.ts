/** `meshward doctor`: looks at everything one by one and says what to do about what is not in order. */
import type { Command } from 'commander';
import { describeUse } from '../command-help.ts';
import { type Context, foldersOf, type GlobalOptions, runningContextOf } from '../context.ts';
import { type Check, type CheckResult, passed, runCheck } from '../doctor/check.ts';
import { exitCodes } from '../exit-codes.ts';
import { createOutput, type Output } from '../output.ts';
import { findRunFile } from '../run-file.ts';

export function addDoctorCommand(program: Command): void {
  const command = program
    .command('doctor')
    .description('check this installation and its mesh one by one, and say what to do about what is not in order');
  describeUse(command, {
    examples: ['meshward doctor', 'meshward --data-dir /var/lib/meshward doctor'],
    exits: {
      2: 'the configuration or this machine is not in order',
      4: 'a service or the database is away or takes nothing, or health is stale',
      5: 'all that runs is in order, and the mesh is not: files at risk, repairs that fail, peers that are not heard, dead letters',
    },
  });
  command.action((_flags: object, command: Command) => doctor(command));
}

async function doctor(command: Command): Promise<void> {
  const output = createOutput(command.optsWithGlobals<GlobalOptions>());
  const results: CheckResult[] = [];
  const see = async (checks: readonly Check[]): Promise<void> => {
    for (const check of checks) {
      const result = await runCheck(check);
      results.push(result);
      if (!output.json) output.note(describeCheck(result));
    }
  };
  const { machineChecks } = await import('../doctor/machine-checks.ts');
  await see(machineChecks());
  let context: Context | null = null;
  await see([
    {
      name: 'configuration',
      kind: 'machine',
      run() {
        context = runningContextOf(command);
        const { origins } = context.effective;
        const changed = [...origins.values()].filter((origin) => origin !== 'default').length;
        return Promise.resolve(passed(`${changed} of ${origins.size} keys are set`));
      },
    },
  ]);
  if (context !== null) await seeInstallation(context, see);
  report(results, output);
}

async function seeInstallation(context: Context, see: (checks: readonly Check[]) => Promise<void>): Promise<void> {
  const run = await findRunFile(foldersOf(context.dataDir, context.config).runFile).catch(() => null);
  const { storageChecks } = await import('../doctor/storage-checks.ts');
  const { serviceChecks } = await import('../doctor/service-checks.ts');
  const { clockChecks } = await import('../doctor/clock-checks.ts');
  const { meshChecks } = await import('../doctor/mesh-checks.ts');
  if (context.config.log.adapter === 'kafka') {
    const { kafkaChecks } = await import('../doctor/kafka-checks.ts');
    await see(kafkaChecks(context));
  }
  await see(storageChecks(context));
  await see(serviceChecks(context, run));
  await see(clockChecks(context, run));
  await see(meshChecks(context, run));
}

function report(results: readonly CheckResult[], output: Output): void {
  const failed = results.filter((result) => result.state === 'failed');
  output.result({ ok: failed.length === 0, checks: results }, () =>
    failed.length === 0 ? 'Everything is in order.' : `${failed.length} of ${results.length} checks failed.`,
  );
  if (failed.some((result) => result.kind === 'machine')) process.exitCode = exitCodes.usage;
  else if (failed.some((result) => result.kind === 'service')) process.exitCode = exitCodes.unavailable;
  else if (failed.length > 0) process.exitCode = exitCodes.negative;
}

export function describeCheck({ name, state, detail, next }: CheckResult): string {
  const word = { ok: 'ok     ', failed: 'FAILED ', skipped: 'skipped' }[state];
  return `${word}  ${name}: ${detail}${next === '' ? '' : `\n         what to do: ${next}`}`;
}
