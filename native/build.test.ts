import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const nativeFolder = fileURLToPath(new URL('.', import.meta.url));
let root = '';
beforeEach(() => void (root = mkdtempSync(join(tmpdir(), 'meshward-build-'))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** The build and the checks on two small sources of their own, in a folder below `root`. */
function project(name: string): { native: string; header: string } {
  const native = join(root, name, 'native');
  write(join(native, 'part/part.h'), 'inline int part() { return 1; }\n');
  write(join(native, 'part/part.cc'), '#include "part/part.h"\nint sum() { return part() + 1; }\n');
  write(join(native, 'addon.cc'), 'int answer() { return 42; }\n');
  for (const file of ['build.js', 'build-lock.js', 'check.js']) {
    cpSync(join(nativeFolder, file), join(native, file));
  }
  for (const path of [
    'cli/prepare.js',
    'mesh/platform.js',
    'store/embedded/build-launcher.js',
    'store/embedded/launcher.c',
  ]) {
    cpSync(join(nativeFolder, '..', path), join(root, name, path));
  }
  write(join(root, name, 'package.json'), '{ "type": "module" }\n');
  symlinkSync(join(nativeFolder, '../node_modules'), join(root, name, 'node_modules'));
  return { native, header: join(native, 'part/part.h') };
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function start(script: string, env: Record<string, string> = {}): { status: number | null; out: string; err: string } {
  const answer = spawnSync(process.execPath, [script], { encoding: 'utf8', env: { ...process.env, ...env } });
  return { status: answer.status, out: answer.stdout, err: answer.stderr };
}

describe('what is compiled', () => {
  test.each(['plain', 'a space, a $, a #, a : and two  spaces'])(
    'is what includes a changed header, in a folder named "%s"',
    (name) => {
      const { native, header } = project(name);
      expect(start(join(native, 'build.js')).out).toContain('2 files compiled');
      expect(start(join(native, 'build.js'))).toEqual({ status: 0, out: '', err: '' });
      writeFileSync(header, 'inline int part() { return 2; }\n');
      expect(start(join(native, 'build.js')).out).toContain('1 files compiled');
    },
  );

  test.each(['arch', 'platform'])('is everything where the folder comes from a machine of another %s', (what) => {
    const { native } = project('moved');
    const other = `data:text/javascript,Object.defineProperty(process,'${what}',{value:'other'})`;
    expect(start(join(native, 'build.js'), { NODE_OPTIONS: `--import ${other}` }).out).toContain('2 files compiled');
    expect(start(join(native, 'build.js')).out).toContain('2 files compiled');
  });

  test('leaves nothing behind of a build that crashed', () => {
    const { native } = project('crashed');
    write(join(native, 'build/objects/addon.o.123456'), 'half');
    write(join(native, 'build/meshward.node.123456'), 'half');
    expect(start(join(native, 'build.js')).status).toBe(0);
    expect(readdirSync(join(native, 'build')).sort()).toEqual(['linked', 'meshward.node', 'objects']);
    expect(existsSync(join(native, 'build/objects/addon.o.123456'))).toBe(false);
  });

  test('is compiled through a link to the folder as well', () => {
    project('real');
    symlinkSync(join(root, 'real'), join(root, 'link'));
    expect(start(join(root, 'link/native/build.js')).out).toContain('2 files compiled');
  });
});

describe('CXX', () => {
  test.each(['env g++', '  env   g++ "-Dan=\'argument\'" '])('may be a command with arguments: %s', (CXX) => {
    const { native } = project('command');
    expect(start(join(native, 'build.js'), { CXX })).toMatchObject({ status: 0, err: '' });
  });

  test('gives its arguments to the compiler, and other arguments compile anew', () => {
    const { native } = project('arguments');
    write(join(native, 'addon.cc'), 'int answer() { return ANSWER; }\n');
    expect(start(join(native, 'build.js'), { CXX: 'g++ -DANSWER=1' }).out).toContain('2 files compiled');
    expect(start(join(native, 'build.js'), { CXX: 'g++ -DANSWER=2' }).out).toContain('2 files compiled');
  });

  test('may be a program in a folder with a space in its name', () => {
    const { native } = project('spaced');
    const compiler = join(root, 'my compiler', 'g++');
    write(compiler, '');
    rmSync(compiler);
    symlinkSync(spawnSync('sh', ['-c', 'command -v g++'], { encoding: 'utf8' }).stdout.trim(), compiler);
    expect(start(join(native, 'build.js'), { CXX: compiler })).toMatchObject({ status: 0, err: '' });
    expect(start(join(native, 'build.js'), { CXX: `"${compiler}" -DX` })).toMatchObject({ status: 0, err: '' });
  });

  test('that names no compiler is told with its arguments', () => {
    const answer = start(join(project('none').native, 'build.js'), { CXX: 'env no-such-compiler' });
    expect(answer.status).toBe(1);
    expect(answer.err).toContain('no C++ compiler found (tried env no-such-compiler)');
  });
});

describe('npm install', () => {
  test('goes on without a compiler, and says what failed and what to do', () => {
    const { native } = project('bare');
    const answer = start(join(native, '../cli/prepare.js'), { PATH: join(root, 'empty'), CXX: '' });
    expect(answer.status).toBe(0);
    expect(answer.out).toBe('');
    expect(answer.err).toContain('the native addon is not compiled: no C++ compiler found (tried g++, c++, clang++)');
    expect(answer.err).toContain('What to do: Install g++ 12 or later');
    expect(answer.err).toContain('the launcher of the embedded ClickHouse is not compiled: no C compiler');
    expect(answer.err).toContain('What to do: Install gcc');
    expect(existsSync(join(native, 'build/lock'))).toBe(false);
  });

  test('goes on where a source does not compile', () => {
    const { native } = project('broken');
    write(join(native, 'addon.cc'), 'this is not C++\n');
    const answer = start(join(native, '../cli/prepare.js'));
    expect(answer.status).toBe(0);
    expect(answer.err).toContain('could not compile native/addon.cc');
    expect(answer.err).toContain('What to do: The sources need C++20');
  });

  test('compiles the addon and the launcher, and says nothing', () => {
    const { native } = project('whole');
    expect(start(join(native, '../cli/prepare.js'))).toEqual({ status: 0, out: '', err: '' });
    const built = readdirSync(join(native, 'build'));
    expect(built).toContain('meshward.node');
    expect(built.filter((name) => /^clickhouse-launcher-\w+$/.test(name))).toHaveLength(1);
  });
});

describe('the native checks', () => {
  const program = '#include <cstdio>\nint main() { std::puts("toy: every check holds"); }\n';

  test('run the programs of a checkout that stands below a folder named build', () => {
    const { native } = project('build/node_modules/x');
    write(join(native, 'part/toy_test.cc'), program);
    expect(start(join(native, 'check.js'))).toEqual({ status: 0, out: 'plain: toy: every check holds\n', err: '' });
  });

  test('run no program from the build folder, and fail where there is none at all', () => {
    const { native } = project('empty');
    write(join(native, 'build/toy_test.cc'), program);
    const answer = start(join(native, 'check.js'));
    expect(answer.status).toBe(1);
    expect(answer.err).toContain('plain: no program (*_test.cc, *_fuzz.cc) below');
    expect(readFileSync(join(native, 'build/toy_test.cc'), 'utf8')).toBe(program);
  });
});
