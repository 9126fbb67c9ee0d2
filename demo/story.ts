/**
 * The story that `npm start` tells on a mesh of real peers: files go in, a few peers flap and nothing happens, a zone burns
 * down and disks are wiped, files are at risk, repair restores them, and every file is recovered from 25 random shares and
 * compared with its original. It looks at the mesh through the API only, as an outsider would.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { ApiClient } from '#analyzer/api/client.ts';
import type { FileAnswerBody, FileListAnswer, MeshAnswer } from '#analyzer/api/schemas.ts';
import type { ReadCap } from '#mesh/caps.ts';
import { type Clock, type Random, shuffled } from '#mesh/clock.ts';
import { describeError, isRetryable, MeshwardError } from '#mesh/errors.ts';
import type { PutResult } from '#repairer/files/put.ts';
import type { ProofResult } from '#repairer/proofs/prove.ts';
import type { PeerControl } from './control.ts';
import { planDamage } from './damage.ts';
import type { DemoFile } from './files.ts';
import { type DemoPeer, largestZone } from './layout.ts';
import { type KeptPromise, type Narrator, Promises } from './narrator.ts';
import { until, type WaitOptions } from './waiting.ts';

export interface StoryOptions {
  readonly api: ApiClient;
  readonly control: PeerControl;
  readonly peers: readonly DemoPeer[];
  readonly files: readonly DemoFile[];
  readonly put: (file: DemoFile, content: AsyncIterable<Uint8Array>) => Promise<PutResult>;
  /** Tells the mesh whose files they are. */
  readonly register: (caps: readonly ReadCap[]) => Promise<void>;
  readonly prove: (cap: ReadCap, plaintextSha256: Uint8Array, id: string) => Promise<ProofResult>;
  /** How long a silent peer has before it is down. */
  readonly graceMs: number;
  readonly narrator: Narrator;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Multiplies every time limit. */
  readonly patience: number;
}

export interface StorySummary {
  readonly files: number;
  readonly literalFiles: number;
  readonly bytes: number;
  readonly peers: number;
  readonly promises: readonly KeptPromise[];
  readonly repairs: number;
  readonly sharesRestored: number;
  readonly repairBytesRead: number;
  readonly repairBytesWritten: number;
  readonly repairMs: number;
  readonly proofs: number;
  readonly durationMs: number;
}

interface StoredFile {
  readonly file: DemoFile;
  readonly cap: ReadCap;
  readonly sha256: Uint8Array;
  readonly holders: readonly string[];
}

const putsAtOnce = 4;
const proofsAtOnce = 4;
const atRiskBelow = 50;
/** Far enough above k that no file is lost while disks are wiped. */
const leaveAtLeast = 32;

export async function tellStory(options: StoryOptions): Promise<StorySummary> {
  const story = new Story(options);
  return story.run();
}

class Story {
  readonly #o: StoryOptions;
  readonly #promises: Promises;

  constructor(options: StoryOptions) {
    this.#o = options;
    this.#promises = new Promises(options.narrator);
  }

  async run(): Promise<StorySummary> {
    const { narrator, clock } = this.#o;
    const startedMs = clock.monotonicMs();
    narrator.chapter('Files go in');
    const { stored, literalFiles } = await this.#storeFiles();
    narrator.chapter('A healthy mesh');
    await this.#healthy(stored);
    narrator.chapter('Five peers flap');
    await this.#flap();
    narrator.chapter('A zone is lost, disks are wiped');
    await this.#damage(stored);
    narrator.chapter('Repair');
    const repaired = await this.#repair(stored);
    narrator.chapter('Every file is recovered from 25 random shares');
    await this.#proveAll(stored);
    return {
      files: stored.length,
      literalFiles,
      bytes: stored.reduce((sum, { file }) => sum + file.sizeBytes, 0),
      peers: this.#o.peers.length,
      promises: this.#promises.list,
      ...repaired,
      proofs: stored.length,
      durationMs: Math.round(clock.monotonicMs() - startedMs),
    };
  }

