import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { FakeCollector, unavailable } from './testing/fake-collector.ts';
import { indexOf } from './testing/peer-folder.ts';
import { makeAgent, type RunningAgent, type RunOptions } from './testing/running-agent.ts';

const running: RunningAgent[] = [];
afterEach(async () => {
  for (const run of running.splice(0)) await run.end();
});

async function prepared(options: RunOptions = {}): Promise<RunningAgent> {
  const run = await makeAgent(options);
  running.push(run);
  await run.folder.put(indexOf(1), 0);
  return run;
}

test('an agent on a new disk goes on above what the mesh has heard, and tells all that it holds', async () => {
  const { agent, collector, log } = await prepared();
  collector.lastIncarnation = 41;
  await agent.start();
  await agent.settled();
  expect(agent.status().incarnation).toBe(42);
  expect(collector.view.size).toBe(1);
  expect(log.lines.filter(({ message }) => message.includes('lost its count'))).toHaveLength(1);
});

test('told only later, it starts anew by itself, and nothing that it counted too low holds it up', async () => {
  const collector = new FakeCollector();
  const ask = collector.settings.bind(collector);
  let asked = 0;
  collector.settings = (...known) => (++asked === 1 ? Promise.reject(unavailable()) : ask(...known));
  collector.lastIncarnation = 41;
  const { agent } = await prepared({ collector });
  await agent.start();
  await collector.until(() => collector.view.size === 1 && collector.eventsOf('heartbeat').length > 0);
  expect(agent.status()).toMatchObject({ incarnation: 42, isDoubled: false });
  expect(collector.batches.every(({ incarnation }) => incarnation === 42n)).toBe(true);
});

test('an agent that was heard, and is then outdone by another with its key, says so and stays', async () => {
  const { agent, collector, log } = await prepared();
  await agent.start();
  await agent.settled();
  await collector.until(() => collector.eventsOf('heartbeat').length > 0);
  collector.lastIncarnation = 50;
  let refusals = 0;
  collector.refuse = () => {
    refusals++;
    return null;
  };
  await collector.until(() => refusals > 3);
  expect(agent.status()).toMatchObject({ incarnation: 1, isDoubled: true, lastErrorCode: 'peer-outdated' });
  expect(log.lines.filter(({ message }) => message.includes('another agent speaks'))).toHaveLength(1);
});

test('where it is served is told at every start: another port and secret after its state is lost are learned', async () => {
  const run = await prepared({ config: { serve: true, host: '127.0.0.1' } });
  await run.agent.start();
  await run.agent.settled();
  await run.restart();
  await run.agent.settled();
  expect(run.collector.addresses).toHaveLength(1);
  await run.agent.stop();
  await rm(join(run.folder.path, 'spool'), { recursive: true });
  await run.restart();
  await run.collector.until(() => run.collector.addresses.length === 2);
  const [first, second] = run.collector.addresses;
  expect(second).not.toBe(first);
  expect(second).toContain(`:${run.agent.status().serving?.port}/`);
});
