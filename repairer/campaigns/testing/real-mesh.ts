/** Real storage servers on loopback, the embedded log and a real ClickHouse with a mesh's files in it: what campaigns are tested on. */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create, toBinary } from '@bufbuild/protobuf';
import { createEmbeddedLog, type EmbeddedLog } from '#log/embedded-log.ts';
import { FollowedTable } from '#log/followed-table.ts';
import { commitCampaign } from '#log/revision-commit.ts';
import { afterCommand, type Campaign, type CampaignCommand, newCampaign } from '#mesh/campaigns/campaign.ts';
import type { CampaignDefinition } from '#mesh/campaigns/definition.ts';
import { CampaignTable } from '#mesh/campaigns/table.ts';
import { samplePlan } from '#mesh/campaigns/testing/samples.ts';
import { seededRandom, systemClock } from '#mesh/clock.ts';
import { EnrolmentSchema } from '#mesh/generated/events_pb.js';
import { gradeOf } from '#mesh/grade.ts';
import { silentLogger } from '#mesh/logger.ts';
import type { Manifest } from '#mesh/manifest.ts';
import { type PeerId, peerIdToBytes } from '#mesh/peer-id.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { partitionOfStorageIndex, type StorageIndex, storageIndexToBytes } from '#mesh/storage-index.ts';
import { allTopics, type Topics, topicsOf } from '#mesh/topics.ts';
import type { PlacedShare } from '#peers/locate.ts';
import { openMeshAccess } from '#peers/mesh-access.ts';
import { createPeerView, type PeerFact } from '#peers/peer-view.ts';
import type { Store } from '#store/client.ts';
import * as tables from '#store/tables.ts';
import { startTestStore, type TestStore } from '#store/test-store.ts';
import { createStoreWriter } from '#store/writer.ts';
import { createStorageClient } from '#tahoe/gbs/client.ts';
import { createStorageServer, type StorageServer } from '#tahoe/gbs/server.ts';
import type { StorageEvent } from '#tahoe/gbs/storage-event.ts';
import { createPeerIdentity, type PeerIdentity } from '#tahoe/identity/key-folder.ts';
import { type Nurl, randomSwissnum } from '#tahoe/identity/nurl.ts';
import { putFile } from '../../files/put.ts';

export const coding = { k: 3, n: 10 };
export const partitions = 2;
const policy = defaultPolicy(coding);
const here = 'repairer/campaigns/testing';
const childPath = 'repairer-process.ts';

/** What stands between a mesh and those who repair it, where a test wants something there. */
export interface RealMeshOptions {
  /** Enrolled in place of the peer. */
  readonly before?: (peer: StorageServer, identity: PeerIdentity) => Promise<PeerStand>;
  /** What repairers take for ClickHouse. */
  readonly beforeStore?: (url: string) => Promise<string>;
  /** Told when a share is on a peer's disk, or somebody told the peer that one is corrupt. */
  readonly onEvent?: (kind: StorageEvent['kind'], share: PlacedShare & { readonly storageIndex: StorageIndex }) => void;
}

export interface PeerStand {
  readonly nurl: Nurl;
  close(): Promise<void>;
}

export interface RepairerOptions {
  readonly bytesPerSecond: number;
  /** Root of the sources that it runs. @default these ones */
  readonly root?: string;
  readonly tuning?: ChildSetup['tuning'];
}

export interface ChildSetup {
  readonly logDirectory: string;
  readonly topics: Topics;
  readonly store: {
    readonly url: string;
    readonly username: string;
    readonly password: string;
    readonly database: string;
  };
  readonly facts: readonly PeerFact[];
  readonly bytesPerSecond: number;
  /** Requests to peers wait for so long; so much of what is written is read back. */
  readonly tuning: { readonly requestTimeoutMs: number; readonly readBackRatio: number };
}

export interface StoredFile {
  readonly manifest: Manifest;
  readonly storageIndex: StorageIndex;
  /** Share data by number, as it was uploaded. */
  readonly shares: ReadonlyMap<number, Buffer>;
}

interface RealPeer {
  readonly peerId: PeerId;
  readonly folder: string;
  readonly server: StorageServer;
  readonly stand: PeerStand | undefined;
}

export class RealMesh implements AsyncDisposable {
  readonly log: EmbeddedLog;
  readonly topics: Topics;
  readonly campaigns: FollowedTable<CampaignTable>;
  readonly store: Store;
  readonly peers: readonly RealPeer[];
  readonly #root: string;
  readonly #testStore: TestStore;
  readonly #storeUrl: string;
  #version = 0;
  readonly #children = new Set<ChildProcess>();

  private constructor(
    parts: Pick<RealMesh, 'log' | 'topics' | 'campaigns' | 'store' | 'peers'>,
    root: string,
    testStore: TestStore,
    storeUrl: string,
  ) {
    this.log = parts.log;
    this.topics = parts.topics;
    this.campaigns = parts.campaigns;
    this.store = parts.store;
    this.peers = parts.peers;
    this.#root = root;
    this.#testStore = testStore;
    this.#storeUrl = storeUrl;
  }

