import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toApiError } from '#mesh/api-error.ts';
import { formatVerifyCap } from '#mesh/caps.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { realFile, shareDataOf } from '#tahoe/share/example-shares.ts';
import { runMeshward } from './testing/run-meshward.ts';
import { sampleFile } from './testing/sample-answers.ts';

const small = realFile('3of10_1000');
const verifyCap = formatVerifyCap(small.manifest);
const key = 'aaaaaaaaaaaaaaaaaaaaaaaaaa';
const readCap = `URI:CHK:${key}:mlnhnybfrydbjodsugg5kyyt7xlsd5d5akoozoyjhql2g2ivfofq:3:10:1000`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'meshward-commands-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Some shares of the fixture in a folder of their own; those in `damaged` with one byte changed. */
function shareFolder(name: string, numbers: readonly number[], damaged: readonly number[] = []): string {
  const { storageIndex } = small.manifest;
  const target = join(folder, name, 'shares', storageIndex.slice(0, 2), storageIndex);
  mkdirSync(target, { recursive: true });
  for (const number of numbers) copyFileSync(small.path(number), join(target, String(number)));
  for (const number of damaged) {
    const bytes = readFileSync(join(target, String(number)));
    bytes[200] = (bytes[200] as number) ^ 1;
    writeFileSync(join(target, String(number)), bytes);
  }
  return join(folder, name);
}

/** A data directory where nothing runs. */
const nowhere = (): string[] => ['--data-dir', join(folder, 'nowhere')];

