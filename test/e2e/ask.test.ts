/** A mesh behind access tokens, an agent beside its folder, and the peer asks with its own key: every part a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { type Ran, RunningDemo, tick } from './running-demo.ts';

const mainFile = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'meshward-ask-'));
const tokensFile = join(folder, 'tokens.json');
const apiTokenFile = join(folder, 'token');
const withAccess = ['--set', `access.tokensFile=${tokensFile}`, '--set', `access.apiTokenFile=${apiTokenFile}`];

async function untilExit(code: number, run: () => Promise<Ran>): Promise<Ran> {
  for (;;) {
    const ran = await run();
    if (ran.exitCode === code) return ran;
    await tick(200);
  }
}

function startAgent(shares: string, token: string, words: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [mainFile, 'agent', '--shares', shares, ...words], {
    env: { ...process.env, MESHWARD_TOKEN: token },
    stdio: 'ignore',
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

it('a peer asks with its own key, alone and in bulk, and no more once it is revoked', {
  timeout: 300_000,
}, async () => {
  const quick = ['analyzer.suspectAfterHeartbeats=3', 'analyzer.graceMs=1000', 'analyzer.graceMaxMs=1000'];
  const settings = [...withAccess, ...quick.flatMap((setting) => ['--set', setting])];
  const made = await new Promise<string>((resolve) => {
    const words = [
      '--json',
      'access',
      'create',
      '--file',
      tokensFile,
      '--role',
      'operator',
      '--name',
      'x',
      '--for',
      '1d',
    ];
    const child = spawn(process.execPath, [mainFile, ...words], { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    child.once('close', () => resolve(text));
  });
  writeFileSync(apiTokenFile, (JSON.parse(made) as { token: string }).token);
  await using mesh = await RunningDemo.start(...settings, 'up');
  await mesh.says('Add a peer');
  const meshward = (...words: string[]) => mesh.meshward(...withAccess, ...words);
  const { collectorUrl, collectorPin } = mesh.run();

  // Without a token the API tells nothing, and so do commands.
  expect((await mesh.meshward('peers')).exitCode).toBe(6);
  const shares = join(folder, 'storage');
  mkdirSync(join(shares, 'shares'), { recursive: true });
  const { token } = JSON.parse((await meshward('--json', 'token')).stdout) as { token: string };
  const place = ['--collector', collectorUrl, '--pin', collectorPin];
  const agent = startAgent(shares, token, [...place, '--set', 'agent.heartbeatMs=1000']);
  const file = join(folder, 'letter.txt');
  writeFileSync(file, 'a letter of more than fifty-five bytes, so that it is no literal cap: it is stored');
  const put = await untilExit(0, () => meshward('put', '--coding', '1-of-1', '--happy', '1', file));
  const cap = /URI:CHK:\S+/.exec(put.stdout)?.[0] as string;

  const ask = (...words: string[]) => mesh.meshward('ask', '--shares', shares, ...place, ...words);
  const yes = await untilExit(0, () => ask(cap));
  expect(yes.stdout).toMatch(/^recoverable now +yes/);
  expect(yes.stdout).toMatch(/freshness +fresh/);
  const unknown = 'a'.repeat(26);
  expect((await untilExit(3, () => ask(unknown))).stdout).toContain('not known');
  const caps = join(folder, 'caps');
  writeFileSync(caps, `${cap}  letter.txt\n${unknown}\n`);
  const bulk = await ask('--json', '--cap-file', caps);
  expect(bulk.exitCode).toBe(3);
  expect(JSON.parse(bulk.stdout)).toMatchObject({
    files: [
      { answer: 'known', recoverableNow: true, name: 'letter.txt', freshness: { state: 'fresh' } },
      { answer: 'unknown' },
    ],
  });
  const key = cap.split(':')[2] as string;
  expect(bulk.stdout + mesh.output).not.toContain(key);

  agent.kill('SIGKILL');
  const no = await untilExit(5, () => ask(cap));
  expect(no.stdout).toContain('no: 0 of 1 needed shares are available');

  const { peers } = JSON.parse((await meshward('--json', 'peers')).stdout) as { peers: { peerId: string }[] };
  expect((await meshward('peer', 'revoke', '--reason', 'stolen', '--', peers[0]?.peerId as string)).exitCode).toBe(0);
  const refused = await untilExit(6, () => ask(cap));
  expect(refused.stderr).toContain('peer-revoked');
  expect(readFileSync(tokensFile, 'utf8')).not.toContain(readFileSync(apiTokenFile, 'utf8').slice(-43));
});
