/** The process of every `meshward` command: runs it, prints what went wrong, and ends with a documented exit code. */
import { CommanderError } from 'commander';
import { MeshwardError } from '#mesh/errors.ts';
import { redactCaps } from '#mesh/redact.ts';
import { commandOf, everyCommand } from './command-tree.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import { printError } from './output.ts';
import { createProgram } from './program.ts';
import { inWords } from './system-errors.ts';

const words = process.argv.slice(2);
const json = words.includes('--json');
const program = createProgram({ json });
for (const { command } of everyCommand(program)) command.exitOverride();

// Whoever reads the output may have enough of it, as `head` does: that is no error to tell of, and nobody would read it.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(exitCodes.outputClosed);
});
// Notes that nobody reads are no reason to stop the work: its result still goes somewhere.
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
// Where nothing has to be called off, ctrl-c ends the command at once, with the exit code of every other interruption.
process.on('SIGINT', () => {
  if (process.listenerCount('SIGINT') === 1) process.exit(exitCodes.interrupted);
});

try {
  await program.parseAsync(process.argv);
} catch (thrown) {
  if (thrown instanceof CommanderError) {
    process.exitCode = thrown.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    if (json && thrown.exitCode !== 0) printError(usageError(thrown), json);
  } else {
    const error = inWords(thrown);
    printError(error, json);
    process.exitCode = exitCodeOf(error);
  }
  // What is still open (a log, a pool of connections) must not keep a failed command alive.
  setImmediate(() => process.exit());
}

/** Commander has told people already; programs get it in the shape of every other error. */
function usageError({ code, message }: CommanderError): MeshwardError {
  const said = code === 'commander.help' ? 'no command is given' : message.replace(/^error: /, '');
  return new MeshwardError('bad-input', redactCaps(said.trim()), {
    next: `See ${commandOf(program, words).path} --help.`,
  });
}
