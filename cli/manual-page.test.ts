import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { shellProgram } from '#test/setup/shells.ts';
import { everyCommand } from './command-tree.ts';
import { exitCodes, exitMeanings } from './exit-codes.ts';
import { manualPage } from './manual-page.ts';
import { createProgram } from './program.ts';

/** Bold on a line printer: each letter, a backspace, and the letter again. */
const overstruck = new RegExp(`.${String.fromCharCode(8)}`, 'g');
const page = manualPage(createProgram());

test('the manual page is what mandoc has nothing to say about', () => {
  const { stdout, stderr, status } = spawnSync(shellProgram('mandoc'), ['-Tlint'], { input: page, encoding: 'utf8' });
  expect(`${stdout}${stderr}`).toBe('');
  expect(status).toBe(0);
});

test('it shows every command with every option, and every exit code', () => {
  const { stdout } = spawnSync(shellProgram('mandoc'), ['-Tutf8', '-Owidth=200'], { input: page, encoding: 'utf8' });
  const shown = stdout.replaceAll(overstruck, '');
  for (const { path, command } of everyCommand(createProgram())) {
    if (command.commands.length > 0) continue;
    expect(shown).toContain(path);
    for (const { long } of command.options) expect(shown).toContain(long);
  }
  for (const code of Object.values(exitCodes)) expect(exitMeanings[code]).toBeDefined();
});
