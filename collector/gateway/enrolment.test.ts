import { expect, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { configSchema } from '#mesh/config/schema.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import type { GatewayLog } from './service.ts';
import { gatedLog } from './testing/gated-log.ts';
import {
  batchPost,
  newLog,
  newOperator,
  newPeer,
  nurlOf,
  startGateway,
  testTopics,
} from './testing/gateway-under-test.ts';
import { rawRequest } from './testing/raw-request.ts';
import { createToken } from './tokens.ts';

const hourMs = 3_600_000;

async function request(identity: Awaited<ReturnType<typeof createPeerIdentity>>, token: string) {
  return { token, name: 'a peer', domains: { zone: 'said', rack: 'r1' }, nurl: nurlOf(identity), capacityBytes: 1000 };
}

test('a token enrols its peer once, and binds it to the domains of the token', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const [peer, other] = [await createPeerIdentity(), await createPeerIdentity()];
  const operator = gateway.client(await newOperator(log));
  const { token, collectorPin } = await operator.createToken({ domains: { zone: 'bound' } });
  expect(collectorPin).toBe(gateway.gateway.pin);
  const enrolled = await gateway.client(peer).enrol(await request(peer, token));
  expect(enrolled).toMatchObject({
    peerId: peer.peerId,
    domains: { zone: 'bound', rack: 'r1' },
    settings: { version: 1 },
  });
  expect(enrolled.settings.heartbeatMs).toBe(configSchema.shape.agent.parse({}).heartbeatMs);
  await expect(gateway.client(other).enrol(await request(other, token))).rejects.toMatchObject({
    status: 403,
    code: 'token-invalid',
  });
  expect(await gateway.client(peer).postEvents(batchPost(peer))).toEqual({ accepted: 8 });
});

test('enrolling again with the same token changes nothing that the token bound', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const peer = await createPeerIdentity();
  const { token } = await createToken(log, testTopics, systemClock, { domains: { zone: 'bound' }, lifetimeMs: hourMs });
  const client = gateway.client(peer);
  const first = await client.enrol(await request(peer, token));
  const again = await client.enrol({
    ...(await request(peer, token)),
    domains: { zone: 'moved', rack: 'moved', region: 'new' },
  });
  expect(again).toEqual({ ...first, domains: { zone: 'bound', rack: 'r1', region: 'new' } });
});

test('unknown, used and expired tokens are refused in the same words', async () => {
  const log = newLog();
  const clock = new ManualClock();
  const gateway = await startGateway({ log, clock });
  const [holder, late] = [await createPeerIdentity(), await createPeerIdentity()];
  const used = await createToken(log, testTopics, clock, { lifetimeMs: hourMs });
  const expired = await createToken(log, testTopics, clock, { lifetimeMs: 1000 });
  await gateway.client(holder).enrol(await request(holder, used.token));
  clock.advanceSync(1000);
  const messages = new Set<string>();
  for (const token of [used.token, expired.token, 'mwt_unknown']) {
    const error = await gateway
      .client(late)
      .enrol(await request(late, token))
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ status: 403, code: 'token-invalid' });
    messages.add((error as Error).message);
  }
  expect(messages.size).toBe(1);
});

test('one token used at once through two gateways over one log enrols one peer', async () => {
  const log = newLog();
  const gateways = [await startGateway({ log }), await startGateway({ log })];
  for (let round = 0; round < 10; round++) {
    const { token } = await createToken(log, testTopics, systemClock, { lifetimeMs: hourMs });
    const peers = await Promise.all(Array.from({ length: 4 }, () => createPeerIdentity()));
    const outcomes = await Promise.allSettled(
      peers.map(async (peer, i) => gateways[i % 2]?.client(peer).enrol(await request(peer, token))),
    );
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'token-invalid' });
    }
  }
});

test('a gateway that starts after compaction knows the same peers, and no used token comes back to life', async () => {
  const log = newLog();
  const first = await startGateway({ log });
  const [peer, other] = [await createPeerIdentity(), await createPeerIdentity()];
  const { token } = await createToken(log, testTopics, systemClock, { lifetimeMs: hourMs });
  await first.client(peer).enrol(await request(peer, token));
  log.compact(testTopics.enrolments.name);
  const second = await startGateway({ log });
  await expect(second.client(other).enrol(await request(other, token))).rejects.toMatchObject({
    code: 'token-invalid',
  });
  expect(await second.client(peer).enrol(await request(peer, token))).toMatchObject({ peerId: peer.peerId });
  expect(await second.client(peer).postEvents(batchPost(peer))).toEqual({ accepted: 8 });
});

