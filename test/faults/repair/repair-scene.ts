/** Peers, log, database and repairers under campaigns, with hands on everything that can go wrong between them. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { isOver, runOf } from '#mesh/campaigns/campaign.ts';
import type { CampaignDefinition } from '#mesh/campaigns/definition.ts';
import { isAtRest } from '#mesh/campaigns/progress.ts';
import { sampleDefinition } from '#mesh/campaigns/testing/samples.ts';
import { type Random, shuffled } from '#mesh/clock.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { PlacedShare } from '#peers/locate.ts';
import { partitions, RealMesh, type StoredFile } from '#repairer/campaigns/testing/real-mesh.ts';
import { StoreGate } from '../store-gate.ts';
import { PeerFront, type Trouble } from './peer-front.ts';
import { Repairers } from './repairers.ts';

export const target = 9;
export const leastShares = 3;
const peerCount = 16;
export const bytesPerSecond = 200_000;
/** Agents tell of a new share within so long. */
const toldWithinMs = 400;
/** A machine that is busy with other things brings the word later than any agent would. */
const lateMs = 1500;
/** What is written was planned at most so long before. */
const plannedBeforeMs = 10_000;

interface Taken {
  readonly storedMs: number;
  heardMs: number;
}

/** Known to everybody from the beginning. */
const there: Taken = { storedMs: 0, heardMs: 0 };

/** For what hangs: a busy machine takes many times as long as a quiet one. */
const longestPatienceMs = 180_000;

/** What was done differs from what was to be done. */
export class RepairDisagreement extends Error {}

/** A file with what was there of it before anything was repaired. */
export interface TroubledFile extends StoredFile {
  readonly before: readonly PlacedShare[];
}

export interface RepairSceneOptions extends Pick<RepairScene, 'random' | 'say'> {
  /** Root of the sources of the repairers. @default these ones */
  readonly root?: string | undefined;
  /** How long each thing may take to come. @default as on the busiest machine */
  readonly patienceMs?: number | undefined;
}

export class RepairScene implements AsyncDisposable {
  readonly mesh: RealMesh;
  readonly gate: StoreGate;
  readonly repairers: Repairers;
  readonly random: Random;
  readonly say: (line: string) => void;
  readonly #patienceMs: number;
  #slowestWaitMs = 0;
  readonly #fronts: ReadonlyMap<PeerId, PeerFront>;
  /** By file: what agents have told of it. */
  readonly #told = new Map<StorageIndex, { readonly file: TroubledFile; readonly shares: PlacedShare[] }>();
  #telling: Promise<void> = Promise.resolve();
  /** Peers that had some trouble since this round began. */
  readonly troubled = new Set<PeerId>();
  /** By file, share and peer: when peers took it, and when the store heard so. */
  readonly #taken = new Map<string, Taken>();
  /** Shares that puts of the scene itself have moved. */
  #putBytes = 0;
  #campaigns = 0;

  private constructor(
    parts: Pick<RepairScene, 'mesh' | 'gate' | 'random' | 'say'>,
    fronts: Map<PeerId, PeerFront>,
    { root, patienceMs = longestPatienceMs }: Pick<RepairSceneOptions, 'root' | 'patienceMs'>,
  ) {
    this.#patienceMs = patienceMs;
    this.mesh = parts.mesh;
    this.gate = parts.gate;
    this.random = parts.random;
    this.say = parts.say;
    this.#fronts = fronts;
    const tuning = { requestTimeoutMs: 1000, readBackRatio: 1 };
    this.repairers = new Repairers({
      bytesPerSecond,
      start: () => this.mesh.repairer({ bytesPerSecond, tuning, ...(root === undefined ? {} : { root }) }),
    });
  }

