/**
 * The analyzer: owns partitions of share-events, follows every peer, and keeps what it finds in the store, on the at-risk
 * list and in alerts. What it finds goes on while the store is away; what it reads does not, beyond a limit.
 */
import { randomUUID } from 'node:crypto';
import type { AssignedPartition, Membership } from '#log/port.ts';
import { sleep } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { PeerFacts } from '#peers/liveness/peer-register.ts';
import { AlertBoard, type OpenAlert } from './alerts/alert-board.ts';
import { MeshAlerts } from './alerts/mesh-alerts.ts';
import { type FileAnswer, type Unanswered } from './files/file-answer.ts';
import { type AtRiskAnswer, type AtRiskQuery, FileAnswers } from './files/file-answers.ts';
import { FilesElsewhere } from './files/files-elsewhere.ts';
import { Keeper } from './files/keeper.ts';
import { ListWriter } from './files/list-writer.ts';
import { Partitions } from './files/partitions.ts';
import { PolicyTable } from './files/policy-table.ts';
import { Publisher } from './files/publisher.ts';
import { PeerTable } from './files/share-map/peer-table.ts';
import type { SweepTotals } from './files/share-map/share-map.ts';
import { emptyTotals, mergeTotals } from './files/share-map/totals.ts';
import { whileStoreIsAway } from './files/store-away.ts';
import { Sweeper } from './files/sweeper.ts';
import { WaitingHistory } from './files/waiting-history.ts';
import { type Freshness, freshnessOf } from './mesh/freshness.ts';
import { InventoryAsks } from './mesh/inventory-asks.ts';
import { MeshFacts } from './mesh/mesh-facts.ts';
import { MeshView } from './mesh/mesh-view.ts';
import { MeshWatch } from './mesh/mesh-watch.ts';
import { meshWriterPartition } from './mesh/mesh-writer.ts';
import { ReportExchange } from './mesh/report-exchange.ts';
import { staleReasonsInWords } from './mesh/stale-reason.ts';
import type { AnalyzerOptions } from './options.ts';
import { PeersFollower } from './peers/peers-follower.ts';

/** What can be told of the mesh's health, and how fresh it is. */
export interface MeshHealth {
  /** Of the whole: what other analyzers report of themselves too. */
  readonly freshness: Freshness;
  /** Of all partitions that any analyzer has told of. */
  readonly totals: SweepTotals;
  /** Of those that are owned here. */
  readonly ownTotals: SweepTotals;
  readonly sweptAtMs: number;
  readonly peers: readonly PeerFacts[];
  readonly alerts: readonly OpenAlert[];
  readonly ownedPartitions: number;
  readonly partitions: number;
}

const defaultStepMs = 100;
const defaultStopTimeoutMs = 5000;
const complaintIntervalMs = 10_000;

export class Analyzer {
  readonly #options: AnalyzerOptions;
  readonly #table = new PeerTable();
  readonly #publisher: Publisher;
  readonly #policies: PolicyTable;
  readonly #partitions: Partitions;
  readonly #history: WaitingHistory;
  readonly #board = new AlertBoard(randomUUID);
  readonly #view: MeshView;
  readonly #facts: MeshFacts;
  readonly #reports: ReportExchange;
  readonly #watch: MeshWatch;
  readonly #sweeper: Sweeper;
  readonly #lists: ListWriter;
  readonly #answers: FileAnswers;
  readonly #listeners = new Set<() => void>();
  readonly #stopping = new AbortController();
  /** Resolves when stopping has waited for long enough: what hangs is left behind. */
  readonly #givenUp = Promise.withResolvers<void>();
  #isClosed = false;
  #peers: PeersFollower | null = null;
  #membership: Membership | null = null;
  #keeper: Keeper | null = null;
  #partitionCount = 0;
  #nextKeepMs = 0;
  #loop: Promise<void> = Promise.resolve();
  #failure: unknown = null;
  #nextComplaintMs = 0;