test("a peer enrols its own key only: another pin in the NURL is refused, and the NURL's secret is not repeated", async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const [peer, other] = [await createPeerIdentity(), await createPeerIdentity()];
  const { token } = await createToken(log, testTopics, systemClock, { lifetimeMs: hourMs });
  const body = { ...(await request(peer, token)), nurl: nurlOf(other) };
  const answer = await rawRequest(`${gateway.url}/v1/enrol`, peer, {
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });
  expect(answer.status).toBe(403);
  const swissnum = body.nurl.split('/').at(-1)?.split('#')[0] as string;
  expect(answer.text).not.toContain(swissnum);
  expect(answer.text).not.toContain(token);
  expect(await gateway.client(peer).enrol(await request(peer, token))).toMatchObject({ peerId: peer.peerId });
});

test('a revoked key stays revoked, whatever token it brings', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const peer = await newPeer(log, gateway);
  await gateway.client(await newOperator(log)).revokePeer(peer.peerId, 'stolen');
  const { token } = await createToken(log, testTopics, systemClock, { lifetimeMs: hourMs });
  await expect(gateway.client(peer).enrol(await request(peer, token))).rejects.toMatchObject({ code: 'peer-revoked' });
});

test('a replaced machine takes over settings and domains of the old peer', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const operator = gateway.client(await newOperator(log));
  const old = await newPeer(log, gateway, { zone: 'a', rack: 'r7' });
  await operator.changeSettings(old.peerId, { heartbeatMs: 2500 });
  const { token } = await operator.createToken({ replacesPeerId: old.peerId });
  const fresh = await createPeerIdentity();
  const enrolled = await gateway.client(fresh).enrol(await request(fresh, token));
  expect(enrolled).toMatchObject({ domains: { zone: 'a', rack: 'r7' }, settings: { heartbeatMs: 2500 } });
});

test('settings have a version: what a peer has already is not sent again', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const operator = gateway.client(await newOperator(log));
  const peer = await newPeer(log, gateway);
  const client = gateway.client(peer);
  const first = await client.settings();
  expect(first?.version).toBe(1);
  expect(await client.settings(1)).toBeNull();
  expect(await operator.changeSettings(peer.peerId, { verifyBytesPerSecond: 5 })).toMatchObject({
    version: 2,
    verifyBytesPerSecond: 5,
  });
  expect(await operator.changeSettings(peer.peerId, { verifyBytesPerSecond: 5 })).toMatchObject({ version: 2 });
  expect(await client.settings(1)).toEqual({ ...first, version: 2, verifyBytesPerSecond: 5 });
});

test('an inventory that is asked for reaches the peer, and leaves its version and rates as they were', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const operator = gateway.client(await newOperator(log));
  const peer = await newPeer(log, gateway);
  const client = gateway.client(peer);
  const first = await client.settings();
  expect(first).toMatchObject({ version: 1, inventoryRequest: 0 });
  await operator.requestInventory(peer.peerId);
  expect(await client.settings(1)).toEqual({ ...first, inventoryRequest: 1 });
  expect(await client.settings(1, 1)).toBeNull();
  await operator.requestInventory(peer.peerId);
  expect(await client.settings(1, 1)).toEqual({ ...first, inventoryRequest: 2 });
  const changed = await operator.changeSettings(peer.peerId, { heartbeatMs: 7000 });
  expect(changed).toEqual({ ...first, heartbeatMs: 7000, version: 2, inventoryRequest: 2 });
  expect(await client.settings(1, 2)).toEqual(changed);
  expect(await client.settings(2, 2)).toBeNull();
  await expect(operator.requestInventory((await createPeerIdentity()).peerId)).rejects.toMatchObject({
    status: 404,
    code: 'peer-unknown',
  });
});

test('changes of one peer through two gateways at once are all there in the end', async () => {
  const log = newLog();
  const gateways = [await startGateway({ log }), await startGateway({ log })] as const;
  const identity = await newOperator(log);
  const operators = gateways.map((gateway) => gateway.client(identity));
  const [one, two] = operators as [(typeof operators)[0], (typeof operators)[0]];
  const peer = await newPeer(log, gateways[0]);
  await Promise.all([
    one.changeSettings(peer.peerId, { heartbeatMs: 1234 }),
    two.revokePeer(peer.peerId, 'both'),
    one.changeSettings(peer.peerId, { serveBytesPerSecond: 99 }),
  ]);
  for (const operator of operators) {
    const entry = (await operator.directory()).find((known) => known.peerId === peer.peerId);
    expect(entry).toMatchObject({ revoked: true, settings: { heartbeatMs: 1234, serveBytesPerSecond: 99 } });
  }
});

