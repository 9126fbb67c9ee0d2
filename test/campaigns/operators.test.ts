/**
 * Campaigns on a running mesh, by the commands that operators type: two operators and their approval, operators who race,
 * campaigns that overlap, a machine that replaces another one, files that are spread anew, a machine that is emptied.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CampaignAnswer } from '#analyzer/api/campaign-schemas.ts';
import { type ApiClient, createApiClient } from '#analyzer/api/client.ts';
import type { CampaignPlan } from '#mesh/campaigns/plan.ts';
import { sampleDefinition } from '#mesh/campaigns/testing/samples.ts';
import { type Ran, RunningDemo, tick } from '../e2e/running-demo.ts';

let demo: RunningDemo;
let api: ApiClient;
let folder: string;
let config: string;
const approvalAboveFiles = 4;
const why = ['--why', 'a test'];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshward-operators-'));
  config = join(folder, 'meshward.yaml');
  await writeFile(
    config,
    `campaigns: { approvalAboveFiles: ${approvalAboveFiles}, retryAfterMs: 500 }\npolicies: [{ name: tight, maxSharesPerDomain: 9 }]\n`,
  );
  demo = await RunningDemo.start('--config', config, 'demo', '--max-files', '8', '--peers', '100', '--patience', '5');
  await demo.says('The mesh lives on');
  api = createApiClient(demo.run().apiUrl, 120_000);
}, 400_000);

afterAll(async () => {
  await demo[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

const meshward = (...words: readonly string[]): Promise<Ran> => demo.meshward('--config', config, ...words);

async function good(...words: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await meshward(...words);
  expect(exitCode, `${words.join(' ')}: ${stderr}`).toBe(0);
  return stdout;
}

async function planned(name: string, ...words: readonly string[]): Promise<CampaignPlan> {
  const answer = await good('--json', 'campaign', 'plan', ...words, '--save', '--name', name, ...why);
  return (JSON.parse(answer) as { plan: CampaignPlan }).plan;
}

async function over(name: string): Promise<CampaignAnswer> {
  for (;;) {
    const stand = await api.campaign(name);
    if (['done', 'cancelled', 'failed'].includes(stand.state) && stand.atRest) return stand;
    await tick(200);
  }
}

const outcomesOf = ({ totals }: CampaignAnswer): string[] => totals.outcomes.map(({ outcome }) => outcome);

/** A small file, so that most peers hold nothing of it, and the peers that each hold a share of it alone. */
async function smallFile(name: string): Promise<readonly string[]> {
  const path = join(folder, name);
  await writeFile(path, name.repeat(1000));
  await good('put', '--coding', '3-of-10', '--tag', name, path);
  for (;;) {
    for (const { peerId, name: peer } of (await api.peers()).peers) {
      const selection = { tags: [name] };
      const plan = await api.planCampaign(sampleDefinition({ kind: 'drain', leave: [peerId], selection }));
      if (plan.sharesToWrite > 0) return [peer, ...(await peersWithout(name))];
    }
    await tick(500);
  }
}

async function peersWithout(tag: string): Promise<readonly string[]> {
  const up = (await api.peers()).peers.filter(({ state }) => state === 'up');
  const found: string[] = [];
  for (const { peerId, name } of up) {
    const selection = { tags: [tag] };
    const { files } = await api.planCampaign(sampleDefinition({ kind: 'drain', leave: [peerId], selection }));
    if (files === 0) found.push(name);
    if (found.length > 0) return found;
  }
  return found;
}

