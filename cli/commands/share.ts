/** Commands about share files on a disk: no mesh, no services, no configuration. */
import type { Command } from 'commander';
import { redactCaps } from '#mesh/redact.ts';
import { addShareDumpCommand } from './share-dump.ts';
import { addShareRegenerateCommand } from './share-regenerate.ts';
import { addShareVerifyCommand } from './share-verify.ts';

export function addShareCommands(program: Command): void {
  const share = program
    .command('share')
    .description('share files on this disk, offline: look into them, verify them, regenerate missing ones')
    .configureOutput({ outputError: (text, write) => write(redactCaps(text)) });
  addShareDumpCommand(share);
  addShareVerifyCommand(share);
  addShareRegenerateCommand(share);
}
