import { copyFileSync, mkdirSync, renameSync } from 'node:fs';
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createStorageClient } from '#tahoe/gbs/client.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import { parseNurl } from '#tahoe/identity/nurl.ts';
import { randomContent } from '#tahoe/share/example-shares.ts';
import { enrolAgent } from './enrol.ts';
import { FakeCollector, malformed, unavailable } from './testing/fake-collector.ts';
import { containerOf, exampleFile, indexOf, PeerFolder } from './testing/peer-folder.ts';
import { makeAgent, quickTiming, type RunningAgent, type RunOptions, runAgent } from './testing/running-agent.ts';
import { WatchBudget } from './watch.ts';

const running: RunningAgent[] = [];
async function run(options: RunOptions = {}): Promise<RunningAgent> {
  const made = await runAgent(options);
  running.push(made);
  return made;
}
afterEach(async () => {
  for (const made of running.splice(0)) await made.end();
});

const viewOf = (collector: FakeCollector): string[] => [...collector.view.keys()].sort();

test('what is in the folder at the start is named by an inventory, with the manifest of each file', async () => {
  const folder = await PeerFolder.make();
  await folder.put(indexOf(1), 0);
  await folder.put(indexOf(1), 3);
  await folder.put(indexOf(2), 1);
  const { agent, collector } = await run({ folder });
  await agent.settled();
  expect(viewOf(collector)).toEqual([`${indexOf(1)}/0`, `${indexOf(1)}/3`, `${indexOf(2)}/1`].sort());
  expect(collector.inventories).toBe(1);
  expect(collector.manifests.get(indexOf(1))).toEqual({ k: 2, n: 4, sizeBytes: 300 });
  expect([...collector.manifests.keys()].sort()).toEqual([indexOf(1), indexOf(2)].sort());
  expect(collector.batches.flatMap((batch) => batch.manifests)).toHaveLength(2);
  expect(collector.outOfOrder).toEqual([]);
});

test('a share that is stored, removed or moved into place later is reported', async () => {
  const { agent, collector, folder } = await run();
  await agent.settled();
  await folder.put(indexOf(1), 0);
  await collector.until(() => collector.view.has(`${indexOf(1)}/0`));
  await folder.write(indexOf(1), '2.tmp', await containerOf(2));
  await rename(folder.sharePath(indexOf(1), '2.tmp'), folder.sharePath(indexOf(1), 2));
  await collector.until(() => collector.view.has(`${indexOf(1)}/2`));
  await folder.remove(indexOf(1), 0);
  await collector.until(() => !collector.view.has(`${indexOf(1)}/0`));
  await folder.remove(indexOf(1));
  await collector.until(() => collector.view.size === 0);
  await folder.put(indexOf(1), 1);
  await collector.until(() => collector.view.has(`${indexOf(1)}/1`));
});

test('without a single kernel watch, changes are found by looking', async () => {
  const { agent, collector, folder } = await run({ agent: { system: { watchBudget: new WatchBudget(0) } } });
  await agent.settled();
  await folder.put(indexOf(1), 0);
  await collector.until(() => collector.view.has(`${indexOf(1)}/0`));
  await folder.remove(indexOf(1), 0);
  await collector.until(() => collector.view.size === 0);
  expect(agent.status().watches).toBe(0);
});

test('a folder that was replaced by another of its name is watched on', async () => {
  const rarely = { ...quickTiming, follower: { gatherMs: 5, pollMs: 3_600_000, rootCheckMs: 3_600_000 } };
  const { agent, collector, folder } = await run({ agent: { timing: rarely } });
  await folder.put(indexOf(1), 0);
  await collector.until(() => collector.view.size === 1);
  await agent.settled();
  const path = folder.sharePath(indexOf(1), '.');
  // In one go, so that the agent never sees it missing.
  renameSync(path, `${folder.path}/replaced`);
  mkdirSync(path);
  copyFileSync(`${folder.path}/replaced/0`, folder.sharePath(indexOf(1), 1));
  await collector.until(() => viewOf(collector).join() === `${indexOf(1)}/1`);
  await agent.settled();
  await folder.put(indexOf(1), 2);
  await collector.until(() => collector.view.has(`${indexOf(1)}/2`));
});

