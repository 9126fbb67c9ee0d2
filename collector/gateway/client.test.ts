import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';
import { type CollectorClient, createCollectorClient } from './client.ts';
import { heartbeatPost, newLog, newPeer, startGateway } from './testing/gateway-under-test.ts';

type Identity = Awaited<ReturnType<typeof createPeerIdentity>>;

async function startServer(
  answer: (server: Server) => void,
): Promise<{ url: string; identity: Identity; server: Server }> {
  const identity = await createPeerIdentity();
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
