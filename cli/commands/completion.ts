/** `meshward completion` and `meshward man`: the command line for shells and for `man`, made from the commands themselves. */
import { Argument, type Command } from 'commander';
import { chosen } from '../choices.ts';
import { describeUse } from '../command-help.ts';

const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

export function addCompletionCommands(program: Command): void {
  const completion = program
    .command('completion')
    .addArgument(
      new Argument('<shell>', 'whose script is printed')
        .choices(shells)
        .argParser((text) => chosen(text, shells, 'the shell')),
    )
    .description('print a script that completes commands, options and their values in your shell');
  describeUse(completion, {
    examples: [
      'meshward completion bash > ~/.local/share/bash-completion/completions/meshward',
      'meshward completion zsh > "${fpath[1]}/_meshward"',
      'meshward completion fish > ~/.config/fish/completions/meshward.fish',
    ],
    notes: ['For the shell that runs: source <(meshward completion bash), and the same for zsh.'],
  }).action(async (shell: Shell) => {
    process.stdout.write(await scriptOf(program, shell));
  });

  const man = program.command('man').description('print the manual page of meshward, as `man` reads it');
  describeUse(man, {
    examples: ['meshward man | man -l -', 'meshward man > /usr/local/share/man/man1/meshward.1'],
  }).action(async () => {
    const { manualPage } = await import('../manual-page.ts');
    process.stdout.write(manualPage(program));
  });
}

async function scriptOf(program: Command, shell: Shell): Promise<string> {
  const { completionTable } = await import('../completion/table.ts');
  const table = completionTable(program);
  switch (shell) {
    case 'bash':
      return (await import('../completion/bash.ts')).bashScript(table);
    case 'zsh':
      return (await import('../completion/zsh.ts')).zshScript(table);
    case 'fish':
      return (await import('../completion/fish.ts')).fishScript(table);
  }
}