test('an empty folder that gets its share later is noticed even where it could not be watched', async () => {
  // Enough for the root and the two-letter folder, as a Tahoe node on a large mesh has it.
  const { agent, collector, folder } = await run({ agent: { system: { watchBudget: new WatchBudget(2) } } });
  await agent.settled();
  await mkdir(folder.sharePath(indexOf(1), ''), { recursive: true });
  await agent.settled();
  await folder.put(indexOf(1), 0);
  await collector.until(() => collector.view.has(`${indexOf(1)}/0`));
});

test('what is no immutable share is counted by kind and never reported', async () => {
  const folder = await PeerFolder.make();
  const whole = await containerOf(0);
  await folder.write(indexOf(1), 0, Buffer.concat([Buffer.from('Tahoe mutable container v1\n'), Buffer.alloc(400)]));
  await folder.write(indexOf(1), 1, '');
  await folder.write(indexOf(1), 2, whole.subarray(0, whole.length - 100));
  await folder.write(indexOf(1), 3, 'not a share at all, but long enough to look like one'.repeat(20));
  await folder.write(indexOf(1), 4, Buffer.concat([whole.subarray(0, 200), Buffer.alloc(whole.length - 200)]));
  await folder.write(indexOf(1), '5.tmp', whole);
  await folder.write(indexOf(1), '007', whole);
  await folder.write(indexOf(1), '256', whole);
  await mkdir(folder.sharePath(indexOf(1), 6));
  await symlink(folder.sharePath(indexOf(1), 3), folder.sharePath(indexOf(1), 7));
  await writeFile(join(folder.shares, 'readme'), 'hello');
  await mkdir(join(folder.shares, 'incoming', 'aa'), { recursive: true });
  const { agent, collector, log } = await run({ folder });
  await agent.settled();
  expect(agent.status().otherFiles).toEqual({
    mutable: 1,
    empty: 1,
    'half-written': 2,
    unknown: 1,
    unreadable: 0,
    foreign: 4,
    link: 1,
    'folder-as-share': 1,
    'unreadable-folder': 0,
  });
  expect(agent.status().otherFileExamples).toContainEqual({ path: 'readme', kind: 'foreign' });
  expect(viewOf(collector)).toEqual([]);
  expect(log.lines.find((line) => line.message === 'an inventory was taken')?.fields).toMatchObject({
    otherFiles: { mutable: 1, foreign: 4 },
  });
});

test('a share that is being written in place counts once it is whole', async () => {
  const { agent, collector, folder } = await run();
  await agent.settled();
  const whole = await containerOf(0);
  await folder.write(indexOf(1), 0, whole.subarray(0, 150));
  while (agent.status().otherFiles['half-written'] !== 1) await agent.settled();
  expect(collector.view.size).toBe(0);
  await folder.write(indexOf(1), 0, whole);
  await collector.until(() => collector.view.get(`${indexOf(1)}/0`) === 'stored');
  expect(agent.status().otherFiles['half-written']).toBe(0);
});

test('a known share that is cut short is corrupt, not lost: its number is taken', async () => {
  const { agent, collector, folder } = await run();
  await folder.put(indexOf(1), 0);
  await collector.until(() => collector.view.get(`${indexOf(1)}/0`) === 'stored');
  await folder.write(indexOf(1), 0, (await containerOf(0)).subarray(0, 100));
  await collector.until(() => collector.view.get(`${indexOf(1)}/0`) === 'corrupt');
  agent.requestInventory();
  await collector.until(() => collector.inventories === 2);
  expect(collector.view.get(`${indexOf(1)}/0`)).toBe('corrupt');
  await folder.put(indexOf(1), 0);
  await collector.until(() => collector.view.get(`${indexOf(1)}/0`) === 'stored');
});

test('a wiped disk that is still mounted loses every share', async () => {
  const { agent, collector, folder } = await run();
  for (let seed = 0; seed < 30; seed++) await folder.put(indexOf(seed), seed % 4);
  await collector.until(() => collector.view.size === 30);
  await folder.wipe();
  await collector.until(() => collector.view.size === 0);
  expect(agent.status().phase).not.toBe('silent');
});

