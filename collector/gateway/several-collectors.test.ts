/** Two collectors on one log, one of them killed while peers post: every event is there once, in the order in which it was said. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { expect, onTestFinished, test } from 'vitest';
import { createEmbeddedLog } from '#log/embedded-log.ts';
import type { EventLog } from '#log/port.ts';
import { systemClock } from '#mesh/clock.ts';
import { type AgentPost, AgentPostSchema, ShareEventsRecordSchema } from '#mesh/generated/events_pb.js';
import { compareOrder, type EventOrder } from '#mesh/incarnation.ts';
import { silentLogger } from '#mesh/logger.ts';
import { allTopics } from '#mesh/topics.ts';
import { createPeerIdentity, type PeerIdentity } from '#tahoe/identity/key-folder.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';
import { collectorPort } from '../agent/collector-port.ts';
import { type Lane, Sender } from '../agent/sender.ts';
import { createCollectorClient } from './client.ts';
import type { GatewayProcessOptions } from './testing/gateway-process.ts';
import { batchPost, nurlOf } from './testing/gateway-under-test.ts';
import { startTcpBalancer } from './testing/tcp-balancer.ts';
import { testTopics } from './testing/test-topics.ts';
import { createToken } from './tokens.ts';

const peerCount = 4;
const batchesOfPeer = 60;
const eventsOfBatch = 6;

interface Collector {
  readonly port: number;
  readonly process: ChildProcess;
}

interface Mesh {
  readonly directory: string;
  readonly identity: PeerIdentity;
  readonly log: EventLog;
  readonly peers: readonly PeerIdentity[];
}

async function newMesh(): Promise<Mesh> {
  const directory = await mkdtemp(join(tmpdir(), 'meshward-collectors-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const log = await createEmbeddedLog({ directory, topics: allTopics(testTopics), clock: systemClock });
  onTestFinished(() => log.close());
  const identity = await createPeerIdentity();
  const peers = await Promise.all(Array.from({ length: peerCount }, () => createPeerIdentity()));
  return { directory, identity, log, peers };
}

async function startCollector({ directory, identity }: Mesh, port = 0): Promise<Collector> {
  const child = fork(new URL('./testing/gateway-process.ts', import.meta.url), [], {
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const tls = { key: privateKeyPem(identity), cert: identity.certificatePem };
  child.send({ directory, tls, port } satisfies GatewayProcessOptions);
  const [{ port: taken }] = (await once(child, 'message')) as [{ port: number }];
  return { port: taken, process: child };
}

function clientOf(mesh: Mesh, url: string, peer: PeerIdentity) {
  const client = createCollectorClient({
    url,
    pin: mesh.identity.peerId,
    key: privateKeyPem(peer),
    cert: peer.certificatePem,
  });
  onTestFinished(() => client.close());
  return client;
}

/** Enrols the peers and sends all that they have to say; `taken` is called after each post that was acknowledged. */
async function sendAll(mesh: Mesh, url: string, taken: (count: number) => void): Promise<void> {
  let count = 0;
  await Promise.all(
    mesh.peers.map(async (peer) => {
      const client = clientOf(mesh, url, peer);
      const { token } = await createToken(mesh.log, testTopics, systemClock, { lifetimeMs: 3_600_000 });
      await client.enrol({ token, name: 'peer', domains: {}, nurl: nurlOf(peer), capacityBytes: 0 });
      const queue = Array.from({ length: batchesOfPeer }, (_, i) =>
        batchPost(peer, { sequence: i + 1, eventCount: eventsOfBatch }),
      );
      const done = Promise.withResolvers<void>();
      const lane: Lane<AgentPost> = {
        name: 'shares',
        next: () => Promise.resolve(queue[0] ?? null),
        bodyOf: (post) => toBinary(AgentPostSchema, post),
        sent: () => {
          queue.shift();
          taken(++count);
          if (queue.length === 0) done.resolve();
          return Promise.resolve();
        },
        refused: (_post, reason) => {
          done.reject(new Error(`a post was set aside: ${reason}`));
          return Promise.resolve();
        },
      };
      const sender = new Sender({
        lane,
        collector: collectorPort(client),
        clock: systemClock,
        random: Math.random,
        log: silentLogger,
        limits: { firstPauseMs: 20, longestPauseMs: 200 },
      });
      sender.start();
      await done.promise;
      await sender.stop();
    }),
  );
}

