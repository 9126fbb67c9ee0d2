/** One mesh as a user starts it, and what a user does with it: commands, the page, an outage of the database. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiClient, createApiClient } from '#analyzer/api/client.ts';
import { parseManifest } from '#mesh/caps.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { installChromium } from '../setup/chromium.ts';
import { type Ran, RunningDemo, tick } from './running-demo.ts';

/** Of a large file coded 25-of-100: 1 MiB, rounded up to a multiple of 25. */
const segmentBytes = 1_048_600;

let demo: RunningDemo;
let api: ApiClient;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshward-files-'));
  demo = await RunningDemo.start('demo', '--max-files', '10', '--patience', '3');
  await demo.says('The mesh lives on');
  api = createApiClient(demo.run().apiUrl);
}, 300_000);

afterAll(async () => {
  await demo[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

async function eventually<T>(what: string, look: () => Promise<T | null>, timeoutMs = 60_000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown = null;
  while (Date.now() < deadline) {
    try {
      const found = await look();
      if (found !== null) return found;
    } catch (error) {
      last = error;
    }
    await tick(200);
  }
  throw new Error(`${what} did not come`, { cause: last });
}

function good(ran: Ran): string {
  expect(ran.exitCode, ran.stderr).toBe(0);
  return ran.stdout;
}

async function put(sizeBytes: number): Promise<{ path: string; cap: string; content: Buffer }> {
  const path = join(folder, `file-${sizeBytes}-${randomBytes(4).toString('hex')}`);
  const content = randomBytes(sizeBytes);
  await writeFile(path, content);
  const { files } = JSON.parse(good(await demo.meshward('--json', 'put', path))) as { files: [{ cap: string }] };
  return { path, content, cap: files[0].cap };
}

describe('files', () => {
  it.each([56, segmentBytes - 1, segmentBytes + 1])(
    'of %i bytes go in, are known, come back and are proven',
    async (sizeBytes) => {
      const { path, cap, content } = await put(sizeBytes);
      const { storageIndex } = parseManifest(cap);
      await eventually('the file at the API', async () => {
        const file = await api.file(storageIndex);
        return file.recoverableNow && !file.settling ? file : null;
      });
      good(await demo.meshward('file', 'show', cap));
      const out = `${path}.out`;
      good(await demo.meshward('get', cap, out));
      expect((await readFile(out)).equals(content)).toBe(true);
      const proven = JSON.parse(
        good(await demo.meshward('--json', 'file', 'prove', cap, '--original', path)),
      ) as unknown;
      expect(JSON.stringify(proven)).toContain('proven');
      await eventually('the proof at the API', async () => (await api.proofs(10, storageIndex)).at(0) ?? null);
    },
  );

  it.each([0, 55])('of %i bytes live in their cap, and it is said so', async (sizeBytes) => {
    const { cap, content, path } = await put(sizeBytes);
    expect(cap).toMatch(/^URI:LIT:/);
    good(await demo.meshward('get', cap, `${path}.out`));
    expect((await readFile(`${path}.out`)).equals(content)).toBe(true);
  });

  it('a cap that is none is refused without being repeated', async () => {
    const ran = await demo.meshward('get', 'URI:CHK:secretsecretsecretsecret:x:1:2:3', join(folder, 'none'));
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr + ran.stdout).not.toContain('secretsecret');
  });

  it('a coding with k above n is refused', async () => {
    const path = join(folder, 'plain');
    await writeFile(path, randomBytes(100));
    const ran = await demo.meshward('put', '--coding', '5-of-3', path);
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toContain('1 ≤ k ≤ n ≤ 256');
  });

  it('nobody has a share of are unknown to every command, and nothing is recorded or deleted', async () => {
    const key = 'a'.repeat(26);
    const cap = `URI:CHK:${key}:mlnhnybfrydbjodsugg5kyyt7xlsd5d5akoozoyjhql2g2ivfofq:3:10:1000`;
    const proofs = (await api.proofs(1000)).length;
    for (const words of [
      ['get', cap, join(folder, 'unknown')],
      ['file', 'prove', cap],
      ['file', 'show', cap],
      ['file', 'delete', cap],
    ]) {
      const ran = await demo.meshward('--json', ...words);
      expect(ran.exitCode, words.slice(0, 2).join(' ')).toBe(3);
      expect((JSON.parse(ran.stderr) as { error: { code: string } }).error.code).toBe('file-unknown');
    }
    expect(await api.proofs(1000)).toHaveLength(proofs);
  });

  it('nobody knows of are said to be unknown', async () => {
    await expect(api.file('aaaaaaaaaaaaaaaaaaaaaaaaaa' as StorageIndex)).rejects.toMatchObject({
      code: 'file-unknown',
    });
  });
});

describe('peers', () => {
  it('are killed and return, and say so themselves', async () => {
    good(await demo.meshward('peer', 'kill', 'birch-01'));
    await eventually(
      'a silent peer',
      async () => (await api.peers()).peers.find(({ name, state }) => name === 'birch-01' && state !== 'up') ?? null,
    );
    good(await demo.meshward('peer', 'return', 'birch-01'));
    await eventually(
      'its return',
      async () => (await api.peers('up')).peers.find(({ name }) => name === 'birch-01') ?? null,
    );
  });

  it('with a wiped disk lose their shares only', async () => {
    const { cap } = await put(5000);
    const { storageIndex } = parseManifest(cap);
    const holder = await eventually(
      'a placement',
      async () => (await api.file(storageIndex)).placements.find(({ available }) => available)?.peerName ?? null,
    );
    good(await demo.meshward('peer', 'wipe', holder));
    await eventually('its loss', async () => {
      const { placements } = await api.file(storageIndex);
      return placements.every(({ peerName }) => peerName !== holder) ? placements : null;
    });
    expect((await api.peers('up')).peers.some(({ name }) => name === holder)).toBe(true);
  });
});

it('every service is found in order by the doctor, who says what has become of the mesh', async () => {
  await eventually('a fresh mesh', async () => ((await api.mesh()).freshness.state === 'fresh' ? true : null));
  const ran = await demo.meshward('--json', 'doctor');
  const { checks } = JSON.parse(ran.stdout) as {
    checks: { name: string; kind: string; state: string; detail: string }[];
  };
  expect(
    checks.filter(({ kind, state }) => kind !== 'mesh' && state === 'failed'),
    ran.stdout,
  ).toEqual([]);
  // The story has killed the peers of a zone; its files were mended on the others.
  expect(checks.find(({ name }) => name === 'alerts')).toMatchObject({
    state: 'failed',
    detail: expect.stringMatching(/^zone \S+ is gone/) as string,
  });
  expect(checks.find(({ name }) => name === 'peers')).toMatchObject({ state: 'ok' });
  expect(ran.exitCode).toBe(5);
});

it('while ClickHouse is away health is stale, and nothing is lost by it', { timeout: 180_000 }, async () => {
  const clickhouse = demo.services().get('clickhouse') as number;
  process.kill(clickhouse, 'SIGSTOP');
  let cap: string;
  try {
    await eventually(
      'staleness',
      async () => ((await api.mesh()).freshness.reasons.some((reason) => reason.includes('ClickHouse')) ? true : null),
      90_000,
    );
    ({ cap } = await put(3000));
  } finally {
    process.kill(clickhouse, 'SIGCONT');
  }
  await eventually('freshness', async () => ((await api.mesh()).freshness.state === 'fresh' ? true : null), 90_000);
  const file = await eventually('the file that went in meanwhile', async () => {
    const answer = await api.file(parseManifest(cap).storageIndex);
    return answer.available > 90 ? answer : null;
  });
  expect(file.grade).toBe('healthy');
});

describe('the page', () => {
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: installChromium(),
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    page = await browser.newPage();
  });

  afterAll(() => browser.close());

  it('draws the live mesh, without errors and without asking anybody else', async () => {
    const errors: string[] = [];
    const asked: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    page.on('request', (request) => asked.push(new URL(request.url()).origin));
    await page.goto(demo.run().apiUrl);
    const { peersByState } = await eventually('the count of files on the page', async () => {
      const mesh = await api.mesh();
      return mesh.files !== null && mesh.files > 0 && (await page.textContent('#files')) === String(mesh.files)
        ? mesh
        : null;
    });
    expect(await page.locator('#domains i').count()).toBe(peersByState.reduce((sum, { peers }) => sum + peers, 0));
    expect(await page.textContent('#answer')).toMatch(/can be recovered$/);
    await page.locator('.guide code').first().waitFor();
    // Run in the page, where types of the browser hold.
    const drawn = await page.evaluate(`(() => {
      const canvas = document.querySelector('canvas');
      return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value !== 0);
    })()`);
    expect(drawn).toBe(true);
    for (const view of ['exposure', 'resilience', 'campaigns', 'repairs', 'files', 'alerts']) {
      await page.goto(`${demo.run().apiUrl}/${view}`);
      await page.locator('.waiting').first().waitFor({ state: 'detached' });
      expect(await page.locator('[role=alert]').count(), view).toBe(0);
    }
    await page.goto(`${demo.run().apiUrl}/resilience`);
    await page.locator('#any-peers').waitFor();
    expect(errors).toEqual([]);
    expect(new Set(asked)).toEqual(new Set([new URL(demo.run().apiUrl).origin]));
  });

  it('shows the dashboards live, as the user who only reads', async () => {
    await page.setViewportSize({ width: 1400, height: 1400 });
    await page.goto(`${demo.run().apiUrl}/dashboards?from=now-1h`);
    await page.locator('.panel[data-kind=stat] .stats b').first().waitFor();
    await page.locator('.panel[data-kind=heatmap] canvas').waitFor();
    expect(await page.locator('[role=alert]').allTextContents()).toEqual([]);
    expect(demo.output).toContain(`${demo.run().apiUrl}/dashboards`);
  });

  it('acknowledges and silences the lost zone as the operator of this machine', async () => {
    await page.goto(`${demo.run().apiUrl}/alerts`);
    const alert = page.getByRole('article', { name: /zone \S+ is gone/ });
    await alert.getByRole('button', { name: 'Acknowledge…' }).click();
    await alert.getByRole('button', { name: 'Acknowledge', exact: true }).click();
    await alert.getByText('taken on').waitFor();
    await alert.getByRole('button', { name: 'Silence…' }).click();
    await alert.getByLabel(/Why/).fill('it is a demonstration');
    await alert.getByRole('button', { name: /^Silence DomainLost/ }).click();
    await page.locator('#silences').getByText('it is a demonstration').waitFor();
    const [silence] = await api.silences();
    expect(silence).toMatchObject({ why: 'it is a demonstration', isActive: true });
    good(await demo.meshward('alerts', 'unsilence', silence?.id ?? ''));
  });

  it('changes by itself when a peer goes silent', async () => {
    await page.goto(`${demo.run().apiUrl}/peers?search=cedar-03`);
    await page.locator('#peers tr[data-peer="cedar-03"] [data-color=up]').waitFor();
    good(await demo.meshward('peer', 'kill', 'cedar-03'));
    await page.locator('#peers [data-color=suspect], #peers [data-color=down]').first().waitFor({ timeout: 30_000 });
    good(await demo.meshward('peer', 'return', 'cedar-03'));
    await page.locator('#peers tr[data-peer="cedar-03"] [data-color=up]').waitFor({ timeout: 30_000 });
  });
});