  async #storeFiles(): Promise<{ stored: readonly StoredFile[]; literalFiles: number }> {
    const { files, narrator, put, register } = this.#o;
    const bar = narrator.progress('storing files', files.length);
    const stored: StoredFile[] = [];
    let literalFiles = 0;
    await this.#several(putsAtOnce, files, async (file) => {
      const hash = createHash('sha256');
      const result = await this.#persistently(() => put(file, hashed(createReadStream(file.path), hash)));
      if (result.kind === 'literal') literalFiles++;
      else {
        const holders = result.placements.map(({ peerId }) => peerId as string);
        stored.push({ file, cap: result.readCap, sha256: hash.digest(), holders });
      }
      bar.update(stored.length + literalFiles);
    });
    bar.finish();
    await this.#persistently(() => register(stored.map(({ cap }) => cap)));
    const shares = stored.reduce((sum, { holders }) => sum + holders.length, 0);
    narrator.line(
      `${stored.length} files, encrypted and coded 25-of-100: ${shares} shares on ${this.#o.peers.length} peers in 12 zones.`,
    );
    if (literalFiles > 0)
      narrator.line(`${literalFiles} files of at most 55 bytes live in their caps and have no shares.`);
    return { stored, literalFiles };
  }

  async #healthy(stored: readonly StoredFile[]): Promise<void> {
    const mesh = await until('a healthy mesh', this.#wait(90), async () => {
      const seen = await this.#o.api.mesh();
      const healthy = filesOf(seen, 'healthy');
      const good =
        seen.freshness.state === 'fresh' &&
        seen.settlingFiles === 0 &&
        seen.files !== null &&
        seen.files >= stored.length &&
        healthy === seen.files;
      return good ? { value: seen } : { seen: describeMesh(seen) };
    });
    const margins = mesh.byMargin.map(({ margin }) => margin);
    this.#promises.check(
      'every file is healthy',
      (mesh.files ?? 0) >= stored.length,
      `${mesh.files} files, margins ${Math.min(...margins)} to ${Math.max(...margins)} above k`,
    );
  }

  async #flap(): Promise<void> {
    const { api, control, peers, narrator, random, graceMs } = this.#o;
    const names = shuffled(peers, random)
      .slice(0, 5)
      .map(({ name }) => name);
    const repairsBefore = (await this.#persistently(() => api.repairs(1000))).length;
    await this.#persistently(() => control.act('kill', names));
    narrator.line(`${names.join(', ')} go silent.`);
    await until('five suspect peers', this.#wait(30), async () => {
      const seen = await api.mesh();
      const suspect = seen.peersByState.find(({ state }) => state === 'suspect')?.peers ?? 0;
      return suspect >= names.length ? { value: true } : { seen: `${suspect} are suspect` };
    });
    const listed = await this.#persistently(() => api.atRisk(1));
    await this.#persistently(() => control.act('return', names));
    await until('the five to be up again', this.#wait(60), async () => {
      const { peers: known } = await api.peers();
      const up = known.filter(({ name, state }) => names.includes(name) && state === 'up').length;
      return up === names.length ? { value: true } : { seen: `${up} of ${names.length} are up` };
    });
    const repairsAfter = (await this.#persistently(() => api.repairs(1000))).length;
    narrator.line(
      `Silent peers are suspect for ${Math.round(graceMs / 1000)} s before they are down: their shares are not available, but they count.`,
    );
    this.#promises.check(
      'nothing is repaired for a flap',
      listed.total === 0 && repairsAfter === repairsBefore,
      `${listed.total} files on the at-risk list, ${repairsAfter - repairsBefore} repairs; the five are back and have earned more grace`,
    );
  }

  async #damage(stored: readonly StoredFile[]): Promise<void> {
    const { api, control, peers, narrator, random } = this.#o;
    const zone = largestZone(peers);
    const gone = peers.filter((peer) => peer.zone === zone).map(({ name }) => name);
    const nameOf = new Map(
      (await this.#persistently(() => api.peers())).peers.map(({ peerId, name }) => [peerId, name]),
    );
    const damage = planDamage({
      holders: stored.map(({ holders }) => holders.map((peer) => nameOf.get(peer) ?? peer)),
      gone: new Set(gone),
      peers: peers.map(({ name }) => name),
      below: atRiskBelow,
      atLeast: leaveAtLeast,
      random,
    });
    await this.#persistently(() => control.act('kill', gone));
    narrator.line(`Zone ${zone} is gone: ${gone.length} peers at once.`);
    await this.#persistently(() => control.act('wipe', damage.wiped));
    narrator.line(
      `The disks of ${damage.wiped.length} more peers are wiped. Files keep ${damage.fewest} to ${damage.most} of their 100 shares; ${atRiskBelow} is the repair threshold.`,
    );

    const { list, mesh } = await until('the at-risk list and an alert', this.#wait(120), async () => {
      const seen = { list: await api.atRisk(1000), mesh: await api.mesh(), repairs: await api.repairs(1000) };
      // Repair may begin before the last file is listed: what was repaired had been listed.
      const touched = new Set([
        ...seen.list.files.map(({ storageIndex }) => storageIndex),
        ...seen.repairs.map(({ storageIndex }) => storageIndex),
      ]);
      const all = stored.every(({ cap }) => touched.has(cap.manifest.storageIndex));
      const alerted = seen.mesh.alerts.some(({ key }) => key.startsWith('domain-lost:zone'));
      return all && alerted
        ? { value: seen }
        : {
            seen: `${touched.size} of ${stored.length} files were listed, alerts: ${seen.mesh.alerts.map(({ key }) => key).join(', ') || 'none'}; ${describeMesh(seen.mesh)}`,
          };
    });
    for (const { summary } of mesh.alerts) narrator.line(`⚠ ${summary}`);
    for (const file of list.files.slice(0, 5)) narrator.line(describeFile(file, stored));
    this.#promises.check('every damaged file was put on the at-risk list', true, `${stored.length} files`);
    this.#promises.check(
      'the on-call is told once, with the cause',
      mesh.alerts.length > 0,
      mesh.alerts.map(({ key }) => key).join(', '),
    );
  }

  async #repair(
    stored: readonly StoredFile[],
  ): Promise<Pick<StorySummary, 'repairs' | 'sharesRestored' | 'repairBytesRead' | 'repairBytesWritten' | 'repairMs'>> {
    const { api, narrator, clock } = this.#o;
    const startedMs = clock.monotonicMs();
    const bar = narrator.progress('files restored', stored.length);
    const mesh = await until('every margin to be restored', this.#wait(300), async () => {
      const list: FileListAnswer = await api.atRisk(1);
      const seen = await api.mesh();
      const fine = filesOf(seen, 'healthy') + filesOf(seen, 'degraded');
      bar.update(Math.min(stored.length, fine));
      const restored =
        list.total === 0 && seen.freshness.state === 'fresh' && fine === seen.files && seen.files >= stored.length;
      return restored ? { value: seen } : { seen: `${list.total} files on the list; ${describeMesh(seen)}` };
    });
    bar.finish();
    const repairMs = Math.round(clock.monotonicMs() - startedMs);
    const repairs = (await this.#persistently(() => api.repairs(1000))).filter(({ sharesPlaced }) => sharesPlaced > 0);
    const sum = (of: (repair: (typeof repairs)[number]) => number): number =>
      repairs.reduce((total, repair) => total + of(repair), 0);
    const lowest = Math.min(...mesh.byMargin.map(({ margin }) => margin));
    this.#promises.check(
      'margins are restored',
      lowest >= atRiskBelow - 25,
      `smallest margin ${lowest}, after ${repairs.length} repairs in ${(repairMs / 1000).toFixed(1)} s`,
    );
    return {
      repairs: repairs.length,
      sharesRestored: sum(({ sharesPlaced }) => sharesPlaced),
      repairBytesRead: sum(({ bytesRead }) => bytesRead),
      repairBytesWritten: sum(({ bytesWritten }) => bytesWritten),
      repairMs,
    };
  }

  async #proveAll(stored: readonly StoredFile[]): Promise<void> {
    const { narrator, prove } = this.#o;
    const bar = narrator.progress('files recovered and compared', stored.length);
    const failed: string[] = [];
    let done = 0;
    await this.#several(proofsAtOnce, stored, async ({ file, cap, sha256 }) => {
      const proof = await prove(cap, sha256, randomUUID());
      if (proof.outcome !== 'proven') failed.push(`${file.name}: ${proof.errorMessage}`);
      bar.update(++done);
    });
    bar.finish();
    this.#promises.check(
      'every file equals its original',
      failed.length === 0,
      failed.length === 0 ? `${stored.length} of ${stored.length}, byte for byte` : failed.slice(0, 3).join('; '),
    );
  }

  #wait(seconds: number): WaitOptions {
    const { clock, signal, patience } = this.#o;
    return { clock, signal, timeoutMs: seconds * 1000 * patience };
  }

  /** Services may be restarting: what may pass is tried again, for a while. */
  async #persistently<T>(run: () => Promise<T>): Promise<T> {
    return until('an answer', this.#wait(60), async () => {
      try {
        return { value: await run() };
      } catch (error) {
        if (!isRetryable(error) && !(error instanceof MeshwardError && error.code === 'repair-no-target')) throw error;
        return { seen: describeError(error) };
      }
    });
  }

  async #several<T>(atOnce: number, items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
    const waiting = [...items];
    const worker = async (): Promise<void> => {
      for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
        this.#o.signal.throwIfAborted();
        await run(item);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  }
}

async function* hashed(
  content: AsyncIterable<Uint8Array>,
  hash: { update(bytes: Uint8Array): unknown },
): AsyncGenerator<Uint8Array> {
  for await (const bytes of content) {
    hash.update(bytes);
    yield bytes;
  }
}

function filesOf(mesh: MeshAnswer, grade: string): number {
  return mesh.byGrade.find((count) => count.grade === grade)?.files ?? 0;
}

function describeMesh(mesh: MeshAnswer): string {
  const gradeText = mesh.byGrade.filter(({ files }) => files > 0).map(({ grade, files }) => `${files} ${grade}`);
  return `${mesh.files} files (${gradeText.join(', ') || 'none'}), ${mesh.settlingFiles} settling, ${mesh.freshness.state} ${mesh.freshness.reasons.join('; ')}`;
}

function describeFile(file: FileAnswerBody, stored: readonly StoredFile[]): string {
  const name =
    stored.find(({ cap }) => cap.manifest.storageIndex === file.storageIndex)?.file.name ?? file.storageIndex;
  return `  ${file.grade.padEnd(9)} ${String(file.available).padStart(3)} of ${file.n}  ${name}: ${file.cause}`;
}