/** What an analyzer makes of the log: a batch at or below the last one of its peer in a partition is dropped. */
async function applied(
  log: EventLog,
): Promise<{ readonly sequencesOf: Map<string, number[][]>; readonly dropped: number }> {
  const sequencesOf = new Map<string, number[][]>();
  let dropped = 0;
  const { name, partitions } = testTopics.shareEvents;
  for (let partition = 0; partition < partitions; partition++) {
    const last = new Map<string, EventOrder>();
    for (let offset = 0; ; ) {
      const records = await log.read(name, partition, offset, 1024 * 1024);
      if (records.length === 0) break;
      offset = (records.at(-1)?.offset ?? 0) + 1;
      for (const record of records) {
        const { body } = fromBinary(ShareEventsRecordSchema, record.value as Uint8Array);
        if (body.case !== 'batch') continue;
        const peer = Buffer.from(body.value.peerId).toString('base64url');
        const order = { incarnation: Number(body.value.incarnation), sequence: Number(body.value.sequence) };
        const before = last.get(peer);
        if (before !== undefined && compareOrder(order, before) <= 0) {
          dropped++;
          continue;
        }
        last.set(peer, order);
        const lists = sequencesOf.get(peer) ?? Array.from({ length: partitions }, () => []);
        sequencesOf.set(peer, lists);
        for (let i = 0; i < body.value.kinds.length; i++) lists[partition]?.push(order.sequence);
      }
    }
  }
  return { sequencesOf, dropped };
}

/** Events of a batch fall into every partition in turn. */
function expectEverythingOnce(mesh: Mesh, { sequencesOf }: Awaited<ReturnType<typeof applied>>): void {
  const { partitions } = testTopics.shareEvents;
  for (const { peerId } of mesh.peers) {
    for (let partition = 0; partition < partitions; partition++) {
      const perBatch = Array.from({ length: eventsOfBatch }, (_, i) => i % partitions).filter(
        (p) => p === partition,
      ).length;
      const expected = Array.from({ length: batchesOfPeer }, (_, i) =>
        Array.from({ length: perBatch }, () => i + 1),
      ).flat();
      expect(sequencesOf.get(peerId)?.[partition]).toEqual(expected);
    }
  }
}

const total = peerCount * batchesOfPeer;

test('agents go to the next collector when the first is killed, and take it again once it is back', {
  timeout: 120_000,
}, async () => {
  const mesh = await newMesh();
  const [first, second] = [await startCollector(mesh), await startCollector(mesh)];
  const url = `https://127.0.0.1:${first.port}, https://127.0.0.1:${second.port}`;
  const restarted: Promise<Collector>[] = [];
  await sendAll(mesh, url, (count) => {
    if (count === Math.floor(total / 3)) first.process.kill('SIGKILL');
    if (count === Math.floor(total / 2)) restarted.push(startCollector(mesh, first.port));
  });
  expectEverythingOnce(mesh, await applied(mesh.log));

  expect((await Promise.all(restarted)).map(({ port }) => port)).toEqual([first.port]);
  second.process.kill('SIGKILL');
  const [peer] = mesh.peers as [PeerIdentity];
  expect(await clientOf(mesh, url, peer).settings()).toMatchObject({ version: 1 });
});

test('behind a TCP balancer a killed collector costs nothing but a retry', { timeout: 120_000 }, async () => {
  const mesh = await newMesh();
  const collectors = [await startCollector(mesh), await startCollector(mesh)] as const;
  const balancer = await startTcpBalancer(collectors.map(({ port }) => port));
  await sendAll(mesh, `https://127.0.0.1:${balancer.port}`, (count) => {
    if (count === Math.floor(total / 3)) collectors[0].process.kill('SIGKILL');
  });
  expectEverythingOnce(mesh, await applied(mesh.log));
});
