/** Commands about files: store them, get them back, ask how they are, prove that they can be recovered. */
import type { Command } from 'commander';
import { redactCaps } from '#mesh/redact.ts';
import { addAtRiskCommand } from './file-at-risk.ts';
import { addFileDeleteCommand } from './file-delete.ts';
import { addGetCommand } from './file-get.ts';
import { addFileProofsCommand } from './file-proofs.ts';
import { addProveCommand } from './file-prove.ts';
import { addPutCommand } from './file-put.ts';
import { addFileRepairCommand } from './file-repair.ts';
import { addFileShowCommand } from './file-show.ts';

export function addFileCommands(program: Command): void {
  keepCapsOffErrors(addPutCommand(program));
  keepCapsOffErrors(addGetCommand(program));
  const file = keepCapsOffErrors(
    program.command('file').description('how files are: recoverable now, at risk, proven'),
  );
  addFileShowCommand(file);
  addAtRiskCommand(file);
  addProveCommand(file);
  addFileProofsCommand(file);
  addFileRepairCommand(file);
  addFileDeleteCommand(file);
}

/** Commander quotes what it does not know: a cap in the wrong place must not be quoted. Inherited by commands below. */
function keepCapsOffErrors(command: Command): Command {
  return command.configureOutput({ outputError: (text, write) => write(redactCaps(text)) });
}
