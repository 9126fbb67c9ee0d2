/**
 * One repair, from the entry of the at-risk list to restored and checked shares: look again, open k sources, find targets,
 * regenerate the missing shares straight from the k, read back a sample. Values of the outside come in as tools.
 */
import { describeError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { policyFor } from '#mesh/policy.ts';
import type { PlacedShare } from '#peers/locate.ts';
import { buildPlacementField, type PlacementField } from '#peers/placement-field.ts';
import { isFenced, type WorkTransfer } from '#peers/transfer.ts';
import { isShareError, regenerateShares, sharesAtOnce, type VerifiedShare } from '#tahoe/share/index.ts';
import { copyShare } from './copy.ts';
import { lookAtFile, searchWidely } from './look.ts';
import { withPlaces } from './placement.ts';
import { isRepairUnneeded, type KnownShare, planRepair, type RepairPlan } from './plan.ts';
import { checkedSample, type ReadBack } from './read-back.ts';
import type { RepairJob, RepairPhase, RepairProgress } from './repair-job.ts';
import { headBytesFor, RepairMemory } from './repair-memory.ts';
import { errorFacts, judge, judgeError, type RepairEnding, type RepairReport } from './repair-report.ts';
import { sendTurns } from './send-turns.ts';
import { areHeldWhole, bytesOfNewShare, expectedShareBytes } from './share-bytes.ts';
import { type SourceFault, SourcePool } from './sources.ts';
import { type RefusedTarget, Targets } from './targets.ts';
import type { RepairTools } from './tools.ts';
import { pieceBytesFor, Upload } from './upload.ts';

export type { RepairJob, RepairPhase, RepairProgress, ShareMoves } from './repair-job.ts';

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
  readonly #sendTurn = sendTurns();
  #phase: RepairPhase = 'checking';
  #plan: RepairPlan | undefined;
  #sources: SourcePool | undefined;
  readonly #targets: Targets[] = [];
  readonly #copiedFrom: PeerId[] = [];
  #uploads: readonly Upload[] = [];
  /** Once the repair has what it needs of it. */
  #memory: RepairMemory | undefined;
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
      taken: this.#uploads
        .filter((upload) => upload.isComplete)
        .map(({ shareNumber, peerId }) => ({ shareNumber, peerId })),
      sources: this.#sourcePeers(),
      corrupt: [
        ...faults.filter((fault) => fault.corrupt).map(({ shareNumber, peerId }) => ({ shareNumber, peerId })),
        ...this.#corrupt,
      ],
      failedTargets: this.#refusals().map((refusal) => refusal.peerId),
      bytesRead: this.#transfer.bytesRead,
      bytesWritten: this.#transfer.bytesWritten,
      cost,
    };
  }

  async #work(): Promise<{ ending: RepairEnding; error: unknown }> {
    const { entry } = this.#job;
    this.#transfer.signal.throwIfAborted();
    const { placed, look = 'all' } = this.#job;
    const known = await lookAtFile(entry, placed, look, this.#transfer, this.#tools);
    const shares = known.map((share) =>
      this.#job.moves?.leaves(share) === true ? { ...share, counted: false, leaving: true } : share,
    );
    const plan = planRepair(
      entry,
      shares,
      (peerId) => this.#tools.mesh.contact.rank(peerId) + (this.#isBusy(peerId) ? busyRank : 0),
      expectedShareBytes(entry),
      this.#job.wanted,
    );
    this.#plan = plan;
    if (this.#isUnneeded(plan)) return { ending: 'not-needed', error: undefined };

    await this.#copy(plan, shares);
    const copied = new Set(this.#written.map((share) => share.shareNumber));
    const missing = plan.restore.filter((number) => !copied.has(number));
    if (missing.length > 0) await this.#restore(missing, plan, shares);
    return judge({
      wanted: plan.restore,
      restored: this.#written.length + this.#found.length,
      firstTargetError: this.#refusals().find((refusal) => refusal.error !== undefined)?.error,
    });
  }

  #isUnneeded(plan: RepairPlan): boolean {
    const { entry, wanted } = this.#job;
    if (wanted !== undefined) return plan.restore.length === 0;
    const { repairBelow } = policyFor(this.#tools.policies, entry.manifest, entry.tag);
    return isRepairUnneeded(entry, plan, repairBelow);
  }

  /** What peers that are about to go still serve is copied; where that fails, it is made anew like the rest. */
  async #copy(plan: RepairPlan, shares: readonly KnownShare[]): Promise<void> {
    const { manifest } = this.#job.entry;
    const copies: PlacedShare[] = [];
    for (const shareNumber of plan.restore) {
      const from = shares.find(
        (share) => share.shareNumber === shareNumber && share.leaving === true && share.available,
      );
      if (from === undefined) continue;
      this.#phase = 'transferring';
      try {
        const placed = await copyShare(from, {
          manifest,
          transfer: this.#transfer,
          windowBytes: this.#tools.settings.windowBytes,
          upload: async (number, shareBytes) => (await this.#startUploads([number], shares, shareBytes))[0],
        });
        if (placed !== undefined) {
          this.#copiedFrom.push(from.peerId);
          copies.push(placed);
          this.#written = [...this.#written, placed];
        }
      } catch (error) {
        this.#transfer.signal.throwIfAborted();
        this.#noteBad({ ...from, error, corrupt: isShareError(error) });
      }
    }
    // Its old peer goes soon: a copy is believed in no sooner than a share that was made anew.
    const { bad } = await checkedSample(copies, this.#tools.settings.readBackRatio, this.#readBack);
    for (const fault of bad) this.#noteBad(fault);
    this.#written = this.#written.filter(
      (share) => !bad.some(({ peerId, shareNumber }) => peerId === share.peerId && shareNumber === share.shareNumber),
    );
  }

  async #restore(missing: readonly number[], plan: RepairPlan, shares: readonly KnownShare[]): Promise<void> {
    for (let left = missing; left.length > 0; ) {
      const tried = await this.#restoreSome(left, plan, shares);
      left = left.filter((number) => !tried.includes(number));
    }
  }

  /** @returns those that were tried: as many as there is memory for. */
  async #restoreSome(
    missing: readonly number[],
    plan: RepairPlan,
    shares: readonly KnownShare[],
  ): Promise<readonly number[]> {
    const { entry, urgent } = this.#job;
    const { uploadBuffers, settings } = this.#tools;
    const memory = new RepairMemory(uploadBuffers, entry.manifest, missing.length, settings);
    const { tried, uploads } = await memory.use({ urgent, signal: this.#transfer.signal }, async () => {
      this.#memory = memory;
      this.#phase = 'opening';
      const sources = new SourcePool({
        manifest: entry.manifest,
        candidates: plan.sources,
        transfer: this.#transfer,
        clock: this.#tools.runtime.clock,
        hedgeAfterMs: settings.hedgeAfterMs,
        headBytes: headBytesFor(entry.manifest, settings.windowBytes),
        more: () => searchWidely(entry, shares, this.#transfer, this.#tools),
      });
      this.#sources = sources;
      const opened = await sources.open(entry.manifest.k);
      const some = sharesAtOnce(opened, missing, settings.hashMemoryBytes);
      const started = await this.#startUploads(some, shares, bytesOfNewShare(opened));
      memory.uploadsHaveTheirs();
      if (started.length > 0) await this.#regenerate(opened, sources, started);
      // Of a repair that broke off somebody may look at them still: then they are left to the collector of garbage.
      await Promise.all(opened.map((share) => share.close()));
      return { tried: some, uploads: started };
    });
    await this.#verify(uploads);
    return tried;
  }

  /** Room for the shares where there is some, each with an upload that is to be written or aborted. Busy peers take what others do not. */
  async #startUploads(
    shareNumbers: readonly number[],
    shares: readonly KnownShare[],
    shareBytes: number,
  ): Promise<readonly Upload[]> {
    const all = this.#field();
    const rested = all.peers.filter(({ peerId }) => !this.#isBusy(peerId));
    if (rested.length === all.peers.length) return this.#uploadTo(all, shareNumbers, shares, shareBytes);
    const uploads = await this.#uploadTo(buildPlacementField(rested), shareNumbers, shares, shareBytes);
    const placed = new Set([...uploads, ...this.#found].map(({ shareNumber }) => shareNumber));
    const left = shareNumbers.filter((shareNumber) => !placed.has(shareNumber));
    if (left.length === 0) return uploads;
    const taken = uploads.map(({ shareNumber, peerId }) => {
      return { shareNumber, peerId, counted: true, available: false };
    });
    return [...uploads, ...(await this.#uploadTo(all, left, [...shares, ...taken], shareBytes))];
  }

  async #uploadTo(
    field: PlacementField,
    shareNumbers: readonly number[],
    shares: readonly KnownShare[],
    shareBytes: number,
  ): Promise<readonly Upload[]> {
    const { entry, fence } = this.#job;
    const { runtime, settings } = this.#tools;
    const { storageIndex } = entry.manifest;
    this.#phase = 'allocating';
    const held = [...shares, ...this.#written.map((share) => ({ ...share, counted: true }))];
    const secrets = { leaseSecret: runtime.leaseSecret, uploadSecret: this.#uploadSecret, fence };
    const areWhole = areHeldWhole(shareNumbers.length, shareBytes);
    const targets = new Targets({
      storageIndex,
      shareBytes,
      areWhole,
      field,
      held: withPlaces(
        held.map((share) => ({ ...share, domains: this.#domainsOf(share.peerId), counts: share.counted })),
      ),
      limits: entry,
      transfer: this.#transfer,
      choice: { random: runtime.random, tieBreaker: storageIndex },
      secrets,
    });
    this.#targets.push(targets);
    const chosen = await targets.allocate(shareNumbers, (share) => this.#isSound(share));
    this.#found = [...this.#found, ...targets.found];
    const pieceBytes = areWhole ? shareBytes : pieceBytesFor(shareNumbers.length, settings.windowBytes / 2, shareBytes);
    const buffers = shareBytes <= pieceBytes ? this.#tools.uploadBuffers : undefined;
    // Whoever holds some of it does not wait for the rest: two that did would wait for each other.
    await targets.reserve(buffers, chosen, this.#memory !== undefined || this.#job.urgent || this.#uploads.length > 0);
    const uploads = chosen.map(
      (target) =>
        new Upload({
          storageIndex,
          target,
          shareBytes,
          uploadSecret: this.#uploadSecret,
          fence,
          transfer: this.#transfer,
          pieceBytes,
          buffers,
          targets: {
            replace: (shareNumber) => targets.replace(shareNumber),
            failed: (peerId, error) => {
              if (isFenced(error)) this.#stop.abort(error);
              targets.refuse(peerId, error);
            },
            put: (target, bytes) => this.#sendTurn(bytes.length).then(() => targets.put(target, bytes)),
            keepsFound: async (share) => {
              const isKept = await targets.keepsFound(share, (found) => this.#isSound(found));
              if (isKept) this.#found = [...this.#found, share];
              return isKept;
            },
          },
        }),
    );
    this.#uploads = [...this.#uploads, ...uploads];
    return uploads;
  }

  /** The peers that may take shares of this repair. */
  #field(): PlacementField {
    const field = this.#tools.mesh.peerView.writable();
    const { moves } = this.#job;
    return moves === undefined ? field : buildPlacementField(field.peers.filter(({ peerId }) => !moves.avoids(peerId)));
  }

  #isBusy(peerId: PeerId): boolean {
    return this.#tools.mesh.peerView.fact(peerId)?.busy !== undefined;
  }

  #refusals(): readonly RefusedTarget[] {
    return this.#targets.flatMap((targets) => targets.refusals);
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
    this.#written = [...this.#written, ...written.good];
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
    return [...new Set([...this.#copiedFrom, ...(this.#sources?.used ?? []).map((share) => share.peerId)])];
  }
}

/** A busy peer is a worse source than any that answers, and a better one than those that failed lately. */
const busyRank = 1e6;
const noCost = { bytesRead: 0, bytesWritten: 0, bytesPerShareOfMargin: 0 };
