/**
 * The campaigns of one repairer: of every campaign that runs it does the parts of the partitions that it owns, a page of one part
 * after a page of another, so that no campaign waits for the end of another one.
 */
import type { FollowedTable } from '#log/followed-table.ts';
import { type Campaign, isOver, runOf } from '#mesh/campaigns/campaign.ts';
import type { CampaignProgress, FileOutcome } from '#mesh/campaigns/progress.ts';
import { keyOf, progressRecord } from '#mesh/campaigns/records.ts';
import type { CampaignTable } from '#mesh/campaigns/table.ts';
import { describeError, isRetryable, MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { type Budget, createBudget } from '#peers/budget.ts';
import { budgetedTransfer } from '#peers/budgeted-transfer.ts';
import { campaignProgress } from '#store/campaign-tables.ts';
import type { RepairTools } from '../repair/tools.ts';
import { CampaignLanes } from './lanes.ts';
import { CampaignPart } from './part.ts';
import type { CampaignHost, CampaignStore } from './ports.ts';
import { RecentPlacements } from './recent-placements.ts';
import { CampaignScribe } from './scribe.ts';

export interface CampaignWorkerOptions {
  readonly followed: FollowedTable<CampaignTable>;
  readonly host: CampaignHost;
  readonly store: CampaignStore;
  /** Of at-risk. */
  readonly partitions: number;
  readonly lanes: number;
  readonly attempts: number;
  /** Rest of a part before it tries again what failed. */
  readonly retryAfterMs: number;
  /** Of the repairer at this moment, 0 is unlimited: a campaign may use its share of it. */
  readonly bytesPerSecond: () => number;
  readonly repairer: string;
  readonly logger: Logger;
  readonly onOutcome: (outcome: FileOutcome) => void;
}

const lookEveryMs = 500;
/** While nothing else is to be told, progress is told so often. */
const tellEveryMs = 2000;
/** Rest of a part whose step failed for a reason that passes. */
const restMs = 2000;

interface OwnTools {
  /** Bytes a second; 0 is unlimited. */
  readonly limit: number;
  readonly tools: RepairTools;
  readonly budget: Budget;
}

interface OpenPart {
  readonly part: CampaignPart;
  running: Promise<void> | null;
  stop: AbortController;
  restUntilMs: number;
  toldAtMs: number;
  told: string;
}

export class CampaignWorker {
  readonly #options: CampaignWorkerOptions;
  readonly #lanes: CampaignLanes;
  readonly #recent = new RecentPlacements();
  readonly #scribe: CampaignScribe;
  readonly #parts = new Map<string, OpenPart>();
  readonly #tools = new Map<string, OwnTools>();
  #callOff: () => void = () => undefined;
  #looking: Promise<void> = Promise.resolve();
  #wasScribe = false;
  #isStopped = false;
  /** Where the next look begins: each part gets its turn. */
  #turn = 0;

  constructor(options: CampaignWorkerOptions) {
    this.#options = options;
    const { host, lanes, followed, store, partitions } = options;
    const { clock } = host.tools.runtime;
    this.#lanes = new CampaignLanes({
      lanes,
      clock,
      holdReason: (priority) => host.holdReason(priority),
      isRepairing: (storageIndex) => host.isRepairing(storageIndex),
    });
    this.#scribe = new CampaignScribe({ followed, store, partitions, clock });
  }

  start(): void {
    this.#look();
  }

  /** Whether a campaign works on the file at this moment. */
  isWorkingOn(storageIndex: StorageIndex): boolean {
    return this.#lanes.has(storageIndex);
  }

  get filesUnderWay(): number {
    return this.#lanes.size;
  }

  /** Calls off what runs in partitions that are no longer ours. */
  async revoked(): Promise<void> {
    const gone = [...this.#parts].filter(([, { part }]) => !this.#isOwned(part));
    await Promise.all(gone.map(([key, open]) => this.#close(key, open)));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#callOff();
    await this.#looking;
    await Promise.all([...this.#parts].map(([key, open]) => this.#close(key, open)));
  }

  #look(): void {
    this.#looking = this.#lookOnce()
      .catch((error: unknown) => {
        this.#options.logger.warn({ error: describeError(error) }, 'a look at the campaigns failed; it is tried again');
      })
      .finally(() => {
        if (!this.#isStopped)
          this.#callOff = this.#options.host.tools.runtime.clock.after(lookEveryMs, () => this.#look());
      });
  }

  async #lookOnce(): Promise<void> {
    const { followed, host, lanes } = this.#options;
    if (!followed.isCurrent) return;
    const owned = host.ownedPartitions();
    await this.revoked();
    const campaigns = followed.table.campaigns().filter((campaign) => runOf(campaign) > 0);
    for (const campaign of campaigns) {
      for (const partition of owned) this.#open(campaign, partition);
    }
    const known = new Map(campaigns.map((campaign) => [campaign.id, campaign]));
    for (const [key, open] of this.#parts) {
      const campaign = known.get(open.part.campaignId);
      if (campaign === undefined || runOf(campaign) !== open.part.run) await this.#close(key, open);
      else if (campaign.state !== 'running') await this.#stand(campaign, key, open);
    }
    this.#begin(known, lanes + 2);
    await this.#tellAll();
    await this.#keepBooks(owned);
  }

  #open(campaign: Campaign, partition: number): void {
    const generation = this.#options.host.fenceOf(partition)?.generation;
    const key = `${campaign.id}/${partition}`;
    if (generation === undefined || this.#parts.has(key)) return;
    const told = this.#options.followed.table.progressOf(campaign.id, partition);
    const isTold = told?.run === runOf(campaign);
    // What is done, or over and told to stand still, is not taken up again.
    if (isTold && told.finished) return;
    if (isOver(campaign.state) && isTold && told.inFlight === 0 && told.seenRevision >= campaign.revision) return;
    const { host, store, attempts, repairer, onOutcome } = this.#options;
    const part = new CampaignPart(campaign, partition, generation, {
      host,
      store,
      lanes: this.#lanes,
      recent: this.#recent,
      tools: (of) => this.#toolsOf(of),
      attempts,
      repairer,
      tell: (progress) => this.#tell(progress),
      onOutcome,
    });
    const stop = new AbortController();
    this.#parts.set(key, { part, running: null, stop, restUntilMs: 0, toldAtMs: 0, told: '' });
  }

  /** Begins a step of some of the parts, those that have waited longest. */
  #begin(known: ReadonlyMap<string, Campaign>, most: number): void {
    const open = [...this.#parts.values()];
    let running = open.filter((one) => one.running !== null).length;
    const nowMs = this.#options.host.tools.runtime.clock.nowMs();
    for (let i = 0; i < open.length && running < most; i++) {
      const one = open[(this.#turn + i) % open.length] as OpenPart;
      const campaign = known.get(one.part.campaignId);
      if (campaign?.state !== 'running' || one.running !== null || one.part.isOver || one.restUntilMs > nowMs) continue;
      running++;
      one.stop = new AbortController();
      one.running = this.#step(campaign, one).finally(() => {
        one.running = null;
      });
    }
    this.#turn = open.length === 0 ? 0 : (this.#turn + running) % open.length;
  }

  async #step(campaign: Campaign, one: OpenPart): Promise<void> {
    const { followed, host, logger } = this.#options;
    const { part, stop } = one;
    try {
      await part.load(followed.table.progressOf(part.campaignId, part.partition));
      if (part.isOver) return await part.rest(campaign);
      const next = await part.step(campaign, stop.signal);
      part.wait(next === 'rest' ? 'what failed rests before it is tried again' : '');
      if (next === 'rest') one.restUntilMs = host.tools.runtime.clock.nowMs() + this.#options.retryAfterMs;
    } catch (error) {
      if (stop.signal.aborted) return;
      one.restUntilMs = host.tools.runtime.clock.nowMs() + restMs;
      const reason = describeError(error);
      logger.warn({ campaign: campaign.id, partition: part.partition, error: reason }, 'a part of a campaign rests');
      if (error instanceof MeshwardError && error.code === 'store-refused' && !isRetryable(error)) {
        await part.fail(reason).catch(() => undefined);
        return;
      }
      part.wait(reason);
    }
  }

  /** Paused or over: what runs is called off, and then it is told that this has come to pass. */
  async #stand(campaign: Campaign, key: string, open: OpenPart): Promise<void> {
    if (open.running !== null) {
      open.stop.abort(stopped(campaign));
      await open.running;
    }
    if (open.part.seenRevision < campaign.revision) {
      await open.part.load(this.#options.followed.table.progressOf(open.part.campaignId, open.part.partition));
      await open.part.rest(campaign);
    }
    if (isOver(campaign.state)) this.#parts.delete(key);
  }

  async #close(key: string, open: OpenPart): Promise<void> {
    open.stop.abort(cancelled());
    await open.running;
    this.#parts.delete(key);
    if (![...this.#parts.values()].some(({ part }) => part.campaignId === open.part.campaignId))
      this.#tools.delete(open.part.campaignId);
  }

  /** Progress within a page, now and then. */
  async #tellAll(): Promise<void> {
    const nowMs = this.#options.host.tools.runtime.clock.nowMs();
    for (const open of this.#parts.values()) {
      if (open.running === null && open.part.waitsFor === '') continue;
      if (nowMs - open.toldAtMs < tellEveryMs) continue;
      const progress = this.#withSlowness(open.part.progress());
      const told = JSON.stringify({ ...progress, atMs: 0 });
      if (told === open.told) continue;
      open.told = told;
      open.toldAtMs = nowMs;
      await this.#tell(progress);
    }
  }

  async #tell(progress: CampaignProgress): Promise<void> {
    const { followed, host, store } = this.#options;
    if (host.fenceOf(progress.partition)?.generation !== progress.generation) return;
    const { campaignId: id, partition } = progress;
    const before = followed.table.progressOf(id, partition);
    const stale =
      before !== undefined && before.generation < progress.generation
        ? [{ key: keyOf({ kind: 'progress', id, partition, generation: before.generation }), value: null }]
        : [];
    await followed.append([progressRecord(progress), ...stale]);
    const files = (of: readonly FileOutcome[]): number =>
      progress.outcomes.reduce((sum, one) => sum + (of.includes(one.outcome) ? one.files : 0), 0);
    await store.enqueue(campaignProgress, [
      {
        campaign: id,
        at: progress.atMs,
        partition,
        files: progress.outcomes.reduce((sum, one) => sum + one.files, 0),
        restored: files(['restored']),
        failed: files(['failed', 'partial', 'irrecoverable', 'corrupt']),
        sharesWritten: progress.sharesWritten,
        bytesRead: progress.bytesRead,
        bytesWritten: progress.bytesWritten,
        inFlight: progress.inFlight,
        waitsFor: progress.waitsFor,
        finished: progress.finished,
        repairer: progress.repairer,
      },
    ]);
  }

  async #keepBooks(owned: readonly number[]): Promise<void> {
    const isScribe = owned.includes(0);
    if (isScribe && !this.#wasScribe) this.#scribe.forget();
    this.#wasScribe = isScribe;
    if (isScribe) await this.#scribe.look();
  }

  #toolsOf(campaign: Campaign): RepairTools {
    const { host, bytesPerSecond } = this.#options;
    const { tools } = host;
    const limit = bytesPerSecond() * campaign.definition.budgetShare;
    const known = this.#tools.get(campaign.id);
    if (known?.limit === limit) return known.tools;
    const budget = createBudget({ bytesPerSecond: limit }, tools.runtime.clock);
    const mesh = { ...tools.mesh, transfer: budgetedTransfer(tools.mesh.transfer, budget) };
    const own = limit === 0 ? tools : { ...tools, mesh };
    this.#tools.set(campaign.id, { limit, tools: own, budget });
    return own;
  }

  /** Something is done, and more would be if the campaign had more of the budget. */
  #withSlowness(progress: CampaignProgress): CampaignProgress {
    const own = this.#tools.get(progress.campaignId);
    if (progress.waitsFor !== '' || own === undefined || own.limit === 0) return progress;
    if (own.budget.used().bytesPerSecond < own.limit) return progress;
    return { ...progress, waitsFor: `its share of the budget, ${Math.round(own.limit)} bytes a second, is used up` };
  }

  #isOwned(part: CampaignPart): boolean {
    return this.#options.host.fenceOf(part.partition)?.generation === part.generation;
  }
}

function stopped(campaign: Campaign): MeshwardError {
  return new MeshwardError('cancelled', `the campaign "${campaign.name}" is ${campaign.state}`, {
    next: 'It goes on where it was when it is resumed.',
  });
}

function cancelled(): MeshwardError {
  return new MeshwardError('cancelled', 'this part of the campaign is done elsewhere', {
    next: 'Nothing needs doing: whoever owns the partition goes on.',
  });
}
