/** The command as an operator runs it, at a collector that runs in the test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newLog, newOperator, newPeer, startGateway } from '#collector/gateway/testing/gateway-under-test.ts';
import { saveKeyFolder } from '#tahoe/identity/key-folder.ts';
import { runMeshward } from '../testing/run-meshward.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'meshward-inventory-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A collector that lets its operators ask `postsPerSecond` times a second, with three peers, the last of them revoked. */
async function openMesh(postsPerSecond: number) {
  const log = newLog();
  const gateway = await startGateway({ log, config: { postsPerSecond } });
  const dataDir = mkdtempSync(join(folder, 'mesh-'));
  await saveKeyFolder(join(dataDir, 'operator'), await newOperator(log));
  // The test's own operator has a limit of its own.
  const operator = gateway.client(await newOperator(log));
  const peers = [await newPeer(log, gateway), await newPeer(log, gateway), await newPeer(log, gateway)] as const;
  const [one, two, revoked] = [peers[0].peerId, peers[1].peerId, peers[2].peerId];
  await operator.revokePeer(revoked, 'lent');
  const address = ['--collector', gateway.url, '--pin', gateway.gateway.pin];
  const runPlain = (...words: string[]) =>
    runMeshward(['--data-dir', dataDir, 'peer', 'inventory', ...address, ...words], { cwd: dataDir });
  const run = (...words: string[]) => runPlain('--json', ...words);
  const requests = async () => {
    const directory = await operator.directory();
    return [one, two, revoked].map((id) => directory.find(({ peerId }) => peerId === id)?.settings.inventoryRequest);
  };
  return { one, two, revoked, run, runPlain, requests };
}

test('named peers are asked, or every one that is not revoked; the output says when they begin', async () => {
  const { one, two, revoked, run, requests } = await openMesh(50);
  const named = await run('--', one);
  expect([named.exitCode, named.stderr]).toEqual([0, '']);
  expect(JSON.parse(named.stdout)).toMatchObject({ pollIntervalMs: 60_000, peers: [{ peerId: one }] });
  expect(await requests()).toEqual([1, 0, 0]);
  const all = await run('--all');
  const asked = JSON.parse(all.stdout) as { peers: { peerId: string }[] };
  expect(asked.peers.map(({ peerId }) => peerId)).toEqual([one, two].sort());
  expect(await requests()).toEqual([2, 1, 0]);
  const refused = await run('--', two, revoked);
  expect(refused.exitCode).toBe(6);
  expect(JSON.parse(refused.stderr)).toMatchObject({ error: { code: 'peer-revoked' } });
  const contradictory = await Promise.all([run(), run('--all', '--', one)]);
  expect(contradictory.map(({ exitCode }) => exitCode)).toEqual([2, 2]);
  expect(await requests()).toEqual([2, 1, 0]);
}, 60_000);

test('a collector that tells operators to go slower is asked on at its pace', async () => {
  const { runPlain, requests } = await openMesh(1);
  const { exitCode, stdout, stderr } = await runPlain('--all');
  expect([exitCode, stderr]).toEqual([0, '']);
  expect(stdout).toBe(
    '2 peers were asked for an inventory.\nAgents fetch their settings every 60 s, and begin then.\n',
  );
  expect(await requests()).toEqual([1, 1, 0]);
}, 60_000);
