/**
 * The analyzer: owns partitions of share-events, follows every peer, and keeps what it finds in the store, on the at-risk
 * list and in alerts. What it finds goes on while the store is away; what it reads does not, beyond a limit.
 */
import { randomUUID } from 'node:crypto';
import { sleep } from '#mesh/clock.ts';
import type { Config } from '#mesh/config/schema.ts';
import { describeError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { PeerFacts } from '#peers/liveness/peer-register.ts';
import { AlertBoard, type OpenAlert } from './alerts/alert-board.ts';
import { MeshAlerts } from './alerts/mesh-alerts.ts';
import type { ObjectiveStanding } from './alerts/objective.ts';
import { type FileAnswer, type Unanswered } from './files/file-answer.ts';
import { type AtRiskAnswer, type AtRiskQuery, FileAnswers } from './files/file-answers.ts';
import { FilesElsewhere } from './files/files-elsewhere.ts';
import { Keeper } from './files/keeper.ts';
import { ListWriter } from './files/list-writer.ts';
import type { OwnedPartition } from './files/partition/owned-partition.ts';
import { PartitionGroup } from './files/partition-group.ts';
import { Partitions } from './files/partitions.ts';
import { PolicyTable } from './files/policy-table.ts';
import { Publisher } from './files/publisher.ts';
import { Rebuilds } from './files/rebuilds.ts';
import { PeerTable } from './files/share-map/peer-table.ts';
import type { SweepTotals } from './files/share-map/share-map.ts';
import { emptyTotals, mergeTotals } from './files/share-map/totals.ts';
import { whileStoreIsAway } from './files/store-away.ts';
import { Sweeper } from './files/sweeper.ts';
import { WaitingHistory } from './files/waiting-history.ts';
import { Lifetime } from './lifetime.ts';
import type { Freshness } from './mesh/freshness.ts';
import { type KnownTotals, LastTotals } from './mesh/last-totals.ts';
import { MeshFacts } from './mesh/mesh-facts.ts';
import { MeshView } from './mesh/mesh-view.ts';
import { MeshWatch } from './mesh/mesh-watch.ts';
import { OwnPart } from './mesh/own-part.ts';
import { ReportExchange } from './mesh/report-exchange.ts';
import { isPassing, staleReasonsInWords } from './mesh/stale-reason.ts';
import type { AnalyzerOptions } from './options.ts';
import { PeersFollower } from './peers/peers-follower.ts';

/** What can be told of the mesh's health, and how fresh it is. */
export interface MeshHealth {
  /** Of the whole: what other analyzers report of themselves too. */
  readonly freshness: Freshness;
  /** Of all partitions that any analyzer has told of; while there is none, as the store has them; null where that is not known either. */
  readonly totals: KnownTotals | null;
  /** Of those that are owned here. */
  readonly ownTotals: SweepTotals;
  /** When that was so; 0 before the first sweep. */
  readonly sweptAtMs: number;
  readonly peers: readonly PeerFacts[];
  readonly alerts: readonly OpenAlert[];
  readonly ownedPartitions: number;
  readonly partitions: number;
}

const defaultStepMs = 100;
const defaultStopTimeoutMs = 5000;

export class Analyzer {
  readonly #options: AnalyzerOptions;
  readonly #lifetime: Lifetime;
  readonly #owned = new Map<number, OwnedPartition>();
  readonly #group = new PartitionGroup();
  readonly #board = new AlertBoard(randomUUID);
  readonly #peers: PeersFollower;
  readonly #keeper: Keeper;
  readonly #own: OwnPart;
  readonly #facts: MeshFacts;
  readonly #totals: LastTotals;
  readonly #reports: ReportExchange;
  readonly #alerts: MeshAlerts;
  readonly #watch: MeshWatch;
  readonly #sweeper: Sweeper;
  readonly #lists: ListWriter;
  readonly #partitions: Partitions;
  readonly #answers: FileAnswers;
  readonly #listeners = new Set<() => void>();
  #resumed: Promise<void> | null = null;
  #loop: Promise<void> = Promise.resolve();

  constructor(options: AnalyzerOptions) {
    const { config, logger, metrics, clock, store, instance = 'analyzer' } = options;
    this.#options = options;
    this.#lifetime = new Lifetime(options);
    const lifetime = this.#lifetime;
    const { complain } = lifetime;
    const owned = this.#owned;
    const table = new PeerTable();
    const publisher = new Publisher(options, table);
    const policies = new PolicyTable(config.policies, logger);
    const rebuilds = new Rebuilds();
    const history = new WaitingHistory((rows) => metrics.droppedRows.add(rows));
    const view = new MeshView({ analyzer: instance, staleAfterMs: reportsStaleAfterMs(config) });
    this.#peers = new PeersFollower(options, table, view);
    const peers = this.#peers;
    const { register } = peers;
    this.#keeper = new Keeper({ analyzer: options, owned, rebuilds, publisher, history, peers, group: this.#group });
    const keeper = this.#keeper;
    this.#own = new OwnPart({ analyzer: options, lifetime, owned, rebuilds, table, peers, keeper });
    const own = this.#own;
    this.#facts = new MeshFacts(options, own, view);
    const facts = this.#facts;
    this.#totals = new LastTotals(facts);
    this.#reports = new ReportExchange({ analyzer: options, instance, own, facts, register, complain });
    const reports = this.#reports;
    const { delivery } = options;
    this.#alerts = new MeshAlerts({ analyzer: options, board: this.#board, history, owned, complain, delivery });
    const alerts = this.#alerts;
    this.#watch = new MeshWatch({ analyzer: options, owned, facts, reports, alerts, history, register });
    this.#sweeper = new Sweeper({ analyzer: options, table, publisher, owned, watch: this.#watch });
    const sweeper = this.#sweeper;
    this.#lists = new ListWriter({ analyzer: options, owned, publisher, signal: lifetime.signal, complain });
    const lists = this.#lists;
    this.#partitions = new Partitions({
      analyzer: options,
      lifetime,
      owned,
      rebuilds,
      table,
      policies,
      register,
      neighbours: {
        handOver: (partitions) => Promise.race([lists.handOver(partitions), lifetime.givenUp]),
        settled: () => Promise.race([Promise.all([keeper.settled(), lists.settled()]), lifetime.givenUp]),
        onJudgeable: () => sweeper.sweepSoon(),
        onFull: () => keeper.keepSoon(),
      },
    });
    const elsewhere = new FilesElsewhere({ store, table, policies, publisher, mesh: facts });
    this.#answers = new FileAnswers({ elsewhere, clock, own, publisher });
  }

  /** Takes in what an earlier run stored, and serves it: of the log nothing is needed for that. Waits while the store is away. */
  resume(): Promise<void> {
    this.#resumed ??= this.#resume();
    return this.#resumed;
  }

  async #resume(): Promise<void> {
    const { store } = this.#options;
    const { signal } = this.#lifetime;
    this.#board.resume(await whileStoreIsAway(this.#options, signal, 'open alerts', () => store.loadOpenAlerts()));
    this.#peers.resume(await whileStoreIsAway(this.#options, signal, 'the peers', () => store.loadLiveness()));
    this.#totals.resume(await whileStoreIsAway(this.#options, signal, 'the last sweep', () => store.loadLastSweep()));
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
    const { log, topics, config, logger } = this.#options;
    const { signal, fail } = this.#lifetime;
    await this.resume();
    this.#own.partitionCount = await log.partitionCount(topics.shareEvents.name);
    await this.#peers.start(fail);
    signal.throwIfAborted();
    const group = `${config.log.topicPrefix}analyzers`;
    await this.#group.join(log, group, topics.shareEvents.name, this.#partitions, fail);
    this.#loop = this.#run();
    logger.info({ peers: this.#peers.register.count }, 'analyzer started');
  }

  /** Stores what is known, commits, and leaves the group; waits for no more than the stop timeout. */
  async stop(): Promise<void> {
    this.#lifetime.stop(this.#options.tuning?.stopTimeoutMs ?? defaultStopTimeoutMs);
    await Promise.race([this.#loop, this.#lifetime.givenUp]);
    this.#group.close();
    await this.#peers.stop();
    await this.#group.leave();
    this.#lifetime.ended();
  }

  /** Calls `listener` after every look that changed something. @returns how to stop it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Why the analyzer can go on no more, or null. */
  get failure(): unknown {
    return this.#lifetime.failure;
  }

  health(): MeshHealth {
    return {
      freshness: this.#facts.freshness(),
      ...this.#totals.now(this.#sweeper.sweptAtMs),
      ownTotals: [...this.#owned.values()].reduce(
        (sum, { totals }) => mergeTotals(sum, totals ?? emptyTotals()),
        emptyTotals(),
      ),
      peers: this.#peers.register.facts(),
      alerts: this.#board.open(),
      ownedPartitions: this.#owned.size,
      partitions: this.#own.partitionCount,
    };
  }

  /** Partitions of share-events that are this analyzer's now. */
  partitionsOwned(): Iterable<number> {
    return this.#owned.keys();
  }

  /** Of the whole mesh, as in `health`; costs no look at totals and peers. */
  meshFreshness(): Freshness {
    return this.#facts.freshness();
  }

  peers(): readonly PeerFacts[] {
    return this.#peers.register.facts();
  }

  peer(id: PeerId): PeerFacts | undefined {
    return this.#peers.register.find(id);
  }

  /** How the recoverability objective stands. */
  objective(): readonly ObjectiveStanding[] {
    return this.#alerts.objective(this.#options.clock.nowMs());
  }

  /** Of what is owned here. */
  freshness(): Freshness {
    return this.#own.freshness();
  }

  /** As `freshness`, except that what only inventories of peers can mend, or passes by itself, is no reason to ask another analyzer. */
  readiness(): { readonly ready: boolean; readonly reasons: readonly string[] } {
    const reasons = this.#own.readiness().reasons.filter((reason) => !isPassing(reason));
    return { ready: reasons.length === 0, reasons: staleReasonsInWords(reasons) };
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

  // --- looking -----------------------------------------------------------------------------------------------------

  async #run(): Promise<void> {
    const { clock, tuning } = this.#options;
    const { signal, complain, isStopping } = this.#lifetime;
    for (let stopping = isStopping; !stopping; stopping = this.#lifetime.isStopping) {
      try {
        this.#facts.look();
        if (await this.#sweeper.step()) this.#callListeners();
      } catch (error) {
        complain(error, 'a look at the mesh failed; it is tried again');
      }
      this.#lists.write();
      this.#keepWhenDue();
      await sleep(clock, tuning?.stepMs ?? defaultStepMs, signal).catch(() => undefined);
    }
    await this.#finish();
  }

  async #finish(): Promise<void> {
    this.#partitions.roomMade();
    await this.#keeper.settled();
    await this.#lists.settled();
    await this.#reports.settled();
    if (this.failure !== null) return;
    this.#watch.withdraw(this.#options.clock.nowMs());
    await this.#keeper.keep().catch((error: unknown) => {
      this.#options.logger.warn(
        { error: describeError(error) },
        'the last changes could not be stored; they come again from the log',
      );
    });
  }

  #callListeners(): void {
    for (const listener of this.#listeners) listener();
  }

  #keepWhenDue(): void {
    if (!this.#keeper.isDue || this.failure !== null) return;
    this.#keeper.keep().then(() => this.#partitions.roomMade(), this.#lifetime.fail);
  }
}

/** A report is sent after each sweep: one that is older by two of them is of an analyzer that is silent. */
function reportsStaleAfterMs({ analyzer: { staleAfterMs, sweepIntervalMs } }: Config): number {
  return staleAfterMs + 2 * sweepIntervalMs;
}