test('expired tokens are forgotten when new ones are made', async () => {
  const log = newLog();
  const clock = new ManualClock();
  const gateway = await startGateway({ log, clock });
  const operator = gateway.client(await newOperator(log));
  await operator.createToken({ lifetimeMs: 1000 });
  clock.advanceSync(8 * 24 * hourMs);
  await operator.createToken({ lifetimeMs: 1000 });
  log.compact(testTopics.enrolments.name);
  const tokens = log.all(testTopics.enrolments.name).filter((record) =>
    Buffer.from(record.key ?? [])
      .toString()
      .startsWith('token:'),
  );
  expect(tokens).toHaveLength(1);
});

test('whoever was enrolled beside a gateway a moment ago is known to it, however late the log hands records over', async () => {
  const log = newLog();
  const slow: GatewayLog = {
    append: log.append.bind(log),
    bounds: log.bounds.bind(log),
    follow: (topics, from, onRecords) =>
      log.follow(topics, from, async (...records) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        await onRecords(...records);
      }),
  };
  const [fast, late] = [await startGateway({ log }), await startGateway({ log: slow })];
  const operator = late.client(await newOperator(log));
  expect(await operator.directory()).toEqual([]);
  const peer = await newPeer(log, fast);
  expect(await late.client(peer).postEvents(batchPost(peer))).toEqual({ accepted: 8 });
  const { token } = await createToken(log, testTopics, systemClock, { lifetimeMs: hourMs });
  const another = await createPeerIdentity();
  expect(await late.client(another).enrol(await request(another, token))).toMatchObject({ peerId: another.peerId });
});

test('claims of one token that were written before any gateway saw another enrol the peer whose claim stands first', async () => {
  const log = newLog();
  const gated = gatedLog(log);
  const gateways = [await startGateway({ log: gated }), await startGateway({ log: gated })];
  const { token } = await createToken(log, testTopics, systemClock, { lifetimeMs: hourMs });
  await Promise.all(gateways.map((gateway) => newPeer(log, gateway))); // both have read the token, which is older
  gated.shutUntil(testTopics.enrolments.name, 2);
  const peers = [await createPeerIdentity(), await createPeerIdentity()];
  const outcomes = await Promise.allSettled(
    gateways.map(async (gateway, i) => {
      const peer = peers[i] as (typeof peers)[0];
      return gateway.client(peer).enrol(await request(peer, token));
    }),
  );
  const claims = log.all(testTopics.enrolments.name).filter((record) => record.key?.length === 6 + 32 + 16);
  expect(claims.length - 2).toBe(2);
  expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(outcomes.find((outcome) => outcome.status === 'rejected')).toMatchObject({
    reason: { code: 'token-invalid' },
  });
});

test.each(['revoke first', 'settings first'])(
  'changes that crossed in the log are both there in the end: %s',
  async (order) => {
    const log = newLog();
    const gated = gatedLog(log);
    const gateways = [await startGateway({ log: gated }), await startGateway({ log: gated })] as const;
    const identity = await newOperator(log);
    const [one, two] = [gateways[0].client(identity), gateways[1].client(identity)];
    const peer = await newPeer(log, gateways[0]);
    expect(await two.directory()).toHaveLength(1);
    gated.shutUntil(testTopics.enrolments.name, 2);
    const revoke = () => one.revokePeer(peer.peerId, 'stolen');
    const change = () => two.changeSettings(peer.peerId, { heartbeatMs: 4321 });
    await Promise.all(order === 'revoke first' ? [revoke(), change()] : [change(), revoke()]);
    for (const operator of [one, two]) {
      expect(await operator.directory()).toMatchObject([
        { revoked: true, revokedReason: 'stolen', settings: { heartbeatMs: 4321 } },
      ]);
    }
    log.compact(testTopics.enrolments.name);
    const later = (await startGateway({ log })).client(identity);
    expect(await later.directory()).toMatchObject([{ revoked: true, settings: { heartbeatMs: 4321 } }]);
  },
);
