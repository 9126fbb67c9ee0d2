import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { toBinary } from '@bufbuild/protobuf';
import { expect, onTestFinished, test } from 'vitest';
import { AgentPostSchema } from '#mesh/generated/events_pb.js';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { createPeerIdentity, type PeerIdentity } from '#tahoe/identity/key-folder.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';
import {
  batchesIn,
  batchPost,
  deadLettersIn,
  heartbeatPost,
  newLog,
  newOperator,
  newPeer,
  startGateway,
} from './testing/gateway-under-test.ts';

/** A connection of a peer, with whatever bytes a test sends. */
async function openTls(port: number, identity: PeerIdentity, session?: Buffer): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port,
    key: privateKeyPem(identity),
    cert: identity.certificatePem,
    rejectUnauthorized: false,
    ...(session === undefined ? {} : { session }),
  });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'secureConnect');
  socket.on('error', () => undefined);
  return socket;
}

function openTcp(port: number): Socket {
  const socket = connectTcp({ host: '127.0.0.1', port });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  socket.resume();
  return socket;
}

function postHead(bodyBytes: number): string {
  return `POST /v1/events HTTP/1.1\r\nhost: test\r\ncontent-type: application/x-protobuf\r\ncontent-length: ${bodyBytes}\r\n\r\n`;
}

async function postOn(socket: TLSSocket, body: Uint8Array): Promise<string> {
  socket.write(postHead(body.length));
  socket.write(body);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  return answer.toString('latin1');
}

/** Everything that comes until the server closes. */
async function untilClosed(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  if (!socket.destroyed) await once(socket, 'close');
  return text;
}

test('a session that is resumed has the identity of its handshake, and a revoked one is refused in it', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const operator = gateway.client(await newOperator(log));
  const peer = await newPeer(log, gateway);
  let session: Buffer | undefined;
  const first = await openTls(gateway.port, peer);
  first.on('session', (next: Buffer) => (session = next));
  expect(await postOn(first, toBinary(AgentPostSchema, heartbeatPost(peer, 1)))).toMatch(/^HTTP\/1.1 200/);
  expect(session).toBeDefined();

  const resumed = await openTls(gateway.port, peer, session);
  expect(resumed.isSessionReused()).toBe(true);
  expect(await postOn(resumed, toBinary(AgentPostSchema, heartbeatPost(peer, 2)))).toMatch(/^HTTP\/1.1 200/);

  await operator.revokePeer(peer.peerId, 'stolen');
  const revoked = await openTls(gateway.port, peer, session);
  expect(revoked.isSessionReused()).toBe(true);
  const answer = await postOn(revoked, toBinary(AgentPostSchema, heartbeatPost(peer, 3)));
  expect(answer).toMatch(/^HTTP\/1.1 403/);
  expect(answer).toContain('peer-revoked');
});

test('a session gives no other key than the one that it was made with', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const [peer, other] = [await newPeer(log, gateway), await newPeer(log, gateway)];
  let session: Buffer | undefined;
  const first = await openTls(gateway.port, peer);
  first.on('session', (next: Buffer) => (session = next));
  await postOn(first, toBinary(AgentPostSchema, heartbeatPost(peer)));
  const mixed = await openTls(gateway.port, other, session);
  expect(await postOn(mixed, toBinary(AgentPostSchema, heartbeatPost(other)))).toContain('peer-impersonation');
});

test('a session of another collector is no way in: the handshake is made anew', async () => {
  const log = newLog();
  const [one, two] = [await startGateway({ log }), await startGateway({ log })];
  const peer = await newPeer(log, one);
  let session: Buffer | undefined;
  const first = await openTls(one.port, peer);
  first.on('session', (next: Buffer) => (session = next));
  await postOn(first, toBinary(AgentPostSchema, heartbeatPost(peer)));
  const elsewhere = await openTls(two.port, peer, session);
  expect(elsewhere.isSessionReused()).toBe(false);
  expect(await postOn(elsewhere, toBinary(AgentPostSchema, heartbeatPost(peer, 2)))).toMatch(/^HTTP\/1.1 200/);
});

