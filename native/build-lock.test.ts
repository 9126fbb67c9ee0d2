import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const lockModule = fileURLToPath(new URL('./build-lock.js', import.meta.url));
let folder = '';
let lock = '';
let log = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meshward-lock-'));
  lock = join(folder, 'lock');
  log = join(folder, 'log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

// In each child: `take(name, work)` takes the lock, and writes down when it has it and when it gives it back.
const prelude = `
  import fs from 'node:fs';
  import { syncBuiltinESMExports } from 'node:module';
  import { spawn } from 'node:child_process';
  const { withBuildLock } = await import(process.env.LOCK_MODULE);
  const { LOCK: lock, LOG: log } = process.env;
  const say = (name, what) => fs.appendFileSync(log, name + ' ' + what + '\\n');
  const take = (name, work = () => {}, options) => withBuildLock(lock, async () => {
    say(name, 'has it');
    await work();
    say(name, 'gives it back');
  }, options);
  const appears = async (path) => { while (!fs.existsSync(path)) await new Promise((done) => setTimeout(done, 5)); };
`;

function child(code: string): ChildProcess {
  return spawn(process.execPath, ['--input-type=module', '-e', prelude + code], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, LOCK_MODULE: lockModule, LOCK: lock, LOG: log, FOLDER: folder, PRELUDE: prelude },
  });
}

async function ended(process: ChildProcess): Promise<{ code: number | null; signal: string | null; output: string }> {
  let output = '';
  process.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  process.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code, signal] = (await once(process, 'close')) as [number | null, string | null];
  return { code, signal, output };
}

async function deadPid(): Promise<number> {
  const process = child('');
  await ended(process);
  return process.pid ?? 0;
}

function logged(): string[] {
  return existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
}

/** Nobody has the lock while another has it: after "has it" comes what the same one does next. */
function expectOneAtATime(lines: string[]): void {
  for (let i = 0; i < lines.length; i += 2) {
    const [name] = lines[i]?.split(' ') ?? [];
    expect(lines[i]).toBe(`${name} has it`);
    expect(lines[i + 1]).toMatch(new RegExp(`^${name} (gives it back|dies)$`));
  }
}

function nothingLeft(): void {
  expect(readdirSync(folder).filter((name) => name.startsWith('lock'))).toEqual([]);
}

/** How a dead process can have left the lock. */
const leftByDead: Record<string, (pid: number) => void> = {
  'an owner that died': (pid) => {
    mkdirSync(lock);
    writeFileSync(join(lock, `${pid}.00000000-0000-4000-8000-000000000000`), '');
  },
  'an owner that died while it gave it back': () => {
    mkdirSync(lock);
  },
  'a file of an earlier version': (pid) => writeFileSync(lock, String(pid)),
  'a file of an earlier version, and one that died stealing it': (pid) => {
    writeFileSync(lock, String(pid));
    writeFileSync(`${lock}.steal`, '');
  },
};