  static async open(peerCount: number, options: RealMeshOptions = {}): Promise<RealMesh> {
    const root = await mkdtemp(join(tmpdir(), 'meshward-campaigns-'));
    const topics = topicsOf({
      prefix: 't.',
      shareEventsPartitions: partitions,
      peerEventsPartitions: 1,
      retentionMs: 1e9,
      retentionBytes: 0,
    });
    const log = await createEmbeddedLog({
      directory: join(root, 'log'),
      topics: allTopics(topics),
      clock: systemClock,
    });
    const testStore = await startTestStore();
    const peers = await Promise.all(
      Array.from({ length: peerCount }, (_, at) => startPeer(join(root, `peer-${at}`), options)),
    );
    await log.append(
      topics.enrolments.name,
      peers.map(({ peerId, server, stand }, at) => {
        const value = {
          peerId: peerIdToBytes(peerId),
          name: `peer-${at}`,
          domains: domainsOf(at),
          nurl: (stand ?? server).nurl.revealText(),
        };
        const enrolment = create(EnrolmentSchema, { body: { case: 'peer', value } });
        return { partition: 0, key: Buffer.from(peerId), value: toBinary(EnrolmentSchema, enrolment) };
      }),
    );
    const campaigns = new FollowedTable({
      log,
      topic: topics.campaigns.name,
      create: () => new CampaignTable(),
      clock: systemClock,
      logger: silentLogger,
    });
    await campaigns.start();
    const store = await testStore.openDatabase('campaigns');
    const storeUrl = (await options.beforeStore?.(testStore.server.url)) ?? testStore.server.url;
    return new RealMesh({ log, topics, campaigns, store, peers }, root, testStore, storeUrl);
  }

