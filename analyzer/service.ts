/**
 * The analyzer: owns partitions of share-events, follows every peer, and keeps what it finds in the store, on the at-risk
 * list and in alerts. What it finds goes on while the store is away; what it reads does not, beyond a limit.
 */
import { randomUUID } from 'node:crypto';
import { type AssignedPartition, type LogRecord, type Membership, partitionKey } from '#collector/log/port.ts';
import { sleep } from '#mesh/clock.ts';
import { describeError, hasCode, MeshwardError } from '#mesh/errors.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { OpenAlert } from './alerts/alert-board.ts';
import { keepDeadLetter } from './dead-letter.ts';
import { type AtRiskAnswer, type AtRiskQuery, type FileAnswer, FileAnswers, type Unanswered } from './file-answers.ts';
import { type Freshness, freshnessOf } from './freshness.ts';
import { Keeper } from './keeper.ts';
import { ListWriter } from './list-writer.ts';
import type { PeerFacts } from './liveness/peer-register.ts';
import type { AnalyzerOptions } from './options.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';
import { rebuildPartition } from './partition/rebuild.ts';
import { PeersFollower } from './peers-follower.ts';
import { PolicyTable } from './policy-table.ts';
import { Publisher } from './publisher.ts';
import { PeerTable } from './share-map/peer-table.ts';
import type { SweepTotals } from './share-map/share-map.ts';
import { Sweeper } from './sweeper.ts';
import { WaitingHistory } from './waiting-history.ts';

/** What can be told of the mesh's health, and how fresh it is. */
export interface MeshHealth {
  readonly freshness: Freshness;
  readonly totals: SweepTotals;
  readonly sweptAtMs: number;
  readonly peers: readonly PeerFacts[];
  readonly alerts: readonly OpenAlert[];
  readonly ownedPartitions: number;
  readonly partitions: number;
}

/** The owner of this partition keeps what is known of peers, since every analyzer knows the same of them. */
const peersKeptWith = 0;
const defaultStepMs = 100;
const defaultStopTimeoutMs = 5000;
const defaultMaxUnsavedEvents = 2_000_000;
const complaintIntervalMs = 10_000;

export class Analyzer {
  readonly #options: AnalyzerOptions;
  readonly #table = new PeerTable();
  readonly #publisher: Publisher;
  readonly #policies: PolicyTable;
  readonly #owned = new Map<number, OwnedPartition>();
  readonly #history: WaitingHistory;
  readonly #sweeper: Sweeper;
  readonly #lists: ListWriter;
  readonly #answers: FileAnswers;
  readonly #listeners = new Set<() => void>();
  readonly #stopping = new AbortController();
  /** Resolves when stopping has waited for long enough: what hangs is left behind. */
  readonly #givenUp = Promise.withResolvers<void>();
  #isClosed = false;
  #isTakingOver = false;
  #peers: PeersFollower | null = null;
  #membership: Membership | null = null;
  #keeper: Keeper | null = null;
  #partitionCount = 0;
  #nextKeepMs = 0;
  #roomMade = Promise.withResolvers<void>();
  #loop: Promise<void> = Promise.resolve();
  #failure: unknown = null;
  #nextComplaintMs = 0;