test('a folder that went away loses nothing: the peer falls silent until it is back', async () => {
  const { agent, collector, folder, log } = await run();
  await folder.put(indexOf(1), 0);
  await collector.until(() => collector.view.size === 1 && collector.eventsOf('heartbeat').length > 0);
  await agent.settled();
  await rename(folder.shares, `${folder.path}/away`);
  while (agent.status().phase !== 'silent') await nextTurn();
  expect(agent.status().folder).toBe('missing');
  expect(log.lines.some((line) => line.level === 'error' && line.message.includes('falls silent'))).toBe(true);
  // An unmounted disk leaves its empty mount point.
  await mkdir(folder.shares);
  while (agent.status().folder !== 'unmarked') await nextTurn();
  const beats = collector.eventsOf('heartbeat').length;
  await rm(`${folder.path}/away/${indexOf(1).slice(0, 2)}`, { recursive: true });
  expect(collector.view.size).toBe(1);
  expect(collector.eventsOf('heartbeat').length).toBe(beats);
  await rm(folder.shares, { recursive: true });
  await rename(`${folder.path}/away`, folder.shares);
  await collector.until(() => collector.view.size === 0);
  await collector.until(() => collector.eventsOf('heartbeat').length > beats);
  expect(agent.status().folder).toBe('present');
});

const nextTurn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

test('an agent that starts while the disk is away waits for it and says nothing', async () => {
  const first = await run();
  await first.folder.put(indexOf(1), 0);
  await first.collector.until(() => first.collector.view.size === 1);
  await first.agent.stop();
  await rename(first.folder.shares, `${first.folder.path}/away`);
  const collector = new FakeCollector();
  const second = await run({ folder: first.folder, collector });
  while (second.agent.status().phase !== 'silent') await nextTurn();
  expect(collector.events).toEqual([]);
  await rename(`${first.folder.path}/away`, first.folder.shares);
  await collector.until(() => collector.view.size === 1);
});

test('the folder of another peer is refused', async () => {
  const first = await run();
  await first.agent.settled();
  const other = await makeAgent({
    folder: first.folder,
    agent: { identity: await createPeerIdentity() },
    config: { spoolDir: `${first.folder.path}/other-spool` },
  });
  await expect(other.agent.start()).rejects.toMatchObject({ code: 'config-invalid' });
});

test('every start counts an incarnation, and neither a lost state nor a lost mark resets it', async () => {
  const one = await run();
  await one.agent.settled();
  await one.restart();
  expect(one.agent.status().incarnation).toBe(2);
  await one.agent.settled();
  await one.agent.stop();
  await rm(`${one.folder.path}/spool`, { recursive: true });
  await one.restart();
  expect(one.agent.status()).toMatchObject({ incarnation: 3 });
  await one.agent.settled();
  expect(one.agent.status().generation).toBeGreaterThan(2);
  await one.agent.stop();
  await writeFile(`${one.folder.path}/spool/state.json`, '{ half');
  await one.restart();
  expect(one.agent.status().incarnation).toBe(4);
});

test('a restart still knows which shares were corrupt', async () => {
  const one = await run({ config: { verifyBytesPerSecond: 10_000_000 } });
  const path = await one.folder.put(indexOf(1), 0);
  await one.folder.put(indexOf(2), 1);
  await one.collector.until(
    () => one.collector.view.get(`${indexOf(1)}/0`) === 'verified' && one.collector.view.size === 2,
  );
  const broken = await containerOf(0);
  broken[100] = (broken[100] as number) ^ 1;
  await writeFile(path, broken);
  await one.collector.until(() => one.collector.view.get(`${indexOf(1)}/0`) === 'corrupt');
  await one.agent.stop();
  const collector = new FakeCollector();
  const two = await run({ folder: one.folder, collector });
  await two.agent.settled();
  expect(collector.view.get(`${indexOf(1)}/0`)).toBe('corrupt');
  expect(collector.view.get(`${indexOf(2)}/1`)).toBe('stored');
});

