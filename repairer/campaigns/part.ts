/**
 * One campaign in one partition: pages of files in the order of their storage indexes, each file done once. Rows of what came of
 * the files are in the database before the cursor that passes over them is in the log; what a kill leaves between the two is
 * known by its rows, and not done again.
 */
import { type Campaign, runOf } from '#mesh/campaigns/campaign.ts';
import type { CampaignProgress, FileOutcome } from '#mesh/campaigns/progress.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { campaignFiles } from '#store/campaign-tables.ts';
import type { CampaignSums } from '#store/queries/campaigns.ts';
import { repairs } from '#store/tables.ts';
import type { RepairTools } from '../repair/tools.ts';
import { type CalledOff, type CampaignFile, type FileResult, workOn } from './file-work.ts';
import type { CampaignLanes } from './lanes.ts';
import type { CampaignHost, CampaignStore } from './ports.ts';
import type { RecentPlacements } from './recent-placements.ts';

export interface CampaignPartOptions {
  readonly host: CampaignHost;
  readonly store: CampaignStore;
  readonly lanes: CampaignLanes;
  readonly recent: RecentPlacements;
  /** Of this campaign: within its share of the budget. */
  readonly tools: (campaign: Campaign) => RepairTools;
  readonly attempts: number;
  readonly repairer: string;
  /** Says in the log where it is. */
  readonly tell: (progress: CampaignProgress) => Promise<void>;
  readonly onOutcome: (outcome: FileOutcome) => void;
}

const pageFiles = 64;

type Counts = Map<string, { outcome: FileOutcome; errorCode: string; files: number }>;

export class CampaignPart {
  readonly campaignId: string;
  readonly partition: number;
  readonly generation: number;
  readonly run: number;
  readonly #options: CampaignPartOptions;
  readonly #counts: Counts = new Map();
  #sums = { sharesWritten: 0, bytesRead: 0, bytesWritten: 0 };
  #seenRevision = 0;
  #pass = 1;
  #cursor = '';
  #finished = false;
  #inFlight = 0;
  #waitsFor = '';
  #failure = '';
  #isLoaded = false;

  constructor(campaign: Campaign, partition: number, generation: number, options: CampaignPartOptions) {
    this.campaignId = campaign.id;
    this.partition = partition;
    this.generation = generation;
    this.run = runOf(campaign);
    this.#options = options;
  }

  get isOver(): boolean {
    return this.#finished || this.#failure !== '';
  }

  get waitsFor(): string {
    return this.#waitsFor;
  }

  get seenRevision(): number {
    return this.#seenRevision;
  }