describe('share files, offline', () => {
  test('good ones verify, one line each, with exit code 0', async () => {
    const { exitCode, stdout, stderr } = await runMeshward(['share', 'verify', small.folder]);
    expect(exitCode).toBe(0);
    expect(stdout.split('\n').filter((line) => line.startsWith('ok '))).toHaveLength(10);
    expect(stdout).toContain('10 good, 0 bad');
    expect(stderr).toBe('');
  });

  test('a bad one among them is named, with exit code 5', async () => {
    const shares = shareFolder('one-bad', [1, 2, 3], [2]);
    const { exitCode, stdout } = await runMeshward(['share', 'verify', '--cap', verifyCap, shares]);
    expect(exitCode).toBe(5);
    expect(stdout).toMatch(/BAD .*\/2 .*\[share-corrupt\]/);
    expect(stdout).toContain('2 good, 1 bad');
  });

  test('verify as JSON, which a program can read', async () => {
    const { exitCode, stdout } = await runMeshward(['--json', 'share', 'verify', small.path(3)]);
    const answer = JSON.parse(stdout) as { good: number; shares: { shareNumber: number; verifyCap: string }[] };
    expect(exitCode).toBe(0);
    expect(answer).toMatchObject({ good: 1, bad: 0, shares: [{ ok: true, shareNumber: 3, verifyCap, pinned: false }] });
  });

  test('that are not of the cap’s file are bad', async () => {
    const other = formatVerifyCap({ ...small.manifest, uebHash: new Uint8Array(32) });
    const { exitCode } = await runMeshward(['share', 'verify', '--cap', other, small.path(0)]);
    expect(exitCode).toBe(5);
  });

  test('that do not exist are a mistake of the caller: exit code 2', async () => {
    expect((await runMeshward(['share', 'verify', join(folder, 'missing')])).exitCode).toBe(2);
    mkdirSync(join(folder, 'empty'));
    expect((await runMeshward(['share', 'verify', join(folder, 'empty')])).exitCode).toBe(2);
  });

  test('are dumped: coding, hashes, verify cap', async () => {
    const { exitCode, stdout } = await runMeshward(['share', 'dump', small.path(3)]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('3-of-10');
    expect(stdout).toContain(verifyCap);
  });

  test('that are no shares are said to be none, with exit code 5', async () => {
    const path = join(folder, 'no-share');
    writeFileSync(path, 'hello');
    const { exitCode, stdout } = await runMeshward(['share', 'dump', path]);
    expect(exitCode).toBe(5);
    expect(stdout).toContain('not readable');
  });

  test('come back byte for byte from the others', async () => {
    const from = shareFolder('some', [0, 1, 2, 9], [2]);
    const capFile = join(folder, 'verify.cap');
    writeFileSync(capFile, `${verifyCap}\n`);
    const out = join(folder, 'restored');
    const args = ['share', 'regenerate', '--cap-file', capFile, '--from', from, '--share', '4,7', '--out', out];
    const { exitCode, stdout } = await runMeshward(args);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/BAD .*\/2 /);
    const { storageIndex } = small.manifest;
    for (const number of [4, 7]) {
      const path = join(out, storageIndex.slice(0, 2), storageIndex, String(number));
      expect(Buffer.compare(shareDataOf(path), shareDataOf(small.path(number)))).toBe(0);
    }
    const again = await runMeshward(args);
    expect(again.exitCode).toBe(2);
    expect(again.stderr).toContain('exists already');
    expect((await runMeshward([...args, '--force'])).exitCode).toBe(0);
  });

  test('that are bad come back too where none is named, and it is said when none is', async () => {
    const from = shareFolder('bad-in-place', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [7]);
    const args = ['share', 'regenerate', '--cap', verifyCap, '--from', from, '--out', from];
    const named = await runMeshward([...args, '--share', '3', '--force']);
    expect(named.exitCode).toBe(0);
    expect((await runMeshward(['share', 'verify', from])).exitCode).toBe(5);
    const { exitCode, stdout } = await runMeshward(args);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/BAD .*\/7 .*\nwritten .*\/7 .*\n1 share written/);
    expect((await runMeshward(['share', 'verify', from])).exitCode).toBe(0);
    expect((await runMeshward(args)).stdout).toContain('No share is missing or bad');
  });

  test('do not come back from fewer than k: exit code 5', async () => {
    const from = shareFolder('too-few', [0, 1]);
    const { exitCode, stderr } = await runMeshward([
      'share',
      'regenerate',
      '--cap',
      verifyCap,
      '--from',
      from,
      '--share',
      '4',
      '--out',
      join(folder, 'o'),
    ]);
    expect(exitCode).toBe(5);
    expect(stderr).toContain('not-enough-shares');
  });

  test('need no usable configuration', async () => {
    const config = join(folder, 'broken.yaml');
    writeFileSync(config, 'no.such.key: 1\n');
    expect((await runMeshward(['--config', config, 'share', 'dump', small.path(0)])).exitCode).toBe(0);
  });
});

describe('the configuration', () => {
  test('is printed with a flag’s value and without secrets', async () => {
    const { exitCode, stdout } = await runMeshward(
      ['--set', 'api.port=8080', '--set', 'agent.nurl=pb://x@h:1/swissnum', 'config'],
      { cwd: folder },
    );
    expect(exitCode).toBe(0);
    expect(stdout).toContain('port: 8080 # flag');
    expect(stdout).toContain('nurl: (secret)');
    expect(stdout).not.toContain('swissnum');
  });

  test('that is wrong ends with exit code 2 and names the key; the keys are still listed', async () => {
    const wrong = ['--set', 'api.prot=1'];
    const { exitCode, stderr } = await runMeshward([...wrong, 'config'], { cwd: folder });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('api.prot');
    const keys = await runMeshward([...wrong, 'config', '--keys'], { cwd: folder });
    expect(keys.exitCode).toBe(0);
    expect(keys.stdout).toContain('MESHWARD_API_PORT');
  });
});