  constructor(options: AnalyzerOptions) {
    this.#options = options;
    this.#publisher = new Publisher(options, this.#table);
    this.#policies = new PolicyTable(options.config.policies, options.logger);
    this.#history = new WaitingHistory((rows) => options.metrics.droppedRows.add(rows));
    this.#sweeper = new Sweeper({
      analyzer: options,
      table: this.#table,
      publisher: this.#publisher,
      owned: this.#owned,
      history: this.#history,
      newAlertId: randomUUID,
      peers: () => this.#peers?.register ?? null,
      freshness: () => this.freshness(),
    });
    this.#lists = new ListWriter({
      owned: this.#owned,
      publisher: this.#publisher,
      signal: this.#stopping.signal,
      complain: (error, message) => this.#complain(error, message),
    });
    this.#answers = new FileAnswers({
      owned: this.#owned,
      publisher: this.#publisher,
      partitionCount: () => this.#partitionCount,
      freshness: () => this.freshness(),
    });
  }

  /** Resolves once peers are known and the group is joined; partitions arrive after that. */
  async start(): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { log, topics, config, store, logger } = this.#options;
    this.#partitionCount = await log.partitionCount(topics.shareEvents.name);
    this.#sweeper.board.resume(await this.#whileStoreIsAway('open alerts', () => store.loadOpenAlerts()));
    const stored = await this.#whileStoreIsAway('the peers', () => store.loadLiveness());
    const peerPartitions = await log.partitionCount(topics.peerEvents.name);
    this.#peers = new PeersFollower(this.#options, this.#table, stored, peerPartitions);
    await this.#peers.start((error) => this.#fail(error));
    this.#stopping.signal.throwIfAborted();
    this.#keeper = new Keeper({
      analyzer: this.#options,
      owned: this.#owned,
      publisher: this.#publisher,
      history: this.#history,
      peers: this.#peers,
      keepsPeers: () => (this.#isTakingOver || this.#owned.size === 0 ? null : this.#owned.has(peersKeptWith)),
      commit: (partition, nextOffset) => this.#commit(partition, nextOffset),
    });
    this.#membership = await log.join(`${config.log.topicPrefix}analyzers`, [topics.shareEvents.name], {
      assigned: (partitions) => this.#takeOver(partitions),
      revoked: (partitions) => this.#giveUp(partitions),
      records: (partition, records) => this.#apply(partition, records),
      truncated: (partition, fromOffset, firstOffset) => this.#truncated(partition, fromOffset, firstOffset),
    });
    this.#membership.ended.catch((error: unknown) => this.#fail(error));
    this.#loop = this.#run();
    logger.info({ peers: this.#peers.register.count }, 'analyzer started');
  }

  /** Stores what is known, commits, and leaves the group; waits for no more than the stop timeout. */
  async stop(): Promise<void> {
    if (!this.#stopping.signal.aborted) {
      this.#stopping.abort(
        new MeshwardError('cancelled', 'the analyzer is stopping', {
          next: 'Start it again: it goes on from the log.',
        }),
      );
      const callOff = this.#options.clock.after(this.#options.stopTimeoutMs ?? defaultStopTimeoutMs, () => {
        this.#options.logger.warn({}, 'the last changes are not stored in time; they come again from the log');
        this.#givenUp.resolve();
      });
      void this.#givenUp.promise.then(callOff);
    }
    await Promise.race([this.#loop, this.#givenUp.promise]);
    this.#isClosed = true;
    await this.#peers?.stop();
    await this.#membership?.leave();
    this.#givenUp.resolve();
  }

  /** Calls `listener` after every look that changed something. @returns how to stop it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Why the analyzer can go on no more, or null. */
  get failure(): unknown {
    return this.#failure;
  }

  health(): MeshHealth {
    return {
      freshness: this.freshness(),
      totals: this.#sweeper.totals,
      sweptAtMs: this.#sweeper.sweptAtMs,
      peers: this.#peers?.register.facts() ?? [],
      alerts: this.#sweeper.board.open(),
      ownedPartitions: this.#owned.size,
      partitions: this.#partitionCount,
    };
  }

  freshness(): Freshness {
    return freshnessOf(this.#options, {
      peerTimes: this.#peers?.times ?? [],
      owned: [...this.#owned.values()],
      failure: this.#failure,
      keepingSinceMs: this.#keeper?.busySinceMs ?? null,
    });
  }

  /** Undefined where its health cannot be told: `unanswered` says why. */
  file(index: StorageIndex): FileAnswer | undefined {
    return this.#answers.file(index);
  }

  unanswered(index: StorageIndex): Unanswered {
    return this.#answers.unanswered(index);
  }

  atRisk(query: AtRiskQuery): AtRiskAnswer {
    return this.#answers.atRisk(query);
  }

  // --- partitions --------------------------------------------------------------------------------------------------

  async #takeOver(partitions: readonly AssignedPartition[]): Promise<ReadonlyMap<string, number>> {
    this.#isTakingOver = true;
    try {
      return await this.#rebuild(partitions);
    } finally {
      this.#isTakingOver = false;
    }
  }

  async #rebuild(partitions: readonly AssignedPartition[]): Promise<ReadonlyMap<string, number>> {
    const starts = new Map<string, number>();
    for (const assigned of partitions) {
      const { owned, truncatedRecords } = await this.#whileStoreIsAway(`partition ${assigned.partition}`, () =>
        rebuildPartition(this.#options, this.#mapOptions(assigned.partition), assigned),
      );
      if (truncatedRecords > 0) this.#sayTruncated(owned, truncatedRecords);
      this.#owned.set(assigned.partition, owned);
      starts.set(partitionKey(assigned.topic, assigned.partition), owned.nextOffset);
    }
    // What other owners kept of peers may be older than what we know.
    if (partitions.some(({ partition }) => partition === peersKeptWith)) this.#peers?.register.markAllChanged();
    this.#sweeper.sweepSoon();
    return starts;
  }

  #mapOptions(partition: number) {
    const owned = this.#owned;
    const { maxFiles, settleMs } = this.#options.config.analyzer;
    return {
      peers: this.#table,
      policyFor: this.#policies.policyFor,
      settleMs,
      /** The limit is the analyzer's: what other partitions hold is not to be had here. */
      get maxFiles(): number {
        let elsewhere = 0;
        for (const [number, { map }] of owned) if (number !== partition) elsewhere += map.fileCount;
        return maxFiles - elsewhere;
      },
    };
  }

  /** Who owns the partitions next reads what we wrote: nothing of ours may come after this. */
  async #giveUp(partitions: readonly AssignedPartition[]): Promise<void> {
    for (const { partition } of partitions) this.#owned.delete(partition);
    const still = Promise.all([this.#keeper?.still(), this.#lists.still()]);
    await Promise.race([still, this.#givenUp.promise]);
  }

  async #apply(assigned: AssignedPartition, records: readonly LogRecord[]): Promise<void> {
    await this.#whenRoom();
    const owned = this.#owned.get(assigned.partition);
    if (owned === undefined || owned.assigned.generation !== assigned.generation) return;
    const { metrics, clock } = this.#options;
    const wasCaughtUp = owned.caughtUp;
    const malformed: { readonly record: LogRecord; readonly error: unknown }[] = [];
    metrics.events.add(owned.apply(records, clock.nowMs(), (record, error) => malformed.push({ record, error })));
    if (!wasCaughtUp && owned.caughtUp) this.#sweeper.sweepSoon();
    if (malformed.length === 0) return;
    const letters = this.#keepDeadLetters(malformed);
    owned.deadLetters = Promise.all([owned.deadLetters, letters]);
    await owned.deadLetters;
  }

  async #keepDeadLetters(malformed: readonly { readonly record: LogRecord; readonly error: unknown }[]): Promise<void> {
    for (const { record, error } of malformed) {
      await keepDeadLetter(this.#options, record, error, 'kept', this.#stopping.signal);
    }
  }

  /** While the store takes nothing, changes pile up in memory: beyond the limit the log is read no further. */
  async #whenRoom(): Promise<void> {
    const limit = this.#options.maxUnsavedEvents ?? defaultMaxUnsavedEvents;
    for (;;) {
      let unsaved = 0;
      for (const { untakenEvents } of this.#owned.values()) unsaved += untakenEvents;
      if (unsaved <= limit) return;
      this.#nextKeepMs = 0;
      await this.#roomMade.promise;
      // Nothing is applied without room: the records come again, since their offset is not committed.
      this.#stopping.signal.throwIfAborted();
    }
  }

  #truncated(assigned: AssignedPartition, fromOffset: number, firstOffset: number): Promise<void> {
    const owned = this.#owned.get(assigned.partition);
    if (owned !== undefined) {
      this.#sayTruncated(owned, firstOffset - fromOffset);
      owned.truncated(firstOffset);
    }
    return Promise.resolve();
  }

  #sayTruncated(owned: OwnedPartition, records: number): void {
    const { metrics, logger } = this.#options;
    metrics.truncatedEvents.add(records);
    this.#sweeper.truncated(records);
    logger.error(
      { partition: owned.number, records },
      'events were removed from the log before they were read; the next inventory of each peer mends what was missed',
    );
  }

  // --- looking -----------------------------------------------------------------------------------------------------

  async #run(): Promise<void> {
    const { clock, logger, stepMs } = this.#options;
    while (!this.#stopping.signal.aborted) {
      try {
        if (await this.#sweeper.step()) this.#tellListeners();
      } catch (error) {
        this.#complain(error, 'a look at the mesh failed; it is tried again');
      }
      this.#lists.write();
      this.#keepWhenDue();
      await sleep(clock, stepMs ?? defaultStepMs, this.#stopping.signal).catch(() => undefined);
    }
    this.#roomMade.resolve();
    await this.#keeper?.still();
    await this.#lists.still();
    if (this.#failure !== null) return;
    await this.#keeper?.keep().catch((error: unknown) => {
      logger.warn(
        { error: describeError(error) },
        'the last changes could not be stored; they come again from the log',
      );
    });
  }

  #tellListeners(): void {
    for (const listener of this.#listeners) listener();
  }

  #keepWhenDue(): void {
    const now = this.#options.clock.monotonicMs();
    if (this.#keeper === null || this.#keeper.busy || now < this.#nextKeepMs || this.#failure !== null) return;
    this.#nextKeepMs = now + this.#options.config.analyzer.flushIntervalMs;
    this.#keeper.keep().then(
      () => {
        this.#roomMade.resolve();
        this.#roomMade = Promise.withResolvers();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #commit(partition: AssignedPartition, nextOffset: number): Promise<void> {
    if (this.#isClosed || this.#membership === null) return Promise.resolve();
    return this.#membership.commit(partition, nextOffset);
  }

  async #whileStoreIsAway<T>(what: string, load: () => Promise<T>): Promise<T> {
    const { clock, logger } = this.#options;
    for (let attempt = 0; ; attempt++) {
      this.#stopping.signal.throwIfAborted();
      try {
        return await load();
      } catch (error) {
        if (!hasCode(error, 'store-unavailable')) throw error;
        logger.warn({ error: describeError(error), attempt }, `ClickHouse is away: ${what} cannot be loaded yet`);
        await sleep(clock, Math.min(5000, 250 * 2 ** attempt), this.#stopping.signal);
      }
    }
  }

  /** The same trouble comes back with every step: it is said now and then. */
  #complain(error: unknown, message: string): void {
    const { clock, logger } = this.#options;
    const now = clock.monotonicMs();
    if (now < this.#nextComplaintMs) return;
    this.#nextComplaintMs = now + complaintIntervalMs;
    logger.error({ error: describeError(error) }, message);
  }

  #fail(error: unknown): void {
    if (error === this.#stopping.signal.reason) return;
    this.#failure ??= error;
    if (this.#stopping.signal.aborted) return;
    this.#options.logger.error({ error: describeError(error) }, 'the analyzer cannot go on and must be restarted');
  }
}
