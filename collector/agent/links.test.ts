import { mkdir, rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { indexOf, PeerFolder } from './testing/peer-folder.ts';
import { type RunningAgent, runAgent } from './testing/running-agent.ts';

const running: RunningAgent[] = [];
afterEach(async () => {
  for (const run of running.splice(0)) await run.end();
});

test('a prefix folder that is moved away and linked counts no more, at once and after a restart alike', async () => {
  const folder = await PeerFolder.make();
  await folder.put(indexOf(1), 0);
  await folder.put(indexOf(2), 1);
  const run = await runAgent({ folder });
  running.push(run);
  await run.agent.settled();
  expect(run.collector.view.size).toBe(2);
  const prefix = indexOf(1).slice(0, 2);
  await mkdir(join(folder.path, 'elsewhere'));
  await rename(join(folder.shares, prefix), join(folder.path, 'elsewhere', prefix));
  await symlink(join(folder.path, 'elsewhere', prefix), join(folder.shares, prefix));
  await run.collector.until(() => run.collector.view.size === 1);
  expect([...run.collector.view.keys()]).toEqual([`${indexOf(2)}/1`]);
  run.agent.requestInventory();
  await run.agent.settled();
  expect(run.collector.view.size).toBe(1);
  expect(run.agent.status().otherFiles.link).toBeGreaterThan(0);
  await run.restart();
  await run.agent.settled();
  expect(run.collector.view.size).toBe(1);
});