test('while the collector is away nothing is lost, and what waited goes out first, in order, with its own incarnation', async () => {
  const collector = new FakeCollector();
  collector.refuse = () => unavailable();
  const one = await run({ collector });
  await one.folder.put(indexOf(1), 0);
  while (one.agent.status().shares !== 1 || one.agent.status().spool.batches < 2) await nextTurn();
  await one.agent.stop();
  await one.folder.remove(indexOf(1), 0);
  await one.folder.put(indexOf(2), 1);
  const two = await run({ collector, folder: one.folder });
  collector.refuse = () => null;
  await two.agent.settled();
  expect(viewOf(collector)).toEqual([`${indexOf(2)}/1`]);
  expect(collector.outOfOrder).toEqual([]);
  const incarnations = collector.batches.map((batch) => Number(batch.incarnation));
  expect(incarnations).toEqual([...incarnations].sort((a, b) => a - b));
  expect(new Set(incarnations)).toEqual(new Set([1, 2]));
});

test('a batch that the collector will never take is set aside, and an inventory makes good what it said', async () => {
  const { agent, collector, folder } = await run();
  await agent.settled();
  let refusals = 1;
  collector.refuse = (post) => (post.body.case === 'batch' && refusals-- > 0 ? malformed() : null);
  await folder.put(indexOf(1), 0);
  await collector.until(() => collector.inventories === 2);
  expect(collector.view.has(`${indexOf(1)}/0`)).toBe(true);
  expect(agent.status().spool.setAsideBatches).toBe(1);
  await collector.until(() => collector.manifests.has(indexOf(1)));
});

test('the peer announces itself and beats with figures of its host', async () => {
  const { agent, collector, folder } = await run({ config: { capacityBytes: 123_456 } });
  await folder.put(indexOf(1), 0);
  await collector.until(() => {
    const body = collector.eventsOf('heartbeat').at(-1)?.body;
    return body?.case === 'heartbeat' && body.value.vitals?.sharesHeld === 1n;
  });
  const [announce] = collector.eventsOf('announce');
  expect(announce?.body.value).toMatchObject({ name: 'peer', capacityBytes: 123_456n, agentVersion: '1.2.3' });
  const beat = collector.eventsOf('heartbeat').at(-1)?.body.value;
  expect(beat).toMatchObject({
    vitals: { diskCapacityBytes: expect.any(BigInt), memoryUsedBytes: expect.any(BigInt) },
  });
  agent.say({ case: 'drain', value: { $typeName: 'meshward.events.v1.Drain', draining: true } });
  await collector.until(() => collector.eventsOf('drain').length === 1);
  expect(collector.eventsOf('announce')).toHaveLength(1);
});

test('central settings count once an operator chose them', async () => {
  const { agent, collector } = await run({ config: { heartbeatMs: 60_000 } });
  await agent.settled();
  const defaults = { heartbeatMs: 100, inventoryIntervalS: 3600, verifyBytesPerSecond: 1, serveBytesPerSecond: 0 };
  collector.central = { ...defaults, version: 1 };
  while (agent.status().settingsVersion !== 1) await nextTurn();
  expect(collector.eventsOf('heartbeat')).toHaveLength(1);
  collector.central = { ...defaults, version: 2 };
  await collector.until(() => collector.eventsOf('heartbeat').length >= 3);
});

test('an operator may ask for an inventory: each asking brings one, and a start none beside its own', async () => {
  const collector = new FakeCollector();
  const rates = { heartbeatMs: 0, inventoryIntervalS: 0, verifyBytesPerSecond: 0, serveBytesPerSecond: 0, version: 1 };
  collector.central = { ...rates, inventoryRequest: 7 };
  const folder = await PeerFolder.make();
  await folder.put(indexOf(1), 0);
  await folder.put(indexOf(2), 1);
  const made = await run({ collector, folder });
  const settled = async () => {
    const answered = collector.settingsAnswered;
    while (collector.settingsAnswered < answered + 3) await nextTurn();
    await made.agent.settled();
  };
  await settled();
  expect(collector.inventories).toBe(1);
  const known = [...collector.manifests.keys()];
  expect(known).toHaveLength(2);
  collector.manifests.clear();
  collector.central = { ...rates, inventoryRequest: 8 };
  await collector.until(() => collector.inventories === 2);
  await settled();
  expect(collector.inventories).toBe(2);
  // What was lost with the records that are asked for again may have been what files are.
  expect([...collector.manifests.keys()].sort()).toEqual(known.sort());
  // A collector of an earlier release does not say the count: that asks for nothing, and forgets nothing.
  collector.central = { ...rates, version: 2 };
  await settled();
  collector.central = { ...rates, version: 2, inventoryRequest: 8 };
  await settled();
  expect(collector.inventories).toBe(2);
  await made.restart();
  await collector.until(() => collector.inventories === 3);
  await settled();
  expect(collector.inventories).toBe(3);
});