test('who never begins its handshake, never ends its headers or sends its body drop by drop is cut off', async () => {
  const log = newLog();
  const gateway = await startGateway({
    log,
    config: { maxConcurrentPosts: 1 },
    connectionLimits: { handshakeTimeoutMs: 100, headersTimeoutMs: 200, requestTimeoutMs: 400, checkIntervalMs: 50 },
  });
  const peer = await newPeer(log, gateway);
  const stranger = await createPeerIdentity();

  const silent = openTcp(gateway.port);
  const halfHeaders = await openTls(gateway.port, stranger);
  halfHeaders.write('POST /v1/events HTTP/1.1\r\nhost: ');
  const slowBody = await openTls(gateway.port, peer);
  slowBody.write(postHead(1000));
  slowBody.write('x');
  const [, headersAnswer, bodyAnswer] = await Promise.all([silent, halfHeaders, slowBody].map(untilClosed));
  for (const answer of [headersAnswer, bodyAnswer]) expect(answer).toMatch(/^(HTTP\/1.1 4|$)/);
  // The one place is free again.
  expect(await gateway.client(peer).postEvents(batchPost(peer))).toEqual({ accepted: 8 });
});

test('headers beyond the limit get 431 and the connection is closed', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const socket = await openTls(gateway.port, await createPeerIdentity());
  socket.write(`GET /v1/settings HTTP/1.1\r\nhost: test\r\nx-long: ${'a'.repeat(9 * 1024)}\r\n\r\n`);
  expect(await untilClosed(socket)).toMatch(/^HTTP\/1.1 431/);
});

test('what is not TLS at all is closed without an answer, and costs no place', async () => {
  const log = newLog();
  const gateway = await startGateway({ log, connectionLimits: { maxNewcomers: 1 } });
  const plain = openTcp(gateway.port);
  plain.write('GET / HTTP/1.1\r\n\r\n');
  await untilClosed(plain);
  const peer = await newPeer(log, gateway);
  expect(await gateway.client(peer).postEvents(heartbeatPost(peer))).toEqual({ accepted: 1 });
});

test('connections that do not say who they are make room for a peer once they had time enough, and never take a known one’s place', async () => {
  const log = newLog();
  const clock = new ManualClock();
  const gateway = await startGateway({
    log,
    clock,
    connectionLimits: { maxNewcomers: 3, newcomerGraceMs: 2000, handshakeTimeoutMs: 600_000 },
  });
  const known = await newPeer(log, gateway);
  const kept = gateway.client(known);
  expect(await kept.postEvents(heartbeatPost(known))).toEqual({ accepted: 1 });
  // The connection on which it enrolled was a newcomer's until its first post.
  const strangers = [openTcp(gateway.port), openTcp(gateway.port), openTcp(gateway.port)];
  await Promise.all(strangers.map((socket) => once(socket, 'connect')));
  const late = gateway.client(known);
  // Heartbeats that come within a moment wait for each other, and time stands still.
  clock.advanceSync(100);
  await expect(late.postEvents(heartbeatPost(known, 2))).rejects.toMatchObject({ status: 0, retryable: true });
  expect(await kept.postEvents(heartbeatPost(known, 2))).toEqual({ accepted: 1 });
  clock.advanceSync(2000);
  expect(await late.postEvents(heartbeatPost(known, 3))).toEqual({ accepted: 1 });
  await untilClosed(strangers[0] as Socket);
});

test('an enrolled peer that trickles its bodies holds its own part of the places and no more', async () => {
  const log = newLog();
  const gateway = await startGateway({ log, config: { maxConcurrentPosts: 16 } });
  const [slow, other] = [await newPeer(log, gateway), await newPeer(log, gateway)];
  const held: TLSSocket[] = [];
  for (let i = 0; i < 8; i++) {
    const socket = await openTls(gateway.port, slow);
    socket.write(postHead(1000));
    socket.write('x');
    held.push(socket);
  }
  const beyond = await openTls(gateway.port, slow);
  let answer = '';
  // The eight are on their way; each try that comes too soon is itself a post of this peer that is answered.
  for (let i = 0; i < 50 && !answer.includes(' 429 '); i++) {
    answer = await postOn(beyond, toBinary(AgentPostSchema, heartbeatPost(slow, i + 1)));
  }
  expect(answer).toMatch(/^HTTP\/1.1 429/);
  expect(answer).toMatch(/retry-after: 1/i);
  expect(await gateway.client(other).postEvents(batchPost(other))).toEqual({ accepted: 8 });
});

test('a stranger’s body is not read, however long it is, and nothing of it is kept', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const stranger = await createPeerIdentity();
  const socket = await openTls(gateway.port, stranger);
  socket.write(postHead(1_000_000));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString('latin1')).toMatch(/^HTTP\/1.1 401/);
  expect(deadLettersIn(log)).toMatchObject([{ reasonCode: 'peer-unknown', payload: new Uint8Array() }]);
  expect(batchesIn(log)).toEqual([]);
});