describe('where nothing runs', () => {
  test.each([
    'peers',
    'file at-risk',
    'file show lrjvinfstmdyvk4adlyj5vqv7m',
    'token',
    'peer kill alder-01',
    'peer drain x',
  ])('meshward %s says so with exit code 4', async (line) => {
    const { exitCode, stderr, stdout } = await runMeshward([...nowhere(), ...line.split(' ')], { cwd: folder });
    expect(stderr).toContain('service-unavailable');
    expect(stderr).toContain('meshward up');
    expect(stdout).toBe('');
    expect(exitCode).toBe(4);
  });

  test('an error is one line of JSON with --json', async () => {
    const { stderr } = await runMeshward([...nowhere(), 'peers', '--json'], { cwd: folder });
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'service-unavailable', retryable: true } });
  });

  test('the doctor says what is missing and what to do, leaves nothing behind, and ends with exit code 4', async () => {
    const closed = [
      '--set',
      'repairer.apiUrl=http://127.0.0.1:1',
      '--set',
      'repairer.port=1',
      '--set',
      'collector.opsPort=1',
    ];
    const { exitCode, stdout } = await runMeshward([...nowhere(), ...closed, 'doctor', '--json'], { cwd: folder });
    const { checks } = JSON.parse(stdout) as { checks: { name: string; state: string; next: string }[] };
    const failed = checks.filter((check) => check.state === 'failed');
    expect(failed.map((check) => check.name)).toEqual([
      'clickhouse',
      'collector',
      'analyzer',
      'alert sinks',
      'repairer',
    ]);
    for (const { next } of failed) expect(next).not.toBe('');
    expect(() => readFileSync(join(folder, 'nowhere'))).toThrow(/ENOENT/);
    expect(exitCode).toBe(4);
  });

  test('the doctor ends with exit code 2 where the configuration is wrong', async () => {
    const { exitCode, stdout } = await runMeshward(['--set', 'x=1', 'doctor', '--json'], { cwd: folder });
    expect(JSON.parse(stdout)).toMatchObject({ ok: false });
    expect(exitCode).toBe(2);
  });
});

describe('a literal cap needs no mesh', () => {
  const literal = 'URI:LIT:nbswy3dp';

  test('its file comes out of it', async () => {
    const { exitCode, stdout } = await runMeshward([...nowhere(), 'get', '-', '-'], {
      cwd: folder,
      stdin: `${literal}\n`,
    });
    expect(stdout).toBe('hello');
    expect(exitCode).toBe(0);
  });

  test('a file that is there is replaced only with --force', async () => {
    const out = join(folder, 'out.txt');
    writeFileSync(out, 'before');
    const args = [...nowhere(), 'get', literal, out];
    expect((await runMeshward(args, { cwd: folder })).exitCode).toBe(2);
    expect(readFileSync(out, 'utf8')).toBe('before');
    expect((await runMeshward([...args, '--force'], { cwd: folder })).exitCode).toBe(0);
    expect(readFileSync(out, 'utf8')).toBe('hello');
  });

  test('it is always recoverable, and there is nothing to prove', async () => {
    expect((await runMeshward([...nowhere(), 'file', 'show', literal], { cwd: folder })).exitCode).toBe(0);
    expect((await runMeshward([...nowhere(), 'file', 'prove', literal], { cwd: folder })).exitCode).toBe(2);
  });
});

describe('an analyzer’s answer', () => {
  let server: Server;
  let api: string;
  const asked: string[] = [];
  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push(request.url ?? '');
      const lost = { ...sampleFile, recoverableNow: false, available: 3, margin: -22, grade: 'lost' };
      const unknown = toApiError(new MeshwardError('file-unknown', 'nothing is known', { next: 'Check the cap.' }));
      const answers: Record<string, [number, unknown]> = {
        [`/v1/files/${sampleFile.storageIndex}`]: [200, sampleFile],
        [`/v1/files/${small.manifest.storageIndex}`]: [200, lost],
      };
      const [status, body] = answers[request.url ?? ''] ?? [404, unknown];
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close());

  test('yes is exit code 0, no is 5, unknown is 3', async () => {
    const show = (name: string) => runMeshward([...nowhere(), 'file', 'show', '--api', api, name], { cwd: folder });
    const yes = await show(sampleFile.storageIndex);
    expect(yes.stdout).toMatch(/^recoverable now +yes/);
    expect(yes.exitCode).toBe(0);
    const no = await show(verifyCap);
    expect(no.stdout).toMatch(/^recoverable now +no: 3 of 25/);
    expect(no.exitCode).toBe(5);
    expect((await show('aaaaaaaaaaaaaaaaaaaaaaaaaa')).exitCode).toBe(3);
  });

  test('is asked for with the storage index alone: no key leaves this machine', async () => {
    await runMeshward([...nowhere(), 'file', 'show', '--api', api, '-'], {
      cwd: folder,
      stdin: readCap.replace(key, 'bbbbbbbbbbbbbbbbbbbbbbbbba'),
    });
    expect(asked.join('\n')).not.toContain('bbbbbbbbbbbbbbbbbbbbbbbbb');
  });
});