test('an enrolled peer serves its folder where its enrolment says, and what is stored there is reported at once', async () => {
  const folder = await PeerFolder.make();
  const made = await makeAgent({
    folder,
    config: { serve: true },
    agent: { system: { watchBudget: new WatchBudget(0) }, timing: { ...quickTiming, follower: {} } },
  });
  running.push(made);
  const { config, identity, clock, log } = made.options;
  let nurl = '';
  const collector = {
    enrol: (body: { token: string; nurl: string; domains: Record<string, string> }) => {
      nurl = body.nurl;
      expect(body.token).toBe('a token');
      return Promise.resolve({
        peerId: identity.peerId,
        domains: { ...body.domains, zone: 'b' },
        settings: {
          heartbeatMs: 0,
          inventoryIntervalS: 0,
          verifyBytesPerSecond: 0,
          serveBytesPerSecond: 0,
          version: 1,
        },
      });
    },
  };
  const enrolled = await enrolAgent({
    config,
    identity,
    collector,
    token: 'a token',
    domains: { zone: 'a', rack: '1' },
    clock,
    log,
  });
  expect(enrolled.domains).toEqual({ zone: 'b', rack: '1' });
  expect(JSON.stringify(enrolled)).not.toContain(parseNurl(nurl).revealSwissnum());
  await made.agent.start();
  await made.agent.settled();
  const client = createStorageClient();
  const peer = client.peer(parseNurl(nurl));
  const share = (await exampleFile()).shares[1] as Uint8Array;
  const uploadSecret = randomContent(32, 1);
  await peer.allocate(indexOf(5), {
    shareNumbers: [1],
    allocatedBytes: share.length,
    uploadSecret,
    renewSecret: randomContent(32, 2),
    cancelSecret: randomContent(32, 3),
  });
  expect((await peer.write(indexOf(5), 1, 0, share, uploadSecret)).isComplete).toBe(true);
  await made.collector.until(() => made.collector.view.has(`${indexOf(5)}/1`));
  const [announce] = made.collector.eventsOf('announce');
  expect(announce?.body.value).toMatchObject({ domains: { zone: 'b', rack: '1' }, port: parseNurl(nurl).port });
  // What somebody removes is not to come back after a crash: its record in the journal becomes one that revokes it.
  const whole = { bytes: share, uploadSecret, renewSecret: randomContent(32, 2), cancelSecret: randomContent(32, 3) };
  await peer.putWhole(indexOf(6), 1, whole);
  await made.collector.until(() => made.collector.view.has(`${indexOf(6)}/1`));
  const kindOfRecord = async (): Promise<number | undefined> =>
    (await readFile(join(folder.path, 'share-journal-0')))[4096 + 5];
  expect(await kindOfRecord()).toBe(1);
  await folder.remove(indexOf(6), 1);
  await made.collector.until(() => !made.collector.view.has(`${indexOf(6)}/1`));
  await expect.poll(kindOfRecord).toBe(2);
  await client.close();
  await made.restart();
  expect(made.agent.status().serving?.port).toBe(parseNurl(nurl).port);
  expect(JSON.stringify([made.agent.status(), made.log.lines])).not.toContain(parseNurl(nurl).revealSwissnum());
}, 20_000);

test('shares whose folder cannot be read are not declared lost', async () => {
  const one = await run();
  const path = one.folder.sharePath(indexOf(1), '.');
  await one.folder.put(indexOf(1), 0);
  await one.collector.until(() => one.collector.view.size === 1);
  await one.agent.stop();
  // A loop of links can be read by nobody, root included.
  await rename(path, `${one.folder.path}/kept`);
  await symlink(path, path);
  await one.restart();
  await one.agent.settled();
  expect(one.collector.inventories).toBe(2);
  expect(viewOf(one.collector)).toEqual([`${indexOf(1)}/0`]);
  expect(one.agent.status().otherFiles['unreadable-folder']).toBe(1);
});
