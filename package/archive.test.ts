/** The release archive: unpacked where nothing else is, and with no network, it tells the story. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { softwareVersion } from '#cli/version.ts';
import { makeArchive } from './archive.ts';

const run = promisify(execFile);
const patienceMs = 600_000;
interface Own {
  readonly dependencies: object;
  readonly devDependencies: object;
}

let folder: string;
let unpacked: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshward-archive-'));
  const archive = await makeArchive({ into: join(folder, 'made'), compiledFor: 'this-machine', level: 1 });
  await mkdir(join(folder, 'empty'));
  await run('tar', ['-xzf', archive, '-C', join(folder, 'empty')]);
  await rm(join(folder, 'made'), { recursive: true });
  unpacked = join(folder, 'empty', basename(archive, '.tar.gz'));
}, patienceMs);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** In a network of its own, in which there is loopback and nothing else; no Node, no npm and no compiler on the PATH. */
function meshward(...words: readonly string[]) {
  const alone = 'ip link set lo up && PATH=/usr/bin:/bin && export PATH && exec "$@"';
  return run(
    'unshare',
    ['--map-root-user', '--net', 'sh', '-c', alone, 'sh', join(unpacked, 'bin/meshward'), ...words],
    {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder, CXX: '/no/compiler' },
      timeout: patienceMs,
      maxBuffer: 64 * 1024 * 1024,
    },
  );
}

test('it holds what runs, with its licences, and no package that only builds and tests', async () => {
  const own = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as Own;
  const there = new Set(await readdir(join(unpacked, 'app/node_modules')));
  const unscoped = (names: object): string[] => Object.keys(names).filter((name) => !name.startsWith('@'));
  expect(unscoped(own.devDependencies).filter((name) => there.has(name))).toEqual([]);
  expect(unscoped(own.dependencies).filter((name) => !there.has(name))).toEqual([]);
  expect(await readdir(join(unpacked, 'node'))).toEqual(expect.arrayContaining(['LICENSE', 'bin']));
});

test('it tells the story to its end, with no network and nothing installed', { timeout: patienceMs }, async () => {
  expect((await meshward('--version')).stdout.trim()).toBe(softwareVersion);
  const { stdout } = await meshward('--json', 'demo', '--once', '--max-files', '4', '--patience', '3');
  const { promises } = JSON.parse(stdout) as { promises: { promise: string; kept: boolean }[] };
  expect(promises.filter(({ kept }) => !kept)).toEqual([]);
  expect(promises.length).toBeGreaterThan(0);
});
