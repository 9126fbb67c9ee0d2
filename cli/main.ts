/** The process of every `meshward` command: runs it, prints what went wrong, and ends with a documented exit code. */
import { CommanderError } from 'commander';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import { printError } from './output.ts';
import { createProgram } from './program.ts';

const program = createProgram().exitOverride();
for (const command of program.commands) {
  command.exitOverride();
  for (const sub of command.commands) sub.exitOverride();
}

try {
  await program.parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  } else {
    printError(error, process.argv.includes('--json'));
    process.exitCode = exitCodeOf(error);
  }
  // What is still open (a log, a pool of connections) must not keep a failed command alive.
  setImmediate(() => process.exit());
}
