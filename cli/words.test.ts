/** What the command line says when something is wrong, and with which exit code: the same everywhere, and true. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MeshwardError } from '#mesh/errors.ts';
import { everyCommand } from './command-tree.ts';
import { tokenOf } from './commands/service.ts';
import { runCheck } from './doctor/check.ts';
import { unknownFile } from './file-reading.ts';
import { usualCommandOf } from './nouns.ts';
import { createProgram } from './program.ts';
import { inOptions } from './schema-words.ts';
import { inWords } from './system-errors.ts';
import { runMeshward } from './testing/run-meshward.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'meshward-words-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const nowhere = (): string[] => ['--data-dir', join(folder, 'nowhere')];
const cap =
  'URI:CHK-Verifier:lrjvinfstmdyvk4adlyj5vqv7m:mlnhnybfrydbjodsugg5kyyt7xlsd5d5akoozoyjhql2g2ivfofq:3:10:1000';

interface Told {
  readonly error: { readonly code: string; readonly message: string; readonly next: string };
}

describe('a mistake on the command line', () => {
  test('is told to programs as every other error is, and nothing else is printed', async () => {
    for (const words of [['peer', 'drain'], ['no-such-command'], ['put', 'x', '--no-such-option'], ['peer'], []]) {
      const { exitCode, stdout, stderr } = await runMeshward(['--json', ...words]);
      expect(exitCode, words.join(' ')).toBe(2);
      expect(stdout).toBe('');
      const { error } = JSON.parse(stderr) as Told;
      expect(error.code).toBe('bad-input');
      expect(error.message).not.toMatch(/^error:/);
      expect(error.next).toContain(`meshward ${['peer', 'put'].includes(words[0] ?? '') ? words[0] : ''}`.trim());
    }
  });

  test('names the help of the command that was meant', async () => {
    const { stderr } = await runMeshward(['peer', 'drain', '--no-such-option', 'x']);
    expect(stderr).toContain('(see meshward peer drain --help)');
  });

  test('with a pin that is none names the option', async () => {
    const args = ['peer', 'drain', 'x', '--collector', 'https://127.0.0.1:1', '--pin', 'abc'];
    const { exitCode, stderr } = await runMeshward([...nowhere(), ...args]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('--pin is not the pin of a collector');
  });

  test('with several caps in the file for one is refused', async () => {
    const file = join(folder, 'several.caps');
    writeFileSync(file, `${cap}  one\n${cap}  two\n`);
    for (const words of [
      ['file', 'show', '--cap-file', file],
      ['share', 'regenerate', '--cap-file', file, '--from', folder, '--out', folder],
      ['share', 'verify', '--cap-file', file, folder],
    ]) {
      const { exitCode, stderr } = await runMeshward([...nowhere(), ...words]);
      expect(exitCode).toBe(2);
      expect(stderr).toContain('2 caps where one is wanted');
    }
  });

  test('with a file for caps that cannot be written is found before anything is stored', async () => {
    const file = join(folder, 'to-store');
    writeFileSync(file, 'x'.repeat(100));
    const { exitCode, stderr } = await runMeshward([...nowhere(), 'put', file, '--caps', join(folder, 'none', 'caps')]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('the caps cannot be kept');
  });
});

describe('a token that is empty', () => {
  test('is said to be empty, and by what it was given', async () => {
    const { exitCode, stderr } = await runMeshward([...nowhere(), 'agent', '--shares', folder], {
      environment: { MESHWARD_TOKEN: ' ' },
    });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('the token is empty (MESHWARD_TOKEN)');
    expect(() => tokenOf({ token: '' }, undefined)).toThrow('the token is empty (--token)');
  });

  test('is another thing than none, and blanks around one do not count', () => {
    expect(tokenOf({}, undefined)).toBeNull();
    expect(tokenOf({}, ' abc\n')).toBe('abc');
  });
});

test('output that nobody reads any more ends a command without a word', async () => {
  const { exitCode, stderr } = await runMeshward(['config', '--keys'], { closesOutput: true });
  expect(exitCode).toBe(141);
  expect(stderr).toBe('');
});

test('the data directory is named as it was given, not by a file in it', async () => {
  const { stderr } = await runMeshward([...nowhere(), 'peers']);
  expect(stderr).toContain(`the data directory ${join(folder, 'nowhere')}\n`);
});

describe('what the system says no with', () => {
  test('is told in words, with the place and exit code 2, and is no stack trace', async () => {
    const file = join(folder, 'a-file');
    writeFileSync(file, '');
    const { exitCode, stderr } = await runMeshward(['--data-dir', join(file, 'below'), 'up']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`${join(file, 'below')}: not a directory (ENOTDIR)`);
    expect(stderr).not.toMatch(/^ {4}at /m);
  });

  test('is told of a disk that is full, though nobody says which file', () => {
    const full = Object.assign(new Error('no space'), { errno: -28, code: 'ENOSPC', syscall: 'write' });
    expect(inWords(full)).toMatchObject({ message: 'no space left on device (ENOSPC)', retryable: true });
  });

  test('is left as it is where it names no place, or is another kind of error', () => {
    const denied = Object.assign(new Error('denied'), { errno: -13, code: 'EACCES', syscall: 'open' });
    expect(inWords(denied)).toBe(denied);
    expect(inWords(Object.assign(denied, { path: '/x' }))).toMatchObject({ code: 'config-invalid' });
    const defect = new TypeError('x is undefined');
    expect(inWords(defect)).toBe(defect);
  });
});

test.each([
  ['body/token must NOT have fewer than 1 characters', 'the token is empty'],
  ['body/heartbeatMs must be >= 100', '--heartbeat must be at least 100 ms'],
  ['body/serveBytesPerSecond must be <= 9', '--serve-rate must be at most 9 bytes a second'],
  ['body/domains/zone must NOT have more than 200 characters', '--domain has more than 200 characters'],
  ['body/reason must NOT have more than 200 characters', '--reason has more than 200 characters'],
  ['body/other must be string', 'body/other must be string'],
  ['another message', 'another message'],
])('"%s" of a schema is told of an option: %s', (said, told) => {
  expect(inOptions(new MeshwardError('bad-input', said, { next: '' }))).toMatchObject({ message: told });
});

test('a file that no peer has a share of is unknown, unless the analyzer knows it or peers did not answer', async () => {
  const of = (known: boolean | null, unreachable: number) =>
    unknownFile({ isKnown: () => Promise.resolve(known) }, unreachable);
  expect(await of(true, 0)).toBeNull();
  expect(await of(null, 2)).toBeNull();
  for (const [known, unreachable] of [
    [false, 0],
    [false, 3],
    [null, 0],
  ] as const)
    expect(await of(known, unreachable)).toMatchObject({ code: 'file-unknown', retryable: unreachable > 0 });
});

test('the doctor’s advice is never to run the doctor', async () => {
  const error = new MeshwardError('service-unavailable', 'away', { next: 'See that it runs: `meshward doctor`.' });
  const { next } = await runCheck({ name: 'x', kind: 'service', run: () => Promise.reject(error) });
  expect(next).toContain('meshward up');
  expect(next).not.toContain('doctor');
});

describe('help', () => {
  const commands = everyCommand(createProgram());
  const program = commands[0]?.command as Command;
  const isCommandLine = (line: string): boolean => {
    const globals = new Set(['--help', ...program.options.map(({ long }) => long)]);
    let at = program;
    for (const word of line.split(/[\s|]+/).filter((each) => /^(--)?[a-z][a-z-]*$/.test(each))) {
      if (word.startsWith('--')) {
        if (
          !globals.has(word) &&
          ![at, usualCommandOf(at)].some((command) => command?.options.some(({ long }) => long === word))
        )
          return false;
        continue;
      }
      if (at.commands.length === 0) break;
      const next = at.commands.find((sub) => sub.name() === word || sub.aliases().includes(word));
      if (next === undefined) return at !== program && line.includes('|');
      at = next;
    }
    return true;
  };
  const helpOf = (command: Command): string => {
    let text = '';
    command.configureOutput({ writeOut: (part) => (text += part) }).outputHelp();
    return text;
  };

  test('names the exit codes of the services that a command asks', () => {
    for (const { path, command } of commands) {
      if (command.commands.length > 0) continue;
      const codes = new Set([...helpOf(command).matchAll(/^ +(\d+) {2}\S/gm)].map((match) => Number(match[1])));
      const flags = new Set(command.options.map(({ long }) => long));
      const wanted = [0, 1, 2];
      if (flags.has('--api')) wanted.push(4);
      if (flags.has('--pin')) wanted.push(4, 6);
      for (const code of wanted) expect(codes, `${path} says nothing of ${code}`).toContain(code);
    }
  });

  // Advice that names no command is worse than none.
  test('every command and option that a message or a document names is there', () => {
    const root = fileURLToPath(new URL('..', import.meta.url));
    const rooms = [
      'analyzer',
      'cli',
      'collector',
      'dashboards',
      'demo',
      'docs',
      'log',
      'mesh',
      'peers',
      'repairer',
      'store',
      'tahoe',
    ];
    const files = rooms.flatMap((room) =>
      readdirSync(join(root, room), { recursive: true, encoding: 'utf8' }).map((name) => join(room, name)),
    );
    const texts = [...files, 'README.md'].filter((name) => /\.(ts|js|md)$/.test(name) && !name.endsWith('.test.ts'));
    const said = texts.flatMap((name) =>
      [...readFileSync(join(root, name), 'utf8').matchAll(/\\?`meshward ([^`$\\]+)\\?`/g)].map(
        ([, line]) => [name, line as string] as const,
      ),
    );
    const wrong = said.filter(([, line]) => !isCommandLine(line)).map(([name, line]) => `${name}: meshward ${line}`);
    expect(wrong).toEqual([]);
    expect(said.length).toBeGreaterThan(50);
  });
});
