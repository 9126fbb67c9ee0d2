/** The whole repairer against real storage servers on loopback and the embedded log: nothing is faked but the analyzer. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEmbeddedLog, type EmbeddedLog } from '#log/embedded-log.ts';
import { seededRandom, systemClock } from '#mesh/clock.ts';
import { loadConfig } from '#mesh/config/load.ts';
import { EnrolmentSchema } from '#mesh/generated/events_pb.js';
import { type PeerId, peerIdToBytes } from '#mesh/peer-id.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { partitionOfStorageIndex, type StorageIndex, storageIndexToBytes } from '#mesh/storage-index.ts';
import { allTopics, type Topics, topicsOf } from '#mesh/topics.ts';
import { type MeshAccess, openMeshAccess } from '#peers/mesh-access.ts';
import { createPeerView, type PeerFact } from '#peers/peer-view.ts';
import type { RepairRow } from '#store/tables.ts';
import { createStorageClient, type StorageClient } from '#tahoe/gbs/client.ts';
import { createStorageServer, type StorageServer } from '#tahoe/gbs/server.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import { randomSwissnum } from '#tahoe/identity/nurl.ts';
import { getFile } from '../files/get.ts';
import { type PutResult, putFile } from '../files/put.ts';
import { proveFile } from '../proofs/prove.ts';
import type { AtRiskEntry } from '../queue/at-risk.ts';
import type { RecentRepair } from '../repairer-state.ts';
import { createRepairer } from '../service.ts';
import { recordOf } from '../testing/at-risk-record.ts';
import { noMeter, noTracer } from '../testing/fake-mesh.ts';

const policy = { ...defaultPolicy({ k: 3, n: 10 }), repairUpTo: 8 };
const partitions = 2;

interface RealPeer {
  readonly peerId: PeerId;
  readonly folder: string;
  readonly server: StorageServer;
  up: boolean;
}

let root: string;
let log: EmbeddedLog;
let topics: Topics;
let client: StorageClient;
let mesh: MeshAccess;
const peers: RealPeer[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'meshward-repairer-'));
  topics = topicsOf({
    prefix: 't.',
    shareEventsPartitions: partitions,
    peerEventsPartitions: 1,
    retentionMs: 1e9,
    retentionBytes: 0,
  });
  log = await createEmbeddedLog({ directory: join(root, 'log'), topics: allTopics(topics), clock: systemClock });
  for (let at = 0; at < 14; at++) {
    const folder = join(root, `peer-${at}`);
    await mkdir(folder);
    const identity = await createPeerIdentity();
    const server = await createStorageServer({
      shareFolder: folder,
      identity,
      swissnum: randomSwissnum(),
      syncToDisk: false,
    });
    peers.push({ peerId: server.nurl.peerId, folder, server, up: true });
  }
  await log.append(
    topics.enrolments.name,
    peers.map(({ peerId, server }, at) => {
      const value = {
        peerId: peerIdToBytes(peerId),
        name: `peer-${at}`,
        domains: { zone: `z${at % 3}` },
        nurl: server.nurl.revealText(),
      };
      const enrolment = create(EnrolmentSchema, { body: { case: 'peer', value } });
      return { partition: 0, key: Buffer.from(peerId), value: toBinary(EnrolmentSchema, enrolment) };
    }),
  );
  const facts = (): PeerFact[] =>
    peers.map(({ peerId, up }, at) => ({
      peerId,
      state: up ? 'up' : 'departed',
      freeBytes: 1e9,
      domains: { zone: `z${at % 3}` },
    }));
  const peerView = createPeerView({ facts, ageMs: () => 0 }, 1);
  client = createStorageClient();
  mesh = await openMeshAccess({
    log,
    topics: {
      enrolments: topics.enrolments.name,
      shareEvents: topics.shareEvents.name,
      peerEvents: topics.peerEvents.name,
    },
    storageClient: client,
    peerView,
    clock: systemClock,
    rates: { bytesPerSecond: 0 },
  });
  await mesh.directory.ready;
});

afterAll(async () => {
  await mesh.close();
  await client.close();
  await Promise.all(peers.filter((peer) => peer.up).map((peer) => peer.server.close(0)));
  await log.close();
  await rm(root, { recursive: true, force: true });
});

async function put(plaintext: Uint8Array): Promise<Extract<PutResult, { kind: 'stored' }>> {
  const result = await putFile(
    { sizeBytes: plaintext.length, plaintext: [plaintext], policy, signal: new AbortController().signal },
    {
      transfer: mesh.transfer,
      field: () => mesh.peerView.writable(),
      random: seededRandom(3),
      randomBytes: (count) => new Uint8Array(randomBytes(count)),
      leaseSecret: new Uint8Array(32).fill(1),
    },
  );
  if (result.kind !== 'stored') throw new Error('it was to be stored');
  return result;
}

/** The share data on the disks of the peers that are up, by share number: without container header and lease. */
async function sharesOnDisk(storageIndex: StorageIndex, of: readonly RealPeer[]): Promise<Map<number, Buffer>> {
  const shares = new Map<number, Buffer>();
  for (const peer of of) {
    const folder = join(peer.folder, 'shares', storageIndex.slice(0, 2), storageIndex);
    for (const name of await readdir(folder).catch(() => [])) {
      const container = await readFile(join(folder, name));
      shares.set(Number(name), container.subarray(12, container.length - 72 * container.readUInt32BE(8)));
    }
  }
  return shares;
}