  constructor(options: AnalyzerOptions) {
    this.#options = options;
    this.#publisher = new Publisher(options, this.#table);
    this.#policies = new PolicyTable(options.config.policies, options.logger);
    this.#partitions = new Partitions({
      analyzer: options,
      table: this.#table,
      policies: this.#policies,
      peers: () => this.#peers?.register.facts() ?? [],
      signal: this.#stopping.signal,
      handOver: (partitions) => Promise.race([this.#lists.handOver(partitions), this.#givenUp.promise]),
      still: () => Promise.race([Promise.all([this.#keeper?.still(), this.#lists.still()]), this.#givenUp.promise]),
      onJudgeable: () => this.#sweeper.sweepSoon(),
      onFull: () => {
        this.#nextKeepMs = 0;
      },
    });
    const { owned } = this.#partitions;
    this.#history = new WaitingHistory((rows) => options.metrics.droppedRows.add(rows));
    const instance = options.instance ?? 'analyzer';
    const { staleAfterMs, sweepIntervalMs } = options.config.analyzer;
    const complain = (error: unknown, message: string): void => this.#complain(error, message);
    this.#view = new MeshView({ analyzer: instance, staleAfterMs: staleAfterMs + 2 * sweepIntervalMs });
    const ownPart = {
      owned,
      partitionCount: () => this.#partitionCount,
      freshness: () => this.freshness(),
      owingPeers: () => this.#partitions.owingPeers(),
    };
    this.#facts = new MeshFacts(options, ownPart, this.#view);
    const asks = new InventoryAsks();
    this.#reports = new ReportExchange({
      analyzer: options,
      instance,
      facts: this.#facts,
      ownedPartitions: () => owned.size,
      inventoryAsks: (now) => asks.open(this.#partitions.owingPeers(), (peer) => this.#peers?.register.find(peer), now),
      complain,
    });
    const alerts = new MeshAlerts({
      analyzer: options,
      board: this.#board,
      history: this.#history,
      isWriter: () => owned.has(meshWriterPartition),
      complain,
    });
    this.#watch = new MeshWatch({
      analyzer: options,
      owned,
      facts: this.#facts,
      reports: this.#reports,
      alerts,
      history: this.#history,
      peers: () => this.#peers?.register ?? null,
    });
    this.#sweeper = new Sweeper({
      analyzer: options,
      table: this.#table,
      publisher: this.#publisher,
      owned,
      watch: this.#watch,
    });
    this.#lists = new ListWriter({
      owned,
      publisher: this.#publisher,
      clock: options.clock,
      ends: () => options.log.bounds(options.topics.atRisk.name),
      signal: this.#stopping.signal,
      complain: (error, message) => this.#complain(error, message),
    });
    this.#answers = new FileAnswers({
      elsewhere: new FilesElsewhere({
        store: options.store,
        table: this.#table,
        policies: this.#policies,
        publisher: this.#publisher,
        freshness: () => this.#facts.freshness(),
      }),
      clock: options.clock,
      owned,
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
    const { signal } = this.#stopping;
    this.#partitionCount = await log.partitionCount(topics.shareEvents.name);
    this.#board.resume(await whileStoreIsAway(this.#options, signal, 'open alerts', () => store.loadOpenAlerts()));
    const stored = await whileStoreIsAway(this.#options, signal, 'the peers', () => store.loadLiveness());
    const peerPartitions = await log.partitionCount(topics.peerEvents.name);
    this.#peers = new PeersFollower(this.#options, this.#table, stored, peerPartitions, (report) =>
      this.#view.note(report),
    );
    await this.#peers.start((error) => this.#fail(error));
    this.#stopping.signal.throwIfAborted();
    const { owned } = this.#partitions;
    this.#keeper = new Keeper({
      analyzer: this.#options,
      owned,
      publisher: this.#publisher,
      history: this.#history,
      peers: this.#peers,
      keepsPeers: () => (this.#partitions.areMoving || owned.size === 0 ? null : owned.has(meshWriterPartition)),
      commit: (partition, nextOffset) => this.#commit(partition, nextOffset),
    });
    this.#membership = await log.join(`${config.log.topicPrefix}analyzers`, [topics.shareEvents.name], {
      assigned: (partitions) => this.#takeOver(partitions),
      revoked: (partitions) => this.#partitions.giveUp(partitions),
      records: (partition, records) => this.#partitions.apply(partition, records),
      truncated: (partition, from, first) => this.#partitions.truncated(partition, from, first),
      unreadable: (partition, batch) => this.#partitions.unreadable(partition, batch),
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
      freshness: this.#facts.freshness(),
      totals: this.#facts.whole().totals,
      ownTotals: [...this.#partitions.owned.values()].reduce(
        (sum, { totals }) => mergeTotals(sum, totals ?? emptyTotals()),
        emptyTotals(),
      ),
      sweptAtMs: this.#sweeper.sweptAtMs,
      peers: this.#peers?.register.facts() ?? [],
      alerts: this.#board.open(),
      ownedPartitions: this.#partitions.owned.size,
      partitions: this.#partitionCount,
    };
  }

  /** Of what is owned here. */
  freshness(): Freshness {
    return this.#freshness(this.#partitions.owingPeers().length);
  }

  /** As `freshness`, except that what only inventories of peers can mend is no reason to ask another analyzer. */
  readiness(): { readonly ready: boolean; readonly reasons: readonly string[] } {
    const { state, reasons } = this.#freshness(0);
    return { ready: state === 'fresh', reasons: staleReasonsInWords(reasons) };
  }

  #freshness(owedInventories: number): Freshness {
    return freshnessOf(this.#options, {
      peerTimes: this.#peers?.times ?? [],
      owned: [...this.#partitions.owned.values()],
      failure: this.#failure,
      keepingSinceMs: this.#keeper?.busySinceMs ?? null,
      owedInventories,
    });
  }

  /** Of a partition that is owned here; undefined where its health cannot be told: `unanswered` says why. */
  file(index: StorageIndex): FileAnswer | undefined {
    return this.#answers.file(index);
  }

  unanswered(index: StorageIndex): Unanswered {
    return this.#answers.unanswered(index);
  }

  atRisk(query: AtRiskQuery): AtRiskAnswer {
    return this.#answers.atRisk(query);
  }

  /** Of any partition: those of others as the store has them. @throws MeshwardError `store-unavailable` for those. */
  lookUp(index: StorageIndex): Promise<FileAnswer | Unanswered> {
    return this.#answers.lookUp(index);
  }

  /** Of the whole mesh. @throws MeshwardError `store-unavailable` where other analyzers own a part of it. */
  listAtRisk(query: AtRiskQuery): Promise<AtRiskAnswer> {
    return this.#answers.listAtRisk(query);
  }

  async #takeOver(partitions: readonly AssignedPartition[]): Promise<ReadonlyMap<string, number>> {
    const starts = await this.#partitions.takeOver(partitions);
    // What other owners kept of peers may be older than what we know.
    if (partitions.some(({ partition }) => partition === meshWriterPartition)) this.#peers?.register.markAllChanged();
    return starts;
  }

  // --- looking -----------------------------------------------------------------------------------------------------

  async #run(): Promise<void> {
    const { clock, logger, stepMs } = this.#options;
    while (!this.#stopping.signal.aborted) {
      try {
        this.#facts.look();
        if (await this.#sweeper.step()) this.#tellListeners();
      } catch (error) {
        this.#complain(error, 'a look at the mesh failed; it is tried again');
      }
      this.#lists.write();
      this.#keepWhenDue();
      await sleep(clock, stepMs ?? defaultStepMs, this.#stopping.signal).catch(() => undefined);
    }
    this.#partitions.roomMade();
    await this.#keeper?.still();
    await this.#lists.still();
    await this.#reports.settled();
    if (this.#failure !== null) return;
    this.#watch.withdraw(this.#options.clock.nowMs());
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
      () => this.#partitions.roomMade(),
      (error: unknown) => this.#fail(error),
    );
  }

  #commit(partition: AssignedPartition, nextOffset: number): Promise<void> {
    if (this.#isClosed || this.#membership === null) return Promise.resolve();
    return this.#membership.commit(partition, nextOffset);
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
