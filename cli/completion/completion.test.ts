/** Completion in the shells themselves: what each offers after the same words. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shellProgram } from '#test/setup/shells.ts';
import { everyCommand } from '../command-tree.ts';
import { createProgram } from '../program.ts';
import { runMeshward } from '../testing/run-meshward.ts';
import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import { completionTable } from './table.ts';
import { zshScript } from './zsh.ts';

const table = completionTable(createProgram());
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'meshward-completion-'));
  writeFileSync(join(folder, 'bash'), bashScript(table));
  writeFileSync(join(folder, 'zsh'), zshScript(table));
  writeFileSync(join(folder, 'fish'), fishScript(table));
  writeFileSync(join(folder, 'report.pdf'), '');
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(name: string, args: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync(name, args, { cwd: folder, encoding: 'utf8', timeout: 60_000 });
  expect(status, stderr).toBe(0);
  return stdout;
}

const askBash = `source "$1"; COMP_LINE="$2"; COMP_POINT=\${#2}; COMPREPLY=(); _meshward; printf '%s\\n' "\${COMPREPLY[@]}"`;
const zshFile = fileURLToPath(new URL('testing/offers.zsh', import.meta.url));

const offersOf = {
  bash: (line: string): string[] =>
    run('bash', ['--norc', '-c', askBash, 'bash', join(folder, 'bash'), line]).split('\n'),
  zsh: (line: string): string[] =>
    stripVTControlCharacters(run(shellProgram('zsh'), ['-f', zshFile, join(folder, 'zsh'), line]))
      .split('\n')
      .map((offer) => offer.replace('<offer>', '')),
  fish: (line: string): string[] =>
    run(shellProgram('fish'), [
      '--no-config',
      '-c',
      `source $argv[1]; complete -C $argv[2]`,
      join(folder, 'fish'),
      line,
    ])
      .split('\n')
      .map((offer) => (offer.split('\t')[0] as string).replace(/^--[a-z]+=/, '')),
};

const asked: [string, string[]][] = [
  ['meshward pee', ['peer', 'peers']],
  ['meshward campaigns st', ['start']],
  ['meshward alert sil', ['silence', 'silences']],
  ['meshward alerts --hi', ['--history']],
  ['meshward peers --state d', ['departed', 'down', 'draining']],
  ['meshward peers --state=dow', ['down']],
  ['meshward --color always --set a=b peer drai', ['drain']],
  ['meshward --color a', ['always', 'auto']],
  ['meshward completion ', ['bash', 'fish', 'zsh']],
  ['meshward put rep', ['report.pdf']],
  ['meshward config --jso', ['--json']],
];

describe.each(Object.entries(offersOf))('%s', (_shell, offers) => {
  test.each(asked)('after "%s" offers %j', (line, wanted) => {
    expect([...new Set(offers(line).filter((offer) => offer !== ''))].sort()).toEqual(wanted);
  });
});

test('every command and every option of it is in the table', () => {
  for (const { path, command } of everyCommand(createProgram())) {
    const own = path.split(' ').slice(1).join(' ');
    const row = table.rows.find(({ paths }) => paths.includes(own));
    const known = [...(row?.options ?? []), ...table.globals].map(({ long }) => long);
    for (const option of command.options) expect(known, path).toContain(option.long);
  }
});

test('the command prints the script of a shell, and says which there are', async () => {
  expect((await runMeshward(['completion', 'fish'])).stdout).toBe(fishScript(table));
  const { exitCode, stderr } = await runMeshward(['completion', 'fihs']);
  expect(exitCode).toBe(2);
  expect(stderr).toContain('Did you mean fish?');
});
