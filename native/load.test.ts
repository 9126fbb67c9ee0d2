import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isaLevel, isaLevelsSupported } from './load.ts';

const nativeFolder = fileURLToPath(new URL('.', import.meta.url));
const printLevel = `
  const { isaLevel } = await import(process.argv[1]);
  try { process.stdout.write(isaLevel()); }
  catch (error) { process.stdout.write(JSON.stringify({ code: error.code, message: error.message, next: error.next })); }`;

function levelInChild(folder: string, env: Record<string, string>): string {
  const args = ['--input-type=module', '-e', printLevel, join(folder, 'load.ts')];
  return spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, ...env } }).stdout;
}

describe('the instruction level', () => {
  test('is the best one supported, and scalar is always among them', () => {
    expect(isaLevelsSupported()[0]).toBe('scalar');
    expect(isaLevel()).toBe(process.env['MESHWARD_ISA'] ?? isaLevelsSupported().at(-1));
  });

  test.each(isaLevelsSupported())('can be forced to %s by MESHWARD_ISA', (level) => {
    expect(levelInChild(nativeFolder, { MESHWARD_ISA: level })).toBe(level);
  });

  test('that this processor does not have is an error that names those it has', () => {
    const foreign = process.arch === 'x64' ? 'neon' : 'avx2';
    for (const level of [foreign, 'mmx']) {
      const answer = JSON.parse(levelInChild(nativeFolder, { MESHWARD_ISA: level })) as Record<string, string>;
      expect(answer['code']).toBe('config-invalid');
      expect(answer['next']).toContain(isaLevelsSupported().join(', '));
    }
  });
});

describe('an addon that is missing or broken', () => {
  let project = '';
  let native = '';

  beforeAll(() => {
    project = mkdtempSync(join(tmpdir(), 'meshward-native-'));
    native = join(project, 'native');
    mkdirSync(native);
    for (const file of ['load.ts', 'addon.ts', 'build.js', 'build-lock.js', 'addon.cc', 'registration.h', 'isa']) {
      cpSync(join(nativeFolder, file), join(native, file), { recursive: true });
    }
    cpSync(join(nativeFolder, '../package.json'), join(project, 'package.json'));
    symlinkSync(join(nativeFolder, '../mesh'), join(project, 'mesh'));
    symlinkSync(join(nativeFolder, '../node_modules'), join(project, 'node_modules'));
  });
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  test('without a compiler says what failed and what to do', () => {
    const answer = JSON.parse(levelInChild(native, { CXX: '/nonexistent/compiler' })) as Record<string, string>;
    expect(answer['code']).toBe('native-unavailable');
    expect(answer['message']).toContain('no C++ compiler found (tried /nonexistent/compiler)');
    expect(answer['next']).toContain('node native/build.js');
  });

  test('is built on first use by whichever of several processes comes first, and only once', () => {
    const command = `for i in 1 2 3; do "$0" "$1/build.js" & done; wait`;
    const answer = spawnSync('sh', ['-c', command, process.execPath, native], { encoding: 'utf8' });
    expect(answer.stderr).toBe('');
    expect(answer.stdout.match(/files compiled/g)).toHaveLength(1);
    expect(levelInChild(native, {})).toBe(isaLevelsSupported().at(-1));
  });

  test('is compiled again only where a source or a header that it includes has changed', () => {
    const header = join(native, 'isa/isa.h');
    const rebuild = (): string => spawnSync(process.execPath, [join(native, 'build.js')], { encoding: 'utf8' }).stdout;
    expect(rebuild()).toBe('');
    writeFileSync(header, `${readFileSync(header, 'utf8')}\n// changed\n`);
    expect(rebuild()).toContain('2 files compiled');
  });

  test('that was built for another machine is built anew on first use', () => {
    const foreign = (): void => {
      writeFileSync(join(native, 'build/meshward.node'), 'of another machine');
      writeFileSync(join(native, 'build/linked'), 'of another machine');
    };
    foreign();
    const answer = JSON.parse(levelInChild(native, { CXX: '/nonexistent/compiler' })) as Record<string, string>;
    expect(answer['code']).toBe('native-unavailable');
    expect(answer['message']).toContain(`${join(native, 'build/meshward.node')} did not load`);
    expect(answer['message']).toContain('no C++ compiler found');
    expect(answer['next']).toContain('Install g++ 12 or later');
    foreign();
    expect(levelInChild(native, {})).toBe(isaLevelsSupported().at(-1));
  });

  test('that does not compile names the file and leaves the addon that was there', () => {
    writeFileSync(join(native, 'isa/broken.cc'), 'this is not C++\n');
    const answer = spawnSync(process.execPath, [join(native, 'build.js')], { encoding: 'utf8' });
    expect(answer.status).toBe(1);
    expect(answer.stderr).toContain('could not compile native/isa/broken.cc');
    expect(answer.stderr).toContain('What to do: The sources need C++20');
    expect(existsSync(join(native, 'build/meshward.node'))).toBe(true);
    expect(existsSync(join(native, 'build/lock'))).toBe(false);
  });

  test('is taken from prebuilt/ where there is one for the platform, and a foreign file there is named', () => {
    const prebuilt = join(native, 'prebuilt', `${process.platform}-${process.arch}`);
    mkdirSync(prebuilt, { recursive: true });
    writeFileSync(join(prebuilt, 'meshward.node'), 'not an addon');
    const answer = JSON.parse(levelInChild(native, {})) as Record<string, string>;
    expect(answer['code']).toBe('native-unavailable');
    expect(answer['message']).toContain(join(prebuilt, 'meshward.node'));
    cpSync(join(native, 'build/meshward.node'), join(prebuilt, 'meshward.node'));
    expect(levelInChild(native, {})).toBe(isaLevelsSupported().at(-1));
  });
});
