/**
 * Packs a release as `fixtures/releases/meshward-VERSION.tgz`, once, so that later ones are upgraded from it where no history is there:
 * `node test/upgrade/pack-release.ts 0.1.0 COMMIT`. Only what runs is in it, as its sources; packages and compiler are today's.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { gzipSync } from 'node:zlib';
import { releaseFile } from './release.ts';

const productFolders = [
  'access',
  'analyzer',
  'cli',
  'collector',
  'dashboards/page',
  'dashboards/prometheus',
  'dashboards/provisioning',
  'dashboards/runbooks',
  'demo',
  'log',
  'mesh',
  'native',
  'peers',
  'repairer',
  'store',
  'tahoe',
];
const leftOut = ['*.test.ts', '*.md', '*_test.cc', '*_fuzz.cc', '*/testing/*', '*/fixtures/*', '*/fuzz-corpus/*'];

const [version, commit] = process.argv.slice(2);
if (version === undefined || commit === undefined)
  throw new Error('which release, and of which commit? such as 0.1.0 COMMIT');
const target = releaseFile(version);
if (existsSync(target)) throw new Error(`${target} is there: a release does not change`);
const { version: ofCommit } = JSON.parse(git('show', `${commit}:package.json`).toString()) as { version: string };
if (ofCommit !== version) throw new Error(`${commit} is of ${ofCommit}`);
const there = new Set(git('ls-tree', '-r', '-d', '--name-only', commit).toString().split('\n'));
const kept = productFolders.filter((folder) => there.has(folder));
const archive = git(
  'archive',
  commit,
  '--',
  'package.json',
  'LICENSE',
  ...kept,
  ...leftOut.map((each) => `:(exclude)${each}`),
);
mkdirSync(dirname(target), { recursive: true });
writeFileSync(target, gzipSync(archive, { level: 9 }));
console.log(target);

function git(...words: string[]): Buffer {
  const { status, stdout, stderr } = spawnSync('git', words, { maxBuffer: 256 * 1024 * 1024 });
  if (status !== 0) throw new Error(stderr.toString());
  return stdout;
}