  get logDirectory(): string {
    return join(this.#root, 'log');
  }

  facts(): PeerFact[] {
    return this.peers.map(({ peerId }, at) => ({ peerId, state: 'up', freeBytes: 1e9, domains: domainsOf(at) }));
  }

  /** Stores a file for each count, takes all but so many of its shares away again, and tells the store what an analyzer would. */
  async put(counts: readonly number[]): Promise<readonly StoredFile[]> {
    const client = createStorageClient();
    const peerView = createPeerView({ facts: () => this.facts(), ageMs: () => 0 }, 1000);
    const mesh = await openMeshAccess({
      log: this.log,
      topics: {
        enrolments: this.topics.enrolments.name,
        shareEvents: this.topics.shareEvents.name,
        peerEvents: this.topics.peerEvents.name,
      },
      storageClient: client,
      peerView,
      clock: systemClock,
      rates: { bytesPerSecond: 0 },
    });
    await mesh.directory.ready;
    const files: StoredFile[] = [];
    for (const [at, shares] of counts.entries()) {
      const random = seededRandom(at + 1);
      const plaintext = Uint8Array.from({ length: 6000 }, () => Math.floor(random() * 256));
      const put = await putFile(
        { sizeBytes: plaintext.length, plaintext: [plaintext], policy, signal: new AbortController().signal },
        {
          transfer: mesh.transfer,
          field: () => mesh.peerView.writable(),
          random,
          randomBytes: (length) => new Uint8Array(randomBytes(length)),
          leaseSecret: new Uint8Array(32).fill(1),
        },
      );
      if (put.kind !== 'stored') throw new Error('it was to be stored');
      const { manifest } = put.verifyCap;
      const uploaded = await this.sharesOf(manifest.storageIndex);
      files.push({
        manifest,
        storageIndex: manifest.storageIndex,
        shares: new Map(uploaded.map(({ number, data }) => [number, data])),
      });
      const kept = put.placements.slice(0, shares);
      await Promise.all(
        put.placements
          .slice(shares)
          .map(({ peerId, shareNumber }) =>
            rm(join(this.folderOf(peerId, manifest.storageIndex), String(shareNumber))),
          ),
      );
      await this.tell(manifest, kept);
    }
    await mesh.close();
    await client.close();
    return files;
  }

  /** Every share on every peer's disk, without container header and lease. */
  async sharesOf(storageIndex: StorageIndex): Promise<{ peerId: PeerId; number: number; data: Buffer }[]> {
    const found = await Promise.all(
      this.peers.map(async ({ peerId }) => {
        const folder = this.folderOf(peerId, storageIndex);
        const names = await readdir(folder).catch(() => []);
        return Promise.all(
          names.map(async (name) => {
            const container = await readFile(join(folder, name));
            const data = container.subarray(12, container.length - 72 * container.readUInt32BE(8));
            return { peerId, number: Number(name), data };
          }),
        );
      }),
    );
    return found.flat();
  }

  /** Plans and starts it, as an operator would. */
  async start(name: string, definition: CampaignDefinition, files: number): Promise<string> {
    const by = { operatorId: '', operatorName: 'test', why: 'test', atMs: systemClock.nowMs() };
    const planned = newCampaign(crypto.randomUUID(), name, definition, samplePlan({ files, atMs: by.atMs }), by);
    await commitCampaign(this.campaigns, planned, null);
    await this.command(planned.id, (campaign) => ({ what: 'start', planHash: campaign.planHash }));
    return planned.id;
  }

  async command(id: string, command: (campaign: Campaign) => CampaignCommand): Promise<boolean> {
    const entry = this.campaigns.table.entry(id);
    if (entry === undefined) throw new Error('there is no such campaign');
    const by = { operatorId: '', operatorName: 'test', why: 'test', atMs: systemClock.nowMs() };
    const rules = { approvalAboveFiles: 1e9, approvalAboveBytes: 1e18, planMaxAgeMs: 1e9 };
    return commitCampaign(this.campaigns, afterCommand(entry.campaign, command(entry.campaign), by, rules), entry);
  }

  /** A repairer in a process of its own. */
  repairer({ bytesPerSecond, root, tuning }: RepairerOptions): ChildProcess {
    const { username, password } = this.#testStore.server;
    const setup: ChildSetup = {
      logDirectory: this.logDirectory,
      topics: this.topics,
      store: { url: this.#storeUrl, username, password, database: this.store.database },
      facts: this.facts(),
      bytesPerSecond,
      tuning: tuning ?? { requestTimeoutMs: 30_000, readBackRatio: 0.25 },
    };
    const path = root === undefined ? fileURLToPath(new URL(childPath, import.meta.url)) : join(root, here, childPath);
    const child = fork(path, [JSON.stringify(setup)], { stdio: 'inherit' });
    this.#children.add(child);
    child.on('exit', () => this.#children.delete(child));
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await this.campaigns.stop();
    await this.#testStore.close();
    await Promise.all(this.peers.map(({ stand }) => stand?.close() ?? Promise.resolve()));
    await Promise.all(this.peers.map(({ server }) => server.close(0)));
    await this.log.close();
    await rm(this.#root, { recursive: true, force: true });
  }

  /** Where a peer keeps its shares of a file. */
  folderOf(peerId: PeerId, storageIndex: StorageIndex): string {
    const peer = this.peers.find((one) => one.peerId === peerId) as RealPeer;
    return join(peer.folder, 'shares', storageIndex.slice(0, 2), storageIndex);
  }

  /** A file and shares of it as an analyzer would store them. Placements that are not named stand as they were told before. */
  async tell(manifest: Manifest, kept: readonly PlacedShare[], corrupt: readonly PlacedShare[] = []): Promise<void> {
    const writer = createStoreWriter({ store: this.store, clock: systemClock, random: Math.random });
    const { storageIndex, uebHash, k, n, sizeBytes } = manifest;
    const partition = partitionOfStorageIndex(storageIndexToBytes(storageIndex), 0, partitions);
    const key = { partition, storageIndex, version: ++this.#version };
    const nowMs = systemClock.nowMs();
    await writer.enqueue(tables.files, [
      { ...key, uebHash, k, n, sizeBytes, origin: 'owner', tag: '', registeredAt: nowMs, deleted: false },
    ]);
    await writer.enqueue(
      tables.placements,
      [
        ...kept.map((share) => ({ ...share, state: 'stored' as const })),
        ...corrupt.map((share) => ({ ...share, state: 'corrupt' as const })),
      ].map(({ shareNumber, peerId, state }) => {
        return { ...key, shareNumber, peerId, state, generation: 1, incarnation: 1, sequence: 1 };
      }),
    );
    const available = new Set(kept.map(({ shareNumber }) => shareNumber)).size;
    const counts = {
      available,
      retained: available,
      counted: available,
      happiness: available,
      distinctPeers: available,
    };
    await writer.enqueue(tables.fileHealth, [
      {
        ...key,
        ...counts,
        policy: '3-of-10',
        grade: gradeOf(available, policy),
        previousGrade: null,
        gradeSince: nowMs,
        sizeBytes,
        k,
        n,
        margin: available - k,
        tolerancePeers: Math.max(0, available - k),
        toleranceDomains: {},
        corrupt: 0,
        log10Loss: -2,
        cause: '',
        at: nowMs,
        deleted: false,
      },
    ]);
    await writer.close();
  }
}

async function startPeer(folder: string, { before, onEvent }: RealMeshOptions): Promise<RealPeer> {
  await mkdir(folder);
  const identity = await createPeerIdentity();
  const server = await createStorageServer({
    shareFolder: folder,
    identity,
    swissnum: randomSwissnum(),
    syncToDisk: false,
    onChange(event) {
      const { kind, storageIndex, shareNumber } = event;
      onEvent?.(kind, { storageIndex, shareNumber, peerId: server.nurl.peerId });
    },
  });
  const stand = await before?.(server, identity);
  return { peerId: server.nurl.peerId, folder, server, stand };
}

function domainsOf(at: number): Record<string, string> {
  return { zone: `z${at % 4}` };
}