  static async open(options: RepairSceneOptions): Promise<RepairScene> {
    const fronts = new Map<PeerId, PeerFront>();
    let gate: StoreGate | undefined;
    const mesh = await RealMesh.open(peerCount, {
      async before(server, identity) {
        const front = await PeerFront.start(server.nurl, identity);
        fronts.set(server.nurl.peerId, front);
        return front;
      },
      async beforeStore(url) {
        gate = await StoreGate.start(url);
        return gate.url;
      },
      onEvent: (kind, share) => (kind === 'stored' ? scene.#tellStored(share) : scene.#lookAgain(share)),
    });
    const { random, say } = options;
    const scene: RepairScene = new RepairScene({ mesh, gate: gate as StoreGate, random, say }, fronts, options);
    return scene;
  }

  /** Files with so many shares each. */
  async put(counts: readonly number[]): Promise<readonly TroubledFile[]> {
    const before = this.#passedBytes;
    const files: TroubledFile[] = [];
    for (const file of await this.mesh.put(counts)) {
      files.push({ ...file, before: (await this.mesh.sharesOf(file.storageIndex)).map(placeOf) });
    }
    for (const file of files) this.#told.set(file.storageIndex, { file, shares: [...file.before] });
    this.#putBytes += this.#passedBytes - before;
    return files;
  }

  get movedBytes(): number {
    return this.#passedBytes - this.#putBytes;
  }

  /** Requests that write, at all peers, since the beginning. */
  get writes(): number {
    return [...this.#fronts.values()].reduce((sum, { passed }) => sum + passed.writes, 0);
  }

  get #passedBytes(): number {
    return [...this.#fronts.values()].reduce((sum, { passed }) => sum + passed.bytes, 0);
  }

  trouble(peerId: PeerId, trouble: Trouble | null): void {
    if (trouble !== null) this.troubled.add(peerId);
    (this.#fronts.get(peerId) as PeerFront).trouble = trouble;
  }

  somePeers(count: number): readonly PeerId[] {
    return shuffled([...this.#fronts.keys()], this.random).slice(0, count);
  }

  heal(): void {
    for (const front of this.#fronts.values()) if (front.trouble !== null) front.trouble = null;
    this.gate.mode = 'open';
  }

  start(files: readonly TroubledFile[], change: Partial<CampaignDefinition>): Promise<string> {
    const selection = { files: files.map(({ storageIndex }) => storageIndex) };
    return this.mesh.start(
      `campaign-${++this.#campaigns}`,
      sampleDefinition({ selection, upTo: target, ...change }),
      files.length,
    );
  }

  stateOf(id: string): string {
    return this.mesh.campaigns.table.campaign(id)?.state ?? '';
  }

  /** Changes with each word of an operator. */
  revisionsOf(ids: readonly string[]): string {
    return ids.map((id) => this.mesh.campaigns.table.campaign(id)?.revision).join(' ');
  }

  isRunning(id: string): boolean {
    return !isOver(this.mesh.campaigns.table.campaign(id)?.state ?? 'done');
  }

  /** Says it, unless the campaign is in no state for it any more. */
  async command(id: string, what: 'pause' | 'resume' | 'cancel'): Promise<void> {
    const state = this.stateOf(id);
    if (what === 'cancel' ? !this.isRunning(id) : state !== (what === 'pause' ? 'running' : 'paused')) return;
    await this.mesh.command(id, () => ({ what }));
  }

  /** Nothing is being done for it any more, as the repairers say. */
  isAtRest(id: string): boolean {
    const campaign = this.mesh.campaigns.table.campaign(id);
    if (campaign === undefined) return true;
    const parts = this.mesh.campaigns.table.progress(id).filter(({ run }) => run === runOf(campaign));
    return isAtRest(campaign, parts, partitions);
  }

  async until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
    const startedMs = performance.now();
    while (!(await isSo())) {
      if (performance.now() - startedMs > this.#patienceMs)
        throw new RepairDisagreement(`it never came to this: ${what}`);
      await pause(20);
    }
    this.#slowestWaitMs = Math.max(this.#slowestWaitMs, performance.now() - startedMs);
  }

  /** The longest time that something took to come. */
  get slowestWaitMs(): number {
    return this.#slowestWaitMs;
  }

  /** Nobody can write to the log of this machine for so long. */
  async lockLog(forMs: number): Promise<void> {
    const folder = this.mesh.logDirectory;
    const names = (await readdir(folder)).filter((name) => name.endsWith('.sqlite'));
    const locks = names.map((name) => new DatabaseSync(join(folder, name), { timeout: 5000 }));
    for (const lock of locks) lock.exec('BEGIN IMMEDIATE');
    await pause(forMs);
    for (const lock of locks) lock.close();
  }

  /**
   * Of peers that hold the same share, those that took it though the others' was to be known: the store had heard of it in time, or
   * long before.
   */
  doubles(storageIndex: StorageIndex, shareNumber: number, peers: readonly PeerId[]): readonly PeerId[] {
    const copies = peers
      .map((peerId) => ({ peerId, ...(this.#taken.get(`${storageIndex}/${shareNumber}/${peerId}`) ?? there) }))
      .sort((a, b) => a.storedMs - b.storedMs);
    const mayNotKnow = (copy: Taken, earlier: Taken): boolean =>
      earlier.heardMs - earlier.storedMs > lateMs && copy.storedMs < earlier.heardMs + plannedBeforeMs;
    return copies.flatMap((copy, at) =>
      copies.slice(0, at).every((earlier) => mayNotKnow(copy, earlier)) ? [] : [copy.peerId],
    );
  }

  /** What agents say once they have verified every share that they hold. */
  async tellTruth(files: readonly TroubledFile[]): Promise<void> {
    await this.#telling;
    for (const file of files) await this.#tellFile(file);
  }

  /** On the disks at this moment: those that are as they were uploaded, and others. */
  async sharesOn(
    file: TroubledFile,
  ): Promise<{ readonly good: readonly PlacedShare[]; readonly bad: readonly PlacedShare[] }> {
    const found = await this.mesh.sharesOf(file.storageIndex);
    const isGood = ({ number, data }: (typeof found)[number]): boolean =>
      Buffer.compare(data, file.shares.get(number) ?? Buffer.alloc(0)) === 0;
    return {
      good: found.filter(isGood).map(placeOf),
      bad: found.filter((share) => !isGood(share)).map(placeOf),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.repairers.end();
    await this.#telling.catch(() => undefined);
    await this.mesh[Symbol.asyncDispose]();
    await this.gate.close();
  }

  /** As agent, log and analyzer bring it about: the store learns of a share that a peer took. */
  #tellStored({ storageIndex, shareNumber, peerId }: PlacedShare & { readonly storageIndex: StorageIndex }): void {
    const told = this.#told.get(storageIndex);
    if (told === undefined) return;
    const heard = pause(this.random() * toldWithinMs);
    const storedMs = performance.now();
    const taken: Taken = { storedMs, heardMs: Number.POSITIVE_INFINITY };
    this.#taken.set(`${storageIndex}/${shareNumber}/${peerId}`, taken);
    this.#tell(async () => {
      await heard;
      told.shares.push({ shareNumber, peerId });
      await this.mesh.tell(told.file.manifest, told.shares);
      taken.heardMs = performance.now();
    });
  }

  /** The agent of a peer that heard of a corrupt share verifies it. */
  #lookAgain({ storageIndex }: { readonly storageIndex: StorageIndex }): void {
    const told = this.#told.get(storageIndex);
    if (told !== undefined) this.#tell(() => this.#tellFile(told.file));
  }

  async #tellFile(file: TroubledFile): Promise<void> {
    const { good, bad } = await this.sharesOn(file);
    this.#told.set(file.storageIndex, { file, shares: [...good] });
    await this.mesh.tell(file.manifest, good, bad);
  }

  /** One after the other; what could not be told now is told with the next word of the file. */
  #tell(word: () => Promise<void>): void {
    this.#telling = this.#telling.then(word).catch(() => undefined);
  }
}

function placeOf({ number, peerId }: { readonly number: number; readonly peerId: PeerId }): PlacedShare {
  return { shareNumber: number, peerId };
}