describe('operators', () => {
  it('start a large campaign only when another one has approved that very plan', { timeout: 300_000 }, async () => {
    const { files } = await planned('lift', '--all', '--up-to', '80');
    expect(files).toBeGreaterThan(approvalAboveFiles);
    expect(await meshward('campaign', 'start', 'lift', ...why)).toMatchObject({ exitCode: 6 });
    const own = await meshward('campaign', 'approve', 'lift', ...why);
    expect([own.exitCode, own.stderr]).toEqual([6, expect.stringContaining('second operator')]);

    const key = await asSecond('operator', 'key');
    expect(await approve('lift')).toMatchObject({ exitCode: 6 });
    await good('operator', 'add', '--name', 'ada', '--', key.stdout.trim());
    expect((await approve('lift')).exitCode).toBe(0);
    await good('campaign', 'start', 'lift', ...why);
    const { steps } = await over('lift');
    expect(steps.map(({ what, operatorName }) => `${what} ${operatorName}`).slice(0, 3)).toEqual([
      expect.stringMatching(/^plan /),
      'approve ada',
      expect.stringMatching(/^start /),
    ]);
  });

  it('who race: the first in the log counts, and the others hear so', { timeout: 120_000 }, async () => {
    await planned('raced', '--all', '--tag', 'no-file-has-it');
    const said = await Promise.all(['1', '2', '3'].map(() => meshward('campaign', 'cancel', 'raced', ...why)));
    expect(said.map(({ exitCode }) => exitCode).sort()).toEqual([0, 5, 5]);
    const { steps } = await over('raced');
    expect(steps.filter(({ what }) => what === 'cancel')).toHaveLength(1);
  });

  it('run several at once on the same files, and each counts every file once', { timeout: 300_000 }, async () => {
    for (const name of ['one', 'two']) await start(name, await planned(name, '--verify', '--all'));
    for (const name of ['one', 'two']) {
      const stand = await over(name);
      expect(stand.totals.files).toBe(stand.plan.files);
    }
  });
});

describe('a machine', () => {
  it('that replaces another one has everything that the old one held', { timeout: 300_000 }, async () => {
    const [old, onto] = await smallFile('swapped');
    const plan = await planned('swap', '--tag', 'swapped', '--replace', old as string, onto as string);
    expect(plan.peers.filter(({ bytesWritten }) => bytesWritten > 0).map(({ name }) => name)).toEqual([onto]);
    await start('swap', plan);
    const stand = await over('swap');
    expect(outcomesOf(stand).filter((outcome) => outcome !== 'restored' && outcome !== 'not-needed')).toEqual([]);
    await expectMoved('swapped', old as string);
  });

  it('that is emptied of some files has every share of them read once, and is not said to be empty', {
    timeout: 300_000,
  }, async () => {
    const [leaving = ''] = await smallFile('emptied');
    const plan = await planned('empty', '--tag', 'emptied', '--drain', leaving);
    expect(plan.sharesToWrite).toBeGreaterThan(0);
    expect(plan.sharesToRead).toBe(plan.sharesToWrite);
    await start('empty', plan);
    const { totals } = await over('empty');
    expect(totals.sharesWritten).toBeGreaterThan(0);
    await expectMoved('emptied', leaving);
    // Files that were not selected still need it.
    expect(await good('campaign', 'report', 'empty')).toContain('may NOT be switched off yet');
  });

  it('is no longer the only one of its rack with what it holds, once files are spread', {
    timeout: 300_000,
  }, async () => {
    const plan = await planned('spread', '--rebalance', 'zone');
    await start('spread', plan);
    const stand = await over('spread');
    expect(stand.state).toBe('done');
    const again = JSON.parse(await good('--json', 'campaign', 'plan', '--rebalance', 'zone')) as { plan: CampaignPlan };
    expect(again.plan.sharesToWrite).toBeLessThanOrEqual(plan.sharesToWrite);
  });
});

/** With the key of the second operator, from a folder that knows nothing of this mesh. */
function asSecond(...words: readonly string[]): Promise<Ran> {
  return meshward('--data-dir', join(folder, 'second'), ...words);
}

function approve(name: string): Promise<Ran> {
  const { apiUrl, collectorUrl, collectorPin } = demo.run();
  const where = ['--api', apiUrl, '--collector', collectorUrl, '--pin', collectorPin];
  return asSecond('campaign', 'approve', name, ...why, ...where);
}

/** Approved by the second operator where it is large. */
async function start(name: string, { files }: CampaignPlan): Promise<void> {
  if (files > approvalAboveFiles) expect((await approve(name)).exitCode).toBe(0);
  await good('campaign', 'start', name, ...why);
}

/** What the peer held of the tagged file is elsewhere too. */
async function expectMoved(tag: string, peer: string): Promise<void> {
  const left = JSON.parse(await good('--json', 'campaign', 'plan', '--tag', tag, '--drain', peer)) as {
    plan: CampaignPlan;
  };
  expect(left.plan).toMatchObject({ sharesToWrite: 0, stillAtRisk: [] });
}
