import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { configKeys } from '#mesh/config/schema.ts';
import { errorCodes, MeshwardError } from '#mesh/errors.ts';
import { everyCommand } from './command-tree.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import { generatedDocuments, renderCommandLine } from './generate-docs.ts';
import { createProgram } from './program.ts';

const document = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../docs/${name}`, import.meta.url)), 'utf8');

describe('generated documents', () => {
  test.each(generatedDocuments.map((generated) => [generated.path.split('/').at(-1) as string, generated] as const))(
    '%s is fresh (node cli/generate-docs.ts)',
    async (_name, generated) => {
      const existing = readFileSync(generated.path, 'utf8');
      expect(await generated.render(existing)).toBe(existing);
    },
  );

  test('keep what people wrote above the mark', () => {
    const rendered = renderCommandLine('# Mine\n\nwords\n', createProgram());
    expect(rendered.startsWith('# Mine\n\nwords\n')).toBe(true);
    expect(renderCommandLine(rendered, createProgram())).toBe(rendered);
  });
});

describe('docs/cli.md', () => {
  const text = document('cli.md');
  const commands = everyCommand(createProgram());

  test.each(commands.map(({ path }) => path))('has %s', (path) => {
    expect(text).toContain(`### ${path}\n`);
  });

  test('has every option of every command', () => {
    for (const { command } of commands) for (const option of command.options) expect(text).toContain(option.flags);
  });

  test('has an example of every command', () => {
    const lines = text.split('\n').filter((line) => !line.startsWith('#') && !line.startsWith('Usage:'));
    for (const { path, command } of commands) {
      if (command.commands.length > 0) continue;
      const [, ...words] = path.split(' ');
      const example = new RegExp(`meshward:? (--\\S+ \\S+ )*${words.join(' ')}( |$)`);
      expect(
        lines.some((line) => example.test(line)),
        path,
      ).toBe(true);
    }
  });

  test('has every exit code', () => {
    for (const code of Object.values(exitCodes)) expect(text).toMatch(new RegExp(`^\\| ${code} \\| `, 'm'));
  });
});

describe('docs/errors.md', () => {
  const rows = document('errors.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')));

  test('has every code once, with its meaning and what to do, and no other', () => {
    expect(rows.map((row) => row[1])).toEqual([...errorCodes]);
    for (const row of rows) for (const cell of row.slice(1, 6)) expect(cell).not.toBe('');
  });

  test('has the exit codes that commands end with', () => {
    for (const [, code, exit, retryable] of rows) {
      const error = new MeshwardError(code as (typeof errorCodes)[number], '', {
        next: '',
        retryable: retryable === 'yes',
      });
      expect(exitCodeOf(error), code).toBe(Number(exit));
      expect(['yes', 'no', 'either']).toContain(retryable);
    }
  });
});

test('docs/configuration.md has every key with its default and environment name', () => {
  const text = document('configuration.md');
  for (const key of configKeys()) {
    expect(text).toContain(`| \`${key.path}\` |`);
    expect(text).toContain(`\`${key.environmentName}\``);
  }
});
