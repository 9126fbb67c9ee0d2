import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { formatCap, storageIndexOfKey } from '#mesh/caps.ts';
import { readShareEvents } from '#mesh/events/records.ts';
import { ManifestOrigin } from '#mesh/generated/events_pb.js';
import { partitionOfStorageIndex, storageIndexToBytes } from '#mesh/storage-index.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import type { CollectorClient } from './client.ts';
import type { GatewayLog } from './service.ts';
import {
  batchesIn,
  batchPost,
  newLog,
  newOperator,
  newPeer,
  peerEventsIn,
  startGateway,
  testTopics,
} from './testing/gateway-under-test.ts';
import { errorOf, rawRequest } from './testing/raw-request.ts';
import { revokeOperator } from './tokens.ts';

function manifestOf(name: string) {
  const key = createHash('sha256').update(name).digest().subarray(0, 16);
  const uebHash = new Uint8Array(createHash('sha256').update(`ueb ${name}`).digest());
  return { key, manifest: { storageIndex: storageIndexOfKey(key), uebHash, k: 3, n: 10, sizeBytes: 1000 } };
}

const verifyCap = (name: string) => formatCap({ kind: 'verify', manifest: manifestOf(name).manifest });

test('what is for operators is refused to everybody else', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const peer = await newPeer(log, gateway);
  const former = await newOperator(log);
  await revokeOperator(log, testTopics, former.peerId, 'former');
  const routes = [
    ['POST', '/v1/tokens'],
    ['GET', '/v1/directory'],
    ['POST', '/v1/files'],
    ['POST', '/v1/findings'],
    ['DELETE', `/v1/files/${manifestOf('a').manifest.storageIndex}`],
    ['POST', '/v1/silences'],
    ['POST', '/v1/silences/00000000-0000-4000-8000-000000000001/end'],
    ['POST', '/v1/acknowledgements'],
    ['PUT', `/v1/peers/${peer.peerId}/settings`],
    ...['revoke', 'restore', 'drain', 'maintenance', 'depart', 'inventory'].map((what) => [
      'POST',
      `/v1/peers/${peer.peerId}/${what}`,
    ]),
  ] as [string, string][];
  for (const identity of [peer, former, await createPeerIdentity(), null]) {
    for (const [method, path] of routes) {
      const answer = await rawRequest(`${gateway.url}${path}`, identity, { method });
      expect([path, answer.status, errorOf(answer).code]).toEqual([path, 403, 'operator-unknown']);
    }
  }
});

test('what an operator found to be corrupt stands among the events of its file', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const peer = await newPeer(log, gateway);
  const client = gateway.client(await newOperator(log));
  const { storageIndex } = manifestOf('a').manifest;
  await client.reportFindings([
    { storageIndex, peerId: peer.peerId, shareNumber: 7, reason: 'a proof found it corrupt' },
  ]);
  const { name, partitions } = testTopics.shareEvents;
  const partition = partitionOfStorageIndex(storageIndexToBytes(storageIndex), 0, partitions);
  const values = (await log.read(name, partition, 0, 100_000)).map(({ value }) => readShareEvents(value as Uint8Array));
  expect(values.find(({ kind }) => kind === 'finding')).toMatchObject({
    finding: { storageIndex: storageIndexToBytes(storageIndex), peer: peer.peerId, shareNumber: 7, reader: 'operator' },
  });
  const bad = [{ storageIndex, peerId: peer.peerId, shareNumber: 256, reason: '' }];
  await expect(client.reportFindings(bad)).rejects.toMatchObject({ code: 'bad-input' });
});

test("an operator's files are owned, tagged, and grow in one order that every analyzer takes", async () => {
  const log = newLog();
  const gateways = [await startGateway({ log }), await startGateway({ log })];
  const identity = await newOperator(log);
  const clients = gateways.map((gateway) => gateway.client(identity)) as [CollectorClient, CollectorClient];
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      clients[i % 2 === 0 ? 0 : 1].registerFiles([
        { cap: verifyCap(`file ${i}`), tag: 'gold' },
        { cap: verifyCap(`more ${i}`) },
      ]),
    ),
  );
  await clients[0].deleteFile(manifestOf('file 3').manifest.storageIndex);
  const written = batchesIn(log);
  const manifests = written.flatMap(({ batch }) => batch.manifests);
  expect(manifests).toHaveLength(40);
  expect(manifests.every((manifest) => manifest.origin === ManifestOrigin.OWNER)).toBe(true);
  expect(manifests.filter((manifest) => manifest.tag === 'gold')).toHaveLength(20);
  expect(written.reduce((sum, { batch }) => sum + batch.deletedFiles.length, 0)).toBe(16);
  const last = new Map<string, bigint>();
  for (const { record, batch } of written) {
    const lane = `${record.partition} ${Buffer.from(batch.peerId).toString('hex')} ${batch.incarnation}`;
    expect(batch.sequence > (last.get(lane) ?? 0n)).toBe(true);
    last.set(lane, batch.sequence);
    expect(record.headers['meshward-operator']).toBe(identity.peerId);
  }
  expect(new Set(written.map(({ batch }) => Buffer.from(batch.peerId).toString('hex'))).size).toBe(2);
});

