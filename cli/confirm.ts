/** Asks before something is changed that others rely on. */
import { createInterface } from 'node:readline/promises';
import { MeshwardError } from '#mesh/errors.ts';

export interface Terminal {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
}

/**
 * True at once with `yes`; otherwise the answer of whoever sits at the terminal.
 * @throws MeshwardError `bad-input` where nobody can be asked.
 */
export async function confirm(
  question: string,
  yes: boolean,
  terminal: Terminal = { input: process.stdin, output: process.stderr },
): Promise<boolean> {
  if (yes) return true;
  if (!terminal.input.isTTY || !terminal.output.isTTY) {
    throw new MeshwardError('bad-input', 'nothing was changed: nobody can be asked here', {
      next: 'Look at what is printed above, and run the command again with --yes.',
    });
  }
  const dialogue = createInterface(terminal);
  try {
    return /^\s*y(es)?\s*$/i.test(await dialogue.question(`${question} [y/N] `));
  } finally {
    dialogue.close();
  }
}
