/**
 * One repair, from the entry of the at-risk list to restored and checked shares: look again, open k sources, find targets,
 * regenerate the missing shares straight from the k, read back a sample. Values of the outside come in as tools.
 */
import type { Clock, Random } from '#mesh/clock.ts';
import { describeError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { type PolicyRule, policyFor } from '#mesh/policy.ts';
import type { DirectoryPeer } from '#peers/directory.ts';
import { askPeers, type Located, locateShares, type PlacedShare } from '#peers/locate.ts';
import type { PeerContact } from '#peers/peer-contact.ts';
import type { Fence } from '#peers/peer-storage.ts';
import type { PeerView } from '#peers/peer-view.ts';
import { isFenced, type Transfer, type WorkTransfer } from '#peers/transfer.ts';
import {
  chooseSegmentBytes,
  computeLayout,
  regenerateShares,
  shareTotalBytes,
  type VerifiedShare,
} from '#tahoe/share/index.ts';
import type { AtRiskEntry } from '../queue/at-risk.ts';
import { withPlaces } from './placement.ts';
import { isRepairUnneeded, type KnownShare, knownShares, planRepair, type RepairPlan } from './plan.ts';
import { checkedSample, type ReadBack } from './read-back.ts';
import { errorFacts, judge, judgeError, type RepairEnding, type RepairReport } from './repair-report.ts';
import { type SourceFault, SourcePool } from './sources.ts';
import { Targets } from './targets.ts';
import { pieceBytesFor, Upload } from './upload.ts';

export interface RepairSettings {
  /** Memory for blocks: half a window is worked on while the other half is read. Pieces under way take half as much again. */
  readonly windowBytes: number;
  /** Opening sources for longer than this brings in others beside them. */
  readonly hedgeAfterMs: number;
  /** Peers asked at once whether they still hold what they held. */
  readonly recheckParallel: number;
  /** Part of the written shares that is read back, at least one; when one is bad all are. */
  readonly readBackRatio: number;
  /** Most peers asked before a file is called irrecoverable. */
  readonly locateMaxPeers: number;
}

export const defaultRepairSettings: RepairSettings = {
  windowBytes: 16 * 1024 * 1024,
  hedgeAfterMs: 500,
  recheckParallel: 32,
  readBackRatio: 0.25,
  locateMaxPeers: 256,
};

/** Chance, time and secrets of a process that repairs. */
export interface RepairRuntime {
  readonly clock: Clock;
  readonly random: Random;
  /** From a source fit for secrets. */
  readonly randomBytes: (count: number) => Uint8Array;
  /** 32 bytes, this controller's own: what leases are made from. A secret. */
  readonly leaseSecret: Uint8Array;
}

export interface RepairMesh {
  readonly transfer: Transfer;
  readonly contact: PeerContact;
  readonly peerView: PeerView;
  readonly directory: { peer(peerId: PeerId): DirectoryPeer | undefined; peers(): readonly DirectoryPeer[] };
}

export interface RepairTools {
  readonly mesh: RepairMesh;
  readonly policies: readonly PolicyRule[];
  readonly runtime: RepairRuntime;
  readonly settings: RepairSettings;
}

export interface RepairJob {
  readonly id: string;
  readonly entry: AtRiskEntry;
  readonly fence: Fence;
  /** Does not wait for the budget. */
  readonly urgent: boolean;
  /** Shares that an earlier repair wrote, which the entry may not show yet. */
  readonly placed: readonly PlacedShare[];
  readonly signal: AbortSignal;
}

export type RepairPhase = 'checking' | 'opening' | 'allocating' | 'transferring' | 'verifying';

export interface RepairProgress {
  readonly phase: RepairPhase;
  readonly wanted: readonly number[];
  readonly sources: readonly PeerId[];
  readonly targets: readonly PeerId[];
  readonly sharesDone: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

export interface RunningRepair {
  readonly job: RepairJob;
  progress(): RepairProgress;
  /** Never rejects: every failure is in the report. */
  readonly report: Promise<RepairReport>;
}

export function startRepair(job: RepairJob, tools: RepairTools): RunningRepair {
  const run = new Repairing(job, tools);
  return { job, progress: () => run.progress(), report: run.run() };
}

class Repairing {
  readonly #job: RepairJob;
  readonly #tools: RepairTools;
  readonly #stop = new AbortController();
  readonly #transfer: WorkTransfer;
  readonly #uploadSecret: Uint8Array;
  #phase: RepairPhase = 'checking';
  #plan: RepairPlan | undefined;
  #sources: SourcePool | undefined;
  #targets: Targets | undefined;
  #uploads: readonly Upload[] = [];
  #written: readonly PlacedShare[] = [];
  #found: readonly PlacedShare[] = [];
  /** Corrupt shares beside those among the sources. */
  readonly #corrupt: PlacedShare[] = [];

  constructor(job: RepairJob, tools: RepairTools) {
    this.#job = job;
    this.#tools = tools;
    const signal = AbortSignal.any([job.signal, this.#stop.signal]);
    this.#transfer = tools.mesh.transfer.begin({ urgent: job.urgent, signal });
    this.#uploadSecret = tools.runtime.randomBytes(32);
  }

  progress(): RepairProgress {
    return {
      phase: this.#phase,
      wanted: this.#plan?.restore ?? [],
      sources: this.#sourcePeers(),
      targets: this.#uploads.map((upload) => upload.peerId),
      sharesDone: this.#found.length + this.#uploads.filter((upload) => upload.isComplete).length,
      bytesRead: this.#transfer.bytesRead,
      bytesWritten: this.#transfer.bytesWritten,
    };
  }

  async run(): Promise<RepairReport> {
    const startedAtMs = this.#tools.runtime.clock.nowMs();
    const startedMs = this.#tools.runtime.clock.monotonicMs();
    const { ending, error } = await this.#work().catch((failure: unknown) =>
      judgeError(failure, this.#transfer.signal),
    );
    const {
      restore: wanted,
      cost,
      available,
    } = this.#plan ?? { restore: [], cost: noCost, available: this.#job.entry.available };
    const faults = this.#sources?.faults ?? [];
    return {
      id: this.#job.id,
      entry: this.#job.entry,
      fence: this.#job.fence,
      ending,
      ...errorFacts(error),
      startedAtMs,
      durationMs: Math.round(this.#tools.runtime.clock.monotonicMs() - startedMs),
      availableBefore: available,
      availableAfter: available + this.#written.length + this.#found.length,
      wanted,
      written: this.#written,
      found: this.#found,
      sources: this.#sourcePeers(),
      corrupt: [
        ...faults.filter((fault) => fault.corrupt).map(({ shareNumber, peerId }) => ({ shareNumber, peerId })),
        ...this.#corrupt,
      ],
      failedTargets: this.#targets?.refusals.map((refusal) => refusal.peerId) ?? [],
      bytesRead: this.#transfer.bytesRead,
      bytesWritten: this.#transfer.bytesWritten,
      cost,
    };
  }

  async #work(): Promise<{ ending: RepairEnding; error: unknown }> {
    const { entry } = this.#job;
    this.#transfer.signal.throwIfAborted();
    const shares = await this.#look();
    const plan = planRepair(
      entry,
      shares,
      (peerId) => this.#tools.mesh.contact.rank(peerId),
      expectedShareBytes(entry),
    );
    this.#plan = plan;
    const { repairBelow } = policyFor(this.#tools.policies, entry.manifest, entry.tag);
    if (isRepairUnneeded(entry, plan, repairBelow)) return { ending: 'not-needed', error: undefined };

    this.#phase = 'opening';
    const sources = new SourcePool({
      manifest: entry.manifest,
      candidates: plan.sources,
      transfer: this.#transfer,
      clock: this.#tools.runtime.clock,
      hedgeAfterMs: this.#tools.settings.hedgeAfterMs,
      more: () => this.#searchWidely(shares),
    });
    this.#sources = sources;
    const opened = await sources.open(entry.manifest.k);

    await this.#restore(plan, shares, opened, sources);
    return judge({
      wanted: plan.restore,
      restored: this.#written.length + this.#found.length,
      firstTargetError: this.#targets?.refusals.find((refusal) => refusal.error !== undefined)?.error,
    });
  }

  /** The file's state, from the peers themselves as far as they answer. */
  async #look(): Promise<KnownShare[]> {
    const { entry, placed } = this.#job;
    const { settings } = this.#tools;
    const { directory, contact, peerView } = this.#tools.mesh;
    const stateOf = (peerId: PeerId) => peerView.fact(peerId)?.state;
    const listed = new Map<PeerId, boolean>(placed.map(({ peerId }) => [peerId, true]));
    for (const { peerId, available } of entry.placements) listed.set(peerId, available || listed.get(peerId) === true);
    const asked = [...listed].filter(([peerId, available]) => {
      const peer = directory.peer(peerId);
      if (peer === undefined || peer.revoked || stateOf(peerId) === 'departed') return false;
      return available || !contact.isAvoided(peerId);
    });
    const { answers, unreachable } = await this.#ask(
      asked.map(([peerId]) => peerId),
      settings.recheckParallel,
    );
    const silent = new Set(unreachable);
    return knownShares(entry, stateOf, answers, placed).map((share) =>
      // It counts as its state says, but nothing can be read from it now.
      silent.has(share.peerId) ? { ...share, available: false } : share,
    );
  }

  #ask(peers: readonly PeerId[], parallel: number): Promise<Located> {
    const { storageIndex } = this.#job.entry.manifest;
    return askPeers({
      peers,
      parallel,
      signal: this.#transfer.signal,
      list: (peerId) => this.#transfer.listShares(peerId, storageIndex),
    });
  }

  /** The last resort: whoever is enrolled may hold a share that nobody told of. */
  async #searchWidely(known: readonly KnownShare[]): Promise<readonly PlacedShare[]> {
    const { manifest } = this.#job.entry;
    const { mesh, settings } = this.#tools;
    const retained = known.filter((share) => !share.available);
    const located = await locateShares({
      storageIndex: manifest.storageIndex,
      peers: mesh.directory.peers().map((peer) => peer.peerId),
      list: (peerId) => this.#transfer.listShares(peerId, manifest.storageIndex),
      enough: manifest.n,
      maxPeers: settings.locateMaxPeers,
      parallel: settings.recheckParallel,
      signal: this.#transfer.signal,
    });
    return [...located.shares.filter((share) => share.shareNumber < manifest.n), ...retained];
  }

  async #restore(
    plan: RepairPlan,
    shares: readonly KnownShare[],
    opened: readonly VerifiedShare[],
    sources: SourcePool,
  ): Promise<void> {
    const { entry, fence } = this.#job;
    const { mesh, runtime, settings } = this.#tools;
    const shareBytes = bytesOfNewShare(opened);
    this.#phase = 'allocating';
    const targets = new Targets({
      storageIndex: entry.manifest.storageIndex,
      shareBytes,
      field: mesh.peerView.writable(),
      held: withPlaces(
        shares.map((share) => ({ ...share, domains: this.#domainsOf(share.peerId), counts: share.counted })),
      ),
      limits: entry,
      transfer: this.#transfer,
      choice: { random: runtime.random, tieBreaker: entry.manifest.storageIndex },
      secrets: { leaseSecret: runtime.leaseSecret, uploadSecret: this.#uploadSecret, fence },
    });
    this.#targets = targets;
    const chosen = await targets.allocate(plan.restore, (share) => this.#isSound(share));
    const pieceBytes = pieceBytesFor(chosen.length, settings.windowBytes / 2);
    const uploads = chosen.map(
      (target) =>
        new Upload({
          storageIndex: entry.manifest.storageIndex,
          target,
          shareBytes,
          uploadSecret: this.#uploadSecret,
          fence,
          transfer: this.#transfer,
          pieceBytes,
          targets: {
            replace: (shareNumber) => targets.replace(shareNumber),
            failed: (peerId, error) => {
              if (isFenced(error)) this.#stop.abort(error);
              targets.refuse(peerId, error);
            },
          },
        }),
    );
    this.#uploads = uploads;
    if (uploads.length > 0) await this.#regenerate(opened, sources, uploads);
    this.#found = [...targets.found];
    await this.#verify(uploads);
  }

  /** Of a share that a target says to have already, though it was thought missing. */
  async #isSound(share: PlacedShare): Promise<boolean> {
    const { bad } = await checkedSample([share], 1, this.#readBack);
    for (const fault of bad) this.#noteBad(fault);
    return bad.length === 0;
  }

  async #regenerate(opened: readonly VerifiedShare[], sources: SourcePool, uploads: readonly Upload[]): Promise<void> {
    this.#phase = 'transferring';
    let failure: Error | undefined;
    try {
      await regenerateShares({
        sources: opened,
        wanted: uploads.map((upload) => ({ shareNumber: upload.shareNumber, sink: upload })),
        replace: (shareNumber, error) => sources.replace(shareNumber, error),
        signal: this.#transfer.signal,
        windowBytes: this.#tools.settings.windowBytes / 2,
      });
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
      // Also where it failed before it began with any of them.
      await Promise.all(uploads.map((upload) => upload.abort(error)));
    }
    await Promise.all(uploads.map((upload) => upload.ended));
    this.#transfer.signal.throwIfAborted();
    // Where every target failed, the sources have nothing to do with it: that is told by what was restored.
    if (failure !== undefined && !uploads.some((upload) => upload.targetError === failure)) throw failure;
  }

  /** Believes in a share only when it, or enough of its like, was read back. */
  async #verify(uploads: readonly Upload[]): Promise<void> {
    this.#phase = 'verifying';
    const complete = uploads
      .filter((upload) => upload.isComplete)
      .map(({ shareNumber, peerId }) => ({ shareNumber, peerId }));
    const written = await checkedSample(complete, this.#tools.settings.readBackRatio, this.#readBack);
    this.#written = written.good;
    for (const fault of written.bad) this.#noteBad(fault);
    this.#transfer.signal.throwIfAborted();
  }

  get #readBack(): ReadBack {
    return {
      manifest: this.#job.entry.manifest,
      transfer: this.#transfer,
      random: this.#tools.runtime.random,
    };
  }

  /** Takes note of a share that was read back or found and is not what it should be, and tells its peer where it is corrupt. */
  #noteBad({ peerId, shareNumber, error, corrupt }: SourceFault): void {
    if (!corrupt) return;
    this.#corrupt.push({ shareNumber, peerId });
    const { storageIndex } = this.#job.entry.manifest;
    void this.#transfer.reportCorruption(peerId, storageIndex, shareNumber, describeError(error));
  }

  #domainsOf(peerId: PeerId): Readonly<Record<string, string>> {
    return this.#tools.mesh.peerView.fact(peerId)?.domains ?? this.#tools.mesh.directory.peer(peerId)?.domains ?? {};
  }

  #sourcePeers(): PeerId[] {
    return [...new Set(this.#sources?.used.map((share) => share.peerId))];
  }
}

const noCost = { bytesRead: 0, bytesWritten: 0, bytesPerShareOfMargin: 0 };
const usualUebBytes = 336;

/** For the plan, before a share tells. */
export function expectedShareBytes({ manifest: { k, n, sizeBytes } }: Pick<AtRiskEntry, 'manifest'>): number {
  return shareTotalBytes(
    computeLayout({ k, n, sizeBytes, segmentBytes: chooseSegmentBytes(sizeBytes, k) }),
    usualUebBytes,
  );
}

/** New shares have the version that their numbers demand, as regeneration writes them: 2 only where every source has it. */
function bytesOfNewShare(opened: readonly VerifiedShare[]): number {
  const { ueb } = opened[0] as VerifiedShare;
  const layout = opened.every((share) => share.layout.version === 2) ? computeLayout(ueb, 2) : computeLayout(ueb);
  return shareTotalBytes(layout, ueb.bytes.length);
}
