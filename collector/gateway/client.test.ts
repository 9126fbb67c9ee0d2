import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { MeshwardError } from '#mesh/errors.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';
import { type CollectorClient, createCollectorClient } from './client.ts';
import { heartbeatPost, newLog, newPeer, startGateway } from './testing/gateway-under-test.ts';

type Identity = Awaited<ReturnType<typeof createPeerIdentity>>;

async function startServer(
  answer: (server: Server) => void,
  own?: Identity,
): Promise<{ url: string; identity: Identity; server: Server }> {
  const identity = own ?? (await createPeerIdentity());
  const server = createServer({
    key: privateKeyPem(identity),
    cert: identity.certificatePem,
    requestCert: true,
    rejectUnauthorized: false,
  });
  answer(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, identity, server };
}

function clientOf(
  url: string,
  pin: Identity['peerId'],
  caller: Identity,
  answerMs = 5000,
  maxConnections = 1,
): CollectorClient {
  const client = createCollectorClient({
    url,
    pin,
    key: privateKeyPem(caller),
    cert: caller.certificatePem,
    timeouts: { answerMs },
    maxConnections,
  });
  onTestFinished(() => client.close());
  return client;
}

test('nothing is written to a server that does not hold the pinned key', async () => {
  const caller = await createPeerIdentity();
  let requests = 0;
  let bytes = 0;
  const { url } = await startServer((server) => {
    server.on('request', () => requests++);
    server.on('secureConnection', (socket) => socket.on('data', (chunk: Buffer) => (bytes += chunk.length)));
  });
  const client = clientOf(url, (await createPeerIdentity()).peerId, caller);
  for (let i = 0; i < 3; i++) {
    await expect(client.postEvents(heartbeatPost(caller))).rejects.toMatchObject({
      code: 'gbs-pin-mismatch',
      retryable: false,
    });
  }
  expect([requests, bytes]).toEqual([0, 0]);
});

test('connections are kept, and a new one resumes the session without losing the identity of the caller', async () => {
  const log = newLog();
  const underTest = await startGateway({ log });
  const peer = await newPeer(log, underTest);
  const reused: boolean[] = [];
  const { url, identity } = await startServer((server) => {
    server.on('secureConnection', (socket) => reused.push(socket.isSessionReused()));
    server.on('request', (request, response) => {
      response.setHeader('connection', request.url === '/v1/enrol' ? 'close' : 'keep-alive');
      response.end('{"accepted":1}');
    });
  });
  const client = clientOf(url, identity.peerId, peer);
  await client.postEvents(heartbeatPost(peer));
  await client.postEvents(heartbeatPost(peer));
  expect(reused).toEqual([false]);
  await client.enrol({ token: 't', name: '', domains: {}, nurl: 'n', capacityBytes: 0 });
  await client.postEvents(heartbeatPost(peer));
  expect(reused).toEqual([false, true]);
});

test('a caller whose session was resumed is still known to the gateway', async () => {
  const log = newLog();
  const underTest = await startGateway({ log });
  const peer = await newPeer(log, underTest);
  const client = createCollectorClient({
    url: underTest.url,
    pin: underTest.gateway.pin,
    key: privateKeyPem(peer),
    cert: peer.certificatePem,
    maxConnections: 6,
  });
  onTestFinished(() => client.close());
  await client.settings();
  const answers = await Promise.all(Array.from({ length: 6 }, () => client.settings()));
  expect(answers.every((answer) => answer?.version === 1)).toBe(true);
});

test('an unreachable collector, a silent one and one that is none are told apart from refusals, and may be tried again', async () => {
  const caller = await createPeerIdentity();
  const nobody = clientOf('https://127.0.0.1:1', caller.peerId, caller);
  await expect(nobody.settings()).rejects.toMatchObject({ code: 'service-unavailable', status: 0, retryable: true });
  const silent = await startServer(() => undefined);
  const toSilent = clientOf(silent.url, silent.identity.peerId, caller, 50);
  await expect(toSilent.settings()).rejects.toMatchObject({ code: 'service-unavailable', retryable: true });
  const other = await startServer((server) =>
    server.on('request', (_request, response) => response.writeHead(502).end('<html>')),
  );
  const toOther = clientOf(other.url, other.identity.peerId, caller);
  await expect(toOther.settings()).rejects.toMatchObject({ code: 'internal', status: 502, retryable: true });
});