test('no mistake on the command line makes it repeat a read cap', async () => {
  const mistakes = [
    ['file', readCap],
    ['get', readCap.slice(4), 'x'],
    ['get', readCap, 'a', 'b'],
    ['get', 'x', readCap],
    ['get', `${readCap}0:`, 'x'],
    ['get', '--cap-file', readCap, 'x'],
    ['put', readCap],
    ['file', 'show', readCap.slice(0, 40)],
    ['file', 'show', readCap.slice(4)],
    ['file', 'prove', readCap, '--original', readCap],
    ['file', 'prove', readCap, 'x'],
    ['file', 'show', `--cap=${readCap}`],
    ['share', 'verify', '--cap', readCap.slice(0, 50), 'x'],
    ['share', 'regenerate', `--kap=${readCap}`],
  ];
  const runs = await Promise.all(mistakes.map((words) => runMeshward([...nowhere(), ...words], { cwd: folder })));
  for (const [i, { exitCode, stdout, stderr }] of runs.entries()) {
    const what = (mistakes[i] as string[]).slice(0, 2).join(' ').replace(readCap, 'CAP');
    expect(exitCode, what).not.toBe(0);
    expect(stdout + stderr, what).not.toContain(key);
  }
});

describe('servers of your own', () => {
  const settings = async (...args: readonly string[]): Promise<unknown> =>
    JSON.parse((await runMeshward([...nowhere(), '--json', ...args, 'config'])).stdout);

  test('are named by --kafka and --clickhouse, before and after the command', async () => {
    const named = ['--kafka', 'a:9092, b:9092', '--clickhouse', 'http://c:8123'];
    const wanted = {
      log: { adapter: 'kafka' },
      kafka: { brokers: ['a:9092', 'b:9092'] },
      clickhouse: { mode: 'external', urls: ['http://c:8123'] },
    };
    expect(await settings(...named)).toMatchObject({ config: wanted });
    const { stdout } = await runMeshward([...nowhere(), '--json', 'config', ...named]);
    expect(JSON.parse(stdout)).toMatchObject({ config: wanted });
  });

  test('that are no addresses are refused with exit code 2', async () => {
    const { exitCode, stderr } = await runMeshward([...nowhere(), '--kafka', 'nowhere', 'config']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('kafka.brokers');
  });

  test('are not needed by the embedded log: it has no topics to apply', async () => {
    const { exitCode, stdout } = await runMeshward([...nowhere(), 'topics', 'apply']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('nothing to do');
  });

  test('get their rights printed without being asked', async () => {
    const words = ['topics', 'acls', '--principal-prefix', 'm-', '--role', 'repairer'];
    const { stdout } = await runMeshward([...nowhere(), '--kafka', '127.0.0.1:1', ...words]);
    expect(stdout).toContain('--allow-principal User:m-repairer --operation Read --operation Describe');
    expect(stdout).toContain('--group meshward.repairers');
    // It says what it finds and how campaigns go; who needs repair and who may speak is not for it to say.
    expect(stdout).toMatch(/Write .*--topic meshward\.campaigns/);
    expect(stdout).not.toMatch(/Write .*--topic meshward\.(at-risk|enrolments)/);
  });
});
