/**
 * Commands that show something: one way for all of them to `--csv` and `--watch`. A command says what it looks at and gets a
 * view of it; how that is printed, and how often, is decided here.
 */
import type { Command } from 'commander';
import { systemClock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { type Context, runningContextOf } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { interruptible } from './interrupt.ts';
import type { View } from './terminal/view.ts';
import { watch } from './terminal/watching.ts';

export interface ViewOptions {
  /** It is a list: `--csv` prints it whole. @default false */
  readonly list?: boolean;
  /** It is a state, which changes while one looks: `--watch` looks again. @default false */
  readonly state?: boolean;
}

interface ViewFlags {
  readonly csv?: boolean;
  readonly watch?: true | string;
}

const usualSeconds = 2;
const mostSeconds = 86_400;

/** What the command does, each time; `words` are its arguments. Its flags are those that it declares, whatever they are. */
type Look = (context: Context, flags: never, words: readonly string[]) => Promise<View>;

export function showsView(command: Command, { list = false, state = false }: ViewOptions, look: Look): Command {
  if (list) command.option('--csv', 'print comma-separated values, whole and with units in the header', false);
  if (state) command.option('--watch [seconds]', `look again and again, every ${usualSeconds} seconds; ctrl-c ends it`);
  return command.action(async (..._given: unknown[]) => {
    const flags = command.optsWithGlobals<ViewFlags>();
    const context = runningContextOf(command);
    const { output } = context;
    const once = (): Promise<View> => look(context, flags as never, command.args);
    if (output.json && flags.csv === true) {
      throw new MeshwardError('bad-input', '--json and --csv cannot both be printed', { next: 'Give one of them.' });
    }
    if (flags.watch === undefined) {
      output.view(await once());
      return;
    }
    await watchUntilStopped(context, once, flags, command);
  });
}

async function watchUntilStopped(
  { output }: Context,
  look: () => Promise<View>,
  flags: ViewFlags,
  command: Command,
): Promise<void> {
  const seconds = flags.watch === true ? usualSeconds : Number(flags.watch);
  if (!(seconds >= 0.2 && seconds <= mostSeconds)) {
    throw new MeshwardError('bad-input', '--watch is no number of seconds', {
      next: `Give one from 0.2 to ${mostSeconds}, or none: then it is ${usualSeconds}.`,
    });
  }
  await interruptible((signal) =>
    watch({
      look,
      everyMs: seconds * 1000,
      title: titleOf(command),
      output,
      csv: flags.csv === true,
      out: process.stdout,
      clock: systemClock,
      signal,
    }),
  );
  // Nothing went wrong, and yet whoever waits for the command must see that it was stopped.
  process.exitCode = exitCodes.interrupted;
  // A question that is still under way must not hold it up.
  setImmediate(() => process.exit());
}

function titleOf(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) names.unshift(at.name());
  return [...names, ...command.args].join(' ');
}