test('a read cap is refused without repeating it, and nothing of its request is registered', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const operator = await newOperator(log);
  const { key, manifest } = manifestOf('secret');
  const readCap = formatCap({ kind: 'read', key, manifest });
  for (const cap of [readCap, `${readCap}x`, 'URI:LIT:krugkidfnzsc4']) {
    const answer = await rawRequest(`${gateway.url}/v1/files`, operator, {
      body: JSON.stringify({ files: [{ cap: verifyCap('fine') }, { cap }] }),
      headers: { 'content-type': 'application/json' },
    });
    expect([answer.status, errorOf(answer).code]).toEqual([400, 'bad-cap']);
    expect(answer.text).not.toContain(cap.split(':')[2]);
  }
  expect(batchesIn(log)).toEqual([]);
  expect(log.all(testTopics.deadLetters.name)).toEqual([]);
});

test('the directory holds every peer page by page, and may not be stored on its way', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const identity = await newOperator(log);
  const peers = await Promise.all(Array.from({ length: 5 }, () => newPeer(log, gateway, { zone: 'a' })));
  const all = await gateway.client(identity).directory();
  expect(all.map((peer) => peer.peerId)).toEqual(peers.map((peer) => peer.peerId as string).sort());
  expect(all[0]).toMatchObject({ domains: { zone: 'a' }, revoked: false });
  expect(all[0]?.nurl).toContain(`pb://${all[0]?.peerId}@`);
  const page = await rawRequest(`${gateway.url}/v1/directory?limit=2&after=${all[1]?.peerId}`, identity, {
    method: 'GET',
  });
  expect(page.headers['cache-control']).toBe('no-store');
  expect(JSON.parse(page.text)).toMatchObject({
    peers: [{ peerId: all[2]?.peerId }, { peerId: all[3]?.peerId }],
    next: all[3]?.peerId,
  });
});

test('what an operator says about a peer stands outside of the order of the peer itself', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const operator = gateway.client(await newOperator(log));
  const peer = await newPeer(log, gateway);
  await operator.drainPeer(peer.peerId, true);
  await operator.maintainPeer(peer.peerId, { untilMs: 5000, reason: 'new disk' });
  await operator.departPeer(peer.peerId, 'sold');
  const events = peerEventsIn(log);
  expect(events.map((event) => [event.incarnation, event.sequence, event.body.case])).toEqual([
    [0n, 0n, 'drain'],
    [0n, 0n, 'maintenance'],
    [0n, 0n, 'depart'],
  ]);
  expect(
    new Set(
      log
        .all(testTopics.peerEvents.name)
        .filter((record) => record.key !== null)
        .map((record) => record.partition),
    ).size,
  ).toBe(1);
});

test('a peer that is not enrolled, and bad bodies, are said so', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const operator = await newOperator(log);
  const client = gateway.client(operator);
  const stranger = await createPeerIdentity();
  await expect(client.revokePeer(stranger.peerId, 'x')).rejects.toMatchObject({ status: 404, code: 'peer-unknown' });
  const peer = await newPeer(log, gateway);
  await expect(client.revokePeer(peer.peerId, 'x'.repeat(201))).rejects.toMatchObject({
    status: 400,
    code: 'bad-input',
  });
  await expect(client.revokePeer(peer.peerId, '\u001b[2J')).rejects.toMatchObject({ status: 400, code: 'bad-input' });
  await expect(client.changeSettings(peer.peerId, { heartbeatMs: 1 })).rejects.toMatchObject({ status: 400 });
  const extra = await rawRequest(`${gateway.url}/v1/tokens`, operator, {
    body: JSON.stringify({ lifetime: 5 }),
    headers: { 'content-type': 'application/json' },
  });
  expect([extra.status, errorOf(extra).code]).toEqual([400, 'bad-input']);
  const nowhere = await rawRequest(`${gateway.url}/v1/nothing`, operator, { method: 'GET' });
  expect([nowhere.status, errorOf(nowhere).code]).toEqual([404, 'bad-input']);
  const odd = await rawRequest(`${gateway.url}/v1/tokens`, operator, { method: 'DELETE' });
  expect([odd.status, errorOf(odd).code, odd.headers['allow']]).toEqual([405, 'bad-input', 'POST']);
  expect(await gateway.client(peer).postEvents(batchPost(peer))).toEqual({ accepted: 8 });
});

test('registrations are appended one after the other, though the log is quicker with some than with others', async () => {
  const log = newLog();
  let delayMs = 40;
  const uneven: GatewayLog = {
    follow: log.follow.bind(log),
    bounds: log.bounds.bind(log),
    append: async (topic, records) => {
      if (topic === testTopics.shareEvents.name) {
        delayMs /= 2;
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
      return log.append(topic, records);
    },
  };
  const gateway = await startGateway({ log: uneven });
  const operator = await newOperator(log);
  const clients = Array.from({ length: 4 }, () => gateway.client(operator));
  await Promise.all(clients.map((client) => client.registerFiles([{ cap: verifyCap('one file, so one partition') }])));
  expect(batchesIn(log).map(({ batch }) => batch.sequence)).toEqual([1n, 2n, 3n, 4n]);
});