  progress(): CampaignProgress {
    return {
      campaignId: this.campaignId,
      partition: this.partition,
      generation: this.generation,
      repairer: this.#options.repairer,
      seenRevision: this.#seenRevision,
      run: this.run,
      pass: this.#pass,
      cursor: this.#cursor,
      finished: this.#finished,
      inFlight: this.#inFlight,
      waitsFor: this.#waitsFor,
      atMs: this.#options.host.tools.runtime.clock.nowMs(),
      outcomes: [...this.#counts.values()],
      ...this.#sums,
      failure: this.#failure,
    };
  }

  /** Goes on where whoever owned the partition before has said that it was. */
  async load(before: CampaignProgress | undefined): Promise<void> {
    if (this.#isLoaded) return;
    if (before !== undefined && before.run === this.run) {
      this.#pass = Math.max(1, before.pass);
      this.#cursor = before.cursor;
      this.#finished = before.finished;
    }
    this.#take(await this.#options.store.sums(this.campaignId, this.partition));
    this.#isLoaded = true;
  }

  /** Does a page; `rest` where what failed is to be tried again after a while. The signal stops it within seconds: what is under way is called off, and done again later. */
  async step(campaign: Campaign, signal: AbortSignal): Promise<'more' | 'rest'> {
    const { store, tell, host, attempts } = this.#options;
    this.#seenRevision = campaign.revision;
    const nowMs = host.tools.runtime.clock.nowMs();
    const after = this.#cursor === '' ? null : (this.#cursor as StorageIndex);
    const { id, definition } = campaign;
    const work = await store.work({
      campaign: id,
      definition,
      partition: this.partition,
      pass: this.#pass,
      after,
      nowMs,
      limit: pageFiles,
    });
    signal.throwIfAborted();
    if (work.length > 0) {
      await this.#page(campaign, work, signal);
      this.#cursor = work.at(-1)?.storageIndex ?? this.#cursor;
    } else if (this.#pass < attempts && this.#mayBeTriedAgain()) {
      this.#pass++;
      this.#cursor = '';
      await tell(this.progress());
      return 'rest';
    } else {
      this.#finished = true;
    }
    await tell(this.progress());
    return 'more';
  }

  /** Stands still, knowing that this revision says so. */
  async rest(campaign: Campaign): Promise<void> {
    this.#seenRevision = campaign.revision;
    this.#waitsFor = '';
    await this.#options.tell(this.progress());
  }

  wait(reason: string): void {
    this.#waitsFor = reason;
  }

  async fail(reason: string): Promise<void> {
    this.#failure = reason;
    await this.#options.tell(this.progress());
  }

  async #page(
    campaign: Campaign,
    work: Awaited<ReturnType<CampaignStore['work']>>,
    signal: AbortSignal,
  ): Promise<void> {
    const { store } = this.#options;
    const indexes = work.map(({ storageIndex }) => storageIndex);
    const { files, placements } = await store.details(indexes);
    const earlier = this.#pass === 1 ? [] : await store.earlier(this.campaignId, this.partition, indexes);
    const fileOf = new Map(files.map((file) => [file.storageIndex, file]));
    const placementsOf = Map.groupBy(placements, ({ storageIndex }) => storageIndex);
    const earlierOf = new Map(earlier.map((row) => [row.storageIndex, row]));
    const done = await Promise.allSettled(
      work.map((health) => {
        const { storageIndex } = health;
        const given = {
          health,
          file: fileOf.get(storageIndex),
          placements: placementsOf.get(storageIndex) ?? [],
          earlier: earlierOf.get(storageIndex),
        };
        return this.#file(campaign, given, signal);
      }),
    );
    // Also where it was called off: what was done is done.
    await store.flush();
    const failed = done.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #file(campaign: Campaign, given: CampaignFile, signal: AbortSignal): Promise<void> {
    const { host, lanes, recent, tools, onOutcome } = this.#options;
    const { storageIndex } = given.health;
    const { priority } = campaign.definition;
    const onWait = (reason: string): void => this.wait(reason);
    const result = await lanes.within({ storageIndex, priority, signal, onWait }, async () => {
      this.#inFlight++;
      try {
        const fence = host.fenceOf(this.partition);
        if (fence?.generation !== this.generation) return null;
        const { placed, taken } = recent.of(storageIndex);
        const { partition } = this;
        return await workOn(
          given,
          { campaign, partition, pass: this.#pass, fence, signal, placed, taken },
          tools(campaign),
        );
      } finally {
        this.#inFlight--;
      }
    });
    if (result === null || result.row === null) {
      if (result !== null) await this.#keepCalledOff(storageIndex, result);
      signal.throwIfAborted();
      throw new Error('the repair was called off from elsewhere');
    }
    recent.note(storageIndex, { placed: result.placed });
    for (const share of result.corrupt) host.found(storageIndex, share);
    await this.#keep(result, given.earlier);
    onOutcome(result.row.outcome);
  }

  async #keepCalledOff(storageIndex: StorageIndex, { taken, repair }: CalledOff): Promise<void> {
    this.#options.recent.note(storageIndex, { taken });
    if (repair !== null) await this.#options.store.enqueue(repairs, [repair]);
  }

  async #keep({ row, repair }: FileResult, earlier: CampaignFile['earlier']): Promise<void> {
    const { store } = this.#options;
    await store.enqueue(campaignFiles, [row]);
    if (repair !== null) await store.enqueue(repairs, [repair]);
    if (earlier !== undefined) this.#count(earlier.outcome, earlier.errorCode, -1);
    this.#count(row.outcome, row.errorCode, 1);
    this.#sums = {
      sharesWritten: this.#sums.sharesWritten + row.sharesWritten - (earlier?.sharesWritten ?? 0),
      bytesRead: this.#sums.bytesRead + row.bytesRead - (earlier?.bytesRead ?? 0),
      bytesWritten: this.#sums.bytesWritten + row.bytesWritten - (earlier?.bytesWritten ?? 0),
    };
  }

  #take(sums: CampaignSums): void {
    for (const { outcome, errorCode, files } of sums.outcomes) this.#count(outcome, errorCode, files);
    const { sharesWritten, bytesRead, bytesWritten } = sums;
    this.#sums = { sharesWritten, bytesRead, bytesWritten };
  }

  #count(outcome: FileOutcome, errorCode: string, by: number): void {
    const key = `${outcome}/${errorCode}`;
    const files = (this.#counts.get(key)?.files ?? 0) + by;
    if (files === 0) this.#counts.delete(key);
    else this.#counts.set(key, { outcome, errorCode, files });
  }

  #mayBeTriedAgain(): boolean {
    return [...this.#counts.values()].some(({ outcome }) => outcome === 'failed' || outcome === 'partial');
  }
}