function entryOf(stored: Extract<PutResult, { kind: 'stored' }>): AtRiskEntry {
  const { manifest } = stored.verifyCap;
  const placements = stored.placements.map(({ shareNumber, peerId }) => ({
    shareNumber,
    peerId,
    available: peers.some((peer) => peer.peerId === peerId && peer.up),
  }));
  const available = placements.filter((placement) => placement.available).length;
  return {
    manifest,
    tag: '',
    grade: 'at-risk',
    available,
    retained: available,
    counted: available,
    margin: available - 3,
    placements,
    cause: 'peers departed',
    sinceMs: 1,
    updatedAtMs: 1,
    risk: 1,
    repairUpTo: policy.repairUpTo,
    maxSharesPerPeer: 1,
    maxSharesPerDomain: policy.maxSharesPerDomain,
    revision: 1,
    ownerGeneration: 1,
  };
}

describe('the repairer on real peers', () => {
  it('uploads, repairs byte for byte after peers are gone, proves and downloads', async () => {
    const small = Buffer.from('longer than what fits in a cap, and much shorter than a segment. '.repeat(20));
    const large = new Uint8Array(3 * 1024 * 1024 + 77);
    const random = seededRandom(5);
    for (let i = 0; i < large.length; i++) large[i] = Math.floor(random() * 256);
    const files = [
      { plaintext: small, stored: await put(small) },
      { plaintext: large, stored: await put(large) },
    ];
    const originals = await Promise.all(
      files.map(({ stored }) => sharesOnDisk(stored.verifyCap.manifest.storageIndex, peers)),
    );
    for (const shares of originals) expect(shares.size).toBe(10);

    for (const peer of peers.slice(0, 5)) {
      await peer.server.close(0);
      peer.up = false;
    }
    mesh.peerView.refresh();

    const rows: RepairRow[] = [];
    const repairer = await createRepairer({
      list: { log, topic: topics.atRisk.name },
      config: loadConfig().config.repairer,
      policies: [],
      mesh,
      store: {
        writer: {
          enqueue: (_table, added) => {
            rows.push(...added);
            return Promise.resolve();
          },
        },
        samples: { draw: () => Promise.resolve([]), isClaimed: () => Promise.resolve(false) },
        drains: { find: () => Promise.resolve({ files: [], sharesLeft: 0 }) },
      },
      runtime: {
        clock: systemClock,
        random: Math.random,
        randomBytes: (count) => new Uint8Array(randomBytes(count)),
        leaseSecret: new Uint8Array(32).fill(1),
      },
      telemetry: {
        meter: noMeter,
        tracer: noTracer,
        logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
      },
    });
    const ended: RecentRepair[] = [];
    const allEnded = new Promise<void>((resolve) => {
      repairer.subscribe((event) => {
        if (event.kind === 'ended' && ended.push(event.repair) === files.length) resolve();
      });
    });
    await log.append(
      topics.atRisk.name,
      files.map(({ stored }) => {
        const index = storageIndexToBytes(stored.verifyCap.manifest.storageIndex);
        return recordOf(entryOf(stored), partitionOfStorageIndex(index, 0, partitions));
      }),
    );
    await allEnded;
    await repairer.stop();

    const up = peers.filter((peer) => peer.up);
    for (const [at, { plaintext, stored }] of files.entries()) {
      const { storageIndex } = stored.verifyCap.manifest;
      const before = stored.placements.filter(({ peerId }) => up.some((peer) => peer.peerId === peerId)).length;
      const repair = ended.find((each) => each.storageIndex === storageIndex);
      // Nine peers are left, and a peer takes one share.
      expect(repair).toMatchObject({ ending: 'repaired', errorCode: '', restoredShares: 8 - before });
      const now = await sharesOnDisk(storageIndex, up);
      expect(now.size).toBe(8);
      for (const [number, share] of now)
        expect(Buffer.compare(share, originals[at]?.get(number) as Buffer), `share ${number}`).toBe(0);

      const reading = {
        transfer: mesh.transfer,
        peers: () => up.map((peer) => peer.peerId),
        clock: systemClock,
        random: Math.random,
      };
      const { signal } = new AbortController();
      expect(await proveFile({ id: 'p', cap: stored.verifyCap, signal }, reading)).toMatchObject({
        outcome: 'proven',
        bytesProven: plaintext.length,
      });
      const path = join(root, `download-${at}`);
      await getFile(stored.readCap, path, reading, signal);
      expect(Buffer.compare(await readFile(path), plaintext)).toBe(0);
    }
    expect(rows.map((row) => row.outcome)).toEqual(['repaired', 'repaired']);
    expect(rows.every((row) => row.generation >= 1)).toBe(true);
    expect(up.every((peer) => peer.server.stats().uploadsInProgress === 0)).toBe(true);
  });
});