describe('the build lock', () => {
  test.each(Object.entries(leftByDead))('left by %s goes to one process at a time', async (_, leave) => {
    leave(await deadPid());
    const children = Array.from({ length: 4 }, (_, i) =>
      child(`
        await new Promise((go) => process.stdin.once('data', go).once('end', go));
        process.stdin.destroy();
        for (let round = 0; round < 3; round += 1) await take('${i}');`),
    );
    const ends = children.map(ended);
    for (const process of children) process.stdin?.end('go');
    for (const end of await Promise.all(ends)) expect(end).toEqual({ code: 0, signal: null, output: '' });
    expect(logged()).toHaveLength(4 * 3 * 2);
    expectOneAtATime(logged());
    nothingLeft();
  });

  test('goes on to the next when its owner is killed, however many die of those that wait', async () => {
    const children = Array.from({ length: 4 }, (_, i) =>
      child(`await take('${i}', () => { say('${i}', 'dies'); process.kill(process.pid, 'SIGKILL'); });`),
    );
    for (const end of await Promise.all(children.map(ended))) expect(end.signal).toBe('SIGKILL');
    expect(await ended(child(`await take('last');`))).toMatchObject({ code: 0, output: '' });
    expect(logged()).toHaveLength(5 * 2);
    expectOneAtATime(logged());
    expect(logged().slice(-2)).toEqual(['last has it', 'last gives it back']);
    nothingLeft();
  });

  test('of the one that came after is not taken by a process that found the dead owner before', async () => {
    leftByDead['an owner that died']?.(await deadPid());
    // "late" stops just before it takes the dead owner's entry away, until "early" has the lock; "early" keeps it until "late" has tried again.
    const early = `await take('early', async () => {
      fs.writeFileSync(process.env.FOLDER + '/held', '');
      await appears(process.env.FOLDER + '/tried');
    });`;
    const late = `
      let other;
      for (const name of ['unlinkSync', 'rmSync', 'rmdirSync', 'renameSync']) {
        const original = fs[name];
        fs[name] = (...args) => {
          const removes = name !== 'renameSync';
          if (removes && other === undefined) {
            other = spawn(process.execPath, ['--input-type=module', '-e', process.env.PRELUDE + ${JSON.stringify(early)}], { stdio: 'inherit' });
            const nap = new Int32Array(new SharedArrayBuffer(4));
            while (!fs.existsSync(process.env.FOLDER + '/held')) Atomics.wait(nap, 0, 0, 5);
          }
          try { return original(...args); }
          finally { if (!removes && other !== undefined) fs.writeFileSync(process.env.FOLDER + '/tried', ''); }
        };
      }
      syncBuiltinESMExports();
      await take('late');`;
    expect(await ended(child(late))).toMatchObject({ code: 0, output: '' });
    expect(logged()).toEqual(['early has it', 'early gives it back', 'late has it', 'late gives it back']);
    nothingLeft();
  });

  test('takes away what dead processes left, and nothing of those that live', async () => {
    const dead = await deadPid();
    const waiting = `${lock}.${process.pid}.00000000-0000-4000-8000-000000000000`;
    for (const left of [`${lock}.${dead}.00000000-0000-4000-8000-000000000000`, waiting]) mkdirSync(left);
    for (const left of [`${lock}.${dead}`, `${lock}.steal`, join(folder, 'locksmith')]) writeFileSync(left, '');
    expect(await ended(child(`await take('one');`))).toMatchObject({ code: 0, output: '' });
    expect(readdirSync(folder).sort()).toEqual([waiting.slice(folder.length + 1), 'locksmith', 'log'].sort());
  });

  test('that is not had in time is an error that names its owner, the file and what to do', async () => {
    const owner = join(lock, `${process.pid}.00000000-0000-4000-8000-000000000000`);
    mkdirSync(lock);
    writeFileSync(owner, '');
    const end = await ended(
      child(`
        const error = await take('one', undefined, { waitLimitMs: 0 }).catch((error) => error);
        process.stdout.write(JSON.stringify({ name: error.name, message: error.message, next: error.next }));`),
    );
    const error = JSON.parse(end.output) as Record<string, string>;
    expect(error['name']).toBe('BuildLockError');
    expect(error['message']).toContain(`process ${process.pid} has held ${lock}`);
    expect(error['next']).toContain(`remove ${lock}`);
    expect(error['next']).toContain('node native/build.js');
    expect(existsSync(owner)).toBe(true);
    expect(readdirSync(folder)).toEqual(['lock']);
  });

  test('is given back by work that fails, with its error, and taken in turn within one process', async () => {
    const end = await ended(
      child(`
        const fails = take('a', () => { throw new Error('broken'); }).catch((error) => say('a', error.message));
        await Promise.all([fails, take('b')]);`),
    );
    expect(end).toMatchObject({ code: 0, output: '' });
    expect(logged().sort()).toEqual(['a broken', 'a has it', 'b gives it back', 'b has it'].sort());
    nothingLeft();
  });
});