test('a url that is not https is refused at once', async () => {
  const caller = await createPeerIdentity();
  expect(() => clientOf('http://127.0.0.1:7701', caller.peerId, caller)).toThrow(/https/);
});

/** A collector that answers everything in one way, and counts what it was asked. */
async function startAnswering(
  identity: Identity,
  answer: { status: number; retryAfter?: string; body?: string } | 'nothing',
): Promise<{ url: string; asked: () => number }> {
  let asked = 0;
  const arrived = await startServer((server) => {
    server.on('request', (_request, response) => {
      asked++;
      if (answer === 'nothing') return;
      response.writeHead(answer.status, answer.retryAfter === undefined ? {} : { 'retry-after': answer.retryAfter });
      response.end(answer.body ?? '{"accepted":1}');
    });
  }, identity);
  return { url: arrived.url, asked: () => asked };
}

const busyBody = JSON.stringify({
  error: { code: 'service-busy', message: 'busy', next: 'wait', retryable: true },
});
const limitBody = JSON.stringify({ error: { code: 'peer-limit', message: 'much', next: 'wait', retryable: true } });

test('of several collectors the first one that can answer does: unreachable, busy and foreign ones are passed over', async () => {
  const [caller, shared] = [await createPeerIdentity(), await createPeerIdentity()];
  const busy = await startAnswering(shared, { status: 503, retryAfter: '7', body: busyBody });
  const foreign = await startAnswering(await createPeerIdentity(), { status: 200 });
  const good = await startAnswering(shared, { status: 200 });
  const urls = ['https://127.0.0.1:1', busy.url, foreign.url, good.url];
  const client = clientOf(urls.join(','), shared.peerId, caller);
  expect(await client.postEvents(heartbeatPost(caller, 1))).toEqual({ accepted: 1 });
  expect(await client.postEvents(heartbeatPost(caller, 2))).toEqual({ accepted: 1 });
  // The second call found the others resting.
  expect([busy.asked(), foreign.asked(), good.asked()]).toEqual([1, 0, 2]);
});

test('where no collector takes a call the caller learns when to come again', async () => {
  const [caller, shared] = [await createPeerIdentity(), await createPeerIdentity()];
  const foreign = await startAnswering(await createPeerIdentity(), { status: 200 });
  const busy = await startAnswering(shared, { status: 503, retryAfter: '7', body: busyBody });
  const client = clientOf(`${foreign.url},${busy.url}`, shared.peerId, caller);
  await expect(client.postEvents(heartbeatPost(caller))).rejects.toMatchObject({
    status: 503,
    retryable: true,
    retryAfterMs: 7000,
  });
});

test('what a collector says about the caller or its post is not asked of another one', async () => {
  const [caller, shared] = [await createPeerIdentity(), await createPeerIdentity()];
  const strict = await startAnswering(shared, { status: 429, retryAfter: '3', body: limitBody });
  const other = await startAnswering(shared, { status: 200 });
  const client = clientOf(`${strict.url},${other.url}`, shared.peerId, caller);
  for (let i = 0; i < 2; i++) {
    await expect(client.postEvents(heartbeatPost(caller))).rejects.toMatchObject({ status: 429, retryAfterMs: 3000 });
  }
  expect([strict.asked(), other.asked()]).toEqual([2, 0]);
});

test('a collector that does not answer in time rests, and the next try goes to another; giving up for oneself says nothing about it', async () => {
  const [caller, shared] = [await createPeerIdentity(), await createPeerIdentity()];
  const silent = await startAnswering(shared, 'nothing');
  const good = await startAnswering(shared, { status: 200 });
  const client = clientOf(`${silent.url},${good.url}`, shared.peerId, caller);
  const brokenOff = async (retryable: boolean): Promise<void> => {
    const abort = new AbortController();
    const post = client.postEvents(heartbeatPost(caller), {}, abort.signal);
    const before = silent.asked();
    while (silent.asked() === before) await new Promise((resolve) => setImmediate(resolve));
    abort.abort(new MeshwardError('service-unavailable', 'broken off', { next: 'again', retryable }));
    await expect(post).rejects.toThrow('broken off');
  };
  await brokenOff(false);
  await brokenOff(true);
  expect([silent.asked(), good.asked()]).toEqual([2, 0]);
  expect(await client.postEvents(heartbeatPost(caller))).toEqual({ accepted: 1 });
  expect([silent.asked(), good.asked()]).toEqual([2, 1]);
});
