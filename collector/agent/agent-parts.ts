/** The parts of a running agent and how they are joined. Made anew at each start. */
import { join } from 'node:path';
import { describeError } from '#mesh/errors.ts';
import type { PeerEvent } from '#mesh/generated/events_pb.js';
import { announcedHost } from './address.ts';
import { settleNurl } from './enrol.ts';
import { defaultFollowerTiming, FolderFollower } from './folder-follower.ts';
import { writeInventory } from './inventory.ts';
import { feedManifests } from './manifest-feed.ts';
import { type AgentMetrics, createAgentMetrics } from './metrics.ts';
import { Oddities } from './oddities.ts';
import type { PartsOptions } from './options.ts';
import { Outbox } from './outbox.ts';
import { OwedInventory } from './owed-inventory.ts';
import { PeerLane, type PeerStatement } from './peer-lane.ts';
import { PeerVoice } from './peer-voice.ts';
import type { ShareServer } from './ports.ts';
import { Reconciler } from './reconciler.ts';
import { Sender } from './sender.ts';
import { RatesInForce, settingsPollMs } from './settings.ts';
import { ShareLane } from './share-lane.ts';
import type { RootCondition } from './share-root.ts';
import { manifestFlag, ShareTable } from './share-table.ts';
import { loadTable } from './share-table-file.ts';
import { Spool, type SpooledRecord } from './spool.ts';
import { spoolLane } from './spool-lane.ts';
import type { AgentStatus } from './status.ts';
import { TableKeeper } from './table-keeper.ts';
import { Timers } from './timers.ts';
import { Verifier } from './verifier.ts';
import { FolderWatcher } from './watch.ts';

const tableFileName = 'shares.table';

export class AgentParts {
  readonly #options: PartsOptions;
  readonly #table: ShareTable;
  readonly #spool: Spool;
  readonly #oddities = new Oddities();
  readonly #peerLane: PeerLane;
  readonly #shareLane: ShareLane;
  readonly #outbox: Outbox;
  readonly #reconciler: Reconciler;
  readonly #follower: FolderFollower;
  readonly #watcher: FolderWatcher;
  readonly #verifier: Verifier;
  readonly #shareSender: Sender<SpooledRecord>;
  readonly #peerSender: Sender<PeerEvent>;
  readonly #owed: OwedInventory;
  readonly #metrics: AgentMetrics;
  readonly #stopping = new AbortController();
  readonly #timers: Timers;
  readonly #voice: PeerVoice;
  readonly #rates: RatesInForce;
  readonly #tableKeeper: TableKeeper;
  #server: ShareServer | null = null;
  #isReachable = false;
  #lastInventoryAtMs: number | null = null;
  #feeding: Promise<void> | null = null;

  private constructor(options: PartsOptions, loaded: { table: ShareTable; position: number }, spool: Spool) {
    const { clock, random, log, identity, state, collector, root, timing } = options;
    const { peerId } = identity;
    const { incarnation } = state;
    this.#options = options;
    this.#table = loaded.table;
    this.#spool = spool;
    this.#metrics = createAgentMetrics(peerId, () => this.status(), options.meter);
    this.#timers = new Timers(clock, random);
    this.#rates = new RatesInForce(options.config, collector, log);
    this.#tableKeeper = new TableKeeper({
      path: join(state.directory, tableFileName),
      table: this.#table,
      position: () => this.#verifier.position,
      timers: this.#timers,
      log,
    });
    this.#owed = new OwedInventory(clock, () => this.#follower.requestInventory());
    this.#peerLane = new PeerLane({ peerId, incarnation, clock, log });
    this.#shareLane = new ShareLane({ peerId, incarnation, spool, clock });
    this.#outbox = new Outbox({
      lane: { append: (...batch) => this.#appendBatch(...batch) },
      clock,
      log,
      ...(timing?.gatherMs === undefined ? {} : { gatherMs: timing.gatherMs }),
      onEvent: (change) => this.#metrics.event(change),
      onOverflow: () => this.#lose(),
    });
    this.#watcher = new FolderWatcher({
      path: root.path,
      budget: options.watchBudget,
      onStorageIndex: (storageIndex) => this.#follower.noticeFile(storageIndex),
      onPrefix: (prefix) => this.#follower.noticePrefix(prefix),
      onRoot: () => this.#follower.noticeRoot(),
    });
    const sink = this.#outbox;
    this.#verifier = new Verifier({
      table: this.#table,
      root,
      check: options.checkShare,
      sink,
      clock,
      log,
      bytesPerSecond: options.config.verifyBytesPerSecond,
      roundMs: timing?.verifyRoundMs ?? 3_600_000,
      position: loaded.position,
      onChanged: (storageIndex) => this.#follower.noticeFile(storageIndex),
      onVerdict: () => this.#tableKeeper.saveSoon(),
    });
    this.#voice = new PeerVoice({
      agent: options,
      lane: this.#peerLane,
      timers: this.#timers,
      table: this.#table,
      heartbeatMs: () => this.#rates.rates.heartbeatMs,
      verifiedCount: () => this.#verifier.verifiedCount,
      spoolStats: () => this.#spool.stats,
      servedPort: () => this.#server?.port ?? null,
      onSaid: () => this.#peerSender.wake(),
    });
    this.#reconciler = new Reconciler({
      root,
      table: this.#table,
      oddities: this.#oddities,
      sink,
      log,
      watch: (storageIndex) => this.#watcher.watchStorageIndex(storageIndex),
      onEmpty: (storageIndex, isGone) => this.#follower.noticeEmpty(storageIndex, isGone),
      onFresh: (key, shareNumber) => this.#verifier.fresh(key, shareNumber),
      isVerifying: () => this.#verifier.isVerifying,
    });
    this.#follower = new FolderFollower({
      root,
      table: this.#table,
      oddities: this.#oddities,
      reconciler: this.#reconciler,
      watcher: this.#watcher,
      clock,
      log,
      timing: { ...defaultFollowerTiming, ...timing?.follower },
      onPresent: () => this.#appear(),
      onGone: (condition) => this.#fallSilent(condition),
      onScanned: (durationMs, wantsInventory, signal) => this.#afterScan(durationMs, wantsInventory, signal),
    });
    const common = {
      collector,
      clock,
      random,
      log,
      ...(timing?.sender === undefined ? {} : { limits: timing.sender }),
    };
    const onAnswer = (answer: { lane: string; ok: boolean; code: string }): void => this.#noteAnswer(answer);
    this.#shareSender = new Sender({ ...common, lane: spoolLane(spool), onAnswer });
    this.#peerSender = new Sender({ ...common, lane: this.#peerLane, onAnswer });
  }

  static async make(options: PartsOptions): Promise<AgentParts> {
    const loaded = await loadTable(join(options.state.directory, tableFileName));
    let parts: AgentParts | null = null;
    let wasDamaged = false;
    const spool = await Spool.open({
      directory: join(options.state.directory, 'batches'),
      maxBytes: options.config.spoolMaxBytes,
      clock: options.clock,
      log: options.log,
      onDropped: (reason, needsInventory) => {
        if (parts === null)
          wasDamaged = true; // the first inventory of this start makes it good
        else parts.#batchesDropped(reason, needsInventory);
      },
    });
    if (wasDamaged) options.log.info({}, 'the first inventory makes good what the spool lost');
    parts = new AgentParts(options, loaded ?? { table: new ShareTable(), position: 0 }, spool);
    return parts;
  }

  get isSettled(): boolean {
    return (
      this.#follower.isSettled &&
      this.#outbox.isEmpty &&
      this.#spool.isEmpty &&
      this.#peerLane.waitingCount === 0 &&
      this.#feeding === null &&
      !this.#owed.isOwed
    );
  }

  async start(): Promise<void> {
    const { config, root, state, timing } = this.#options;
    // Before the loop takes over, so that a wrong address or port is told to whoever starts the agent.
    if (!state.hasMark || (await root.check(this.#table.shareCount)) === 'present') await this.#appear();
    this.#shareSender.start();
    this.#peerSender.start();
    this.#verifier.start();
    this.#follower.start();
    this.#timers.every('settings', timing?.settingsMs ?? settingsPollMs, () => void this.#refreshRates());
    this.#takeInventoriesEvery(config.inventoryIntervalMs);
    void this.#refreshRates();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#voice.fallSilent();
    this.#timers.stop();
    this.#owed.stop();
    await this.#follower.stop();
    await this.#verifier.stop();
    await this.#feeding?.catch(() => undefined);
    await this.#outbox.flush().catch((error: unknown) => {
      this.#options.log.error({ error: describeError(error) }, 'the last changes could not be written to the spool');
    });
    this.#outbox.stop();
    await Promise.all([this.#shareSender.stop(), this.#peerSender.stop()]);
    await this.#tableKeeper.save();
    await this.#spool.close();
    await this.#server?.close();
    this.#server = null;
    this.#metrics.close();
  }

  say(statement: PeerStatement): void {
    this.#voice.say(statement);
  }

  requestInventory(): void {
    this.#follower.requestInventory();
  }

  status(): AgentStatus {
    const table = this.#table;
    const { identity, state, config } = this.#options;
    return {
      peerId: identity.peerId,
      phase: this.#follower.isPresent ? (this.#follower.isScanning ? 'scanning' : 'watching') : 'silent',
      folder: this.#follower.condition,
      incarnation: state.incarnation,
      generation: state.generation,
      lastInventoryAtMs: this.#lastInventoryAtMs,
      lastScanDurationMs: this.#follower.lastScanDurationMs,
      shares: table.shareCount,
      shareBytes: table.shareBytes,
      corruptShares: table.corruptCount,
      verifiedShares: this.#verifier.verifiedCount,
      otherFiles: {
        mutable: table.countOf('mutable'),
        'half-written': table.countOf('half-written'),
        empty: table.countOf('empty'),
        unreadable: table.countOf('unreadable'),
        unknown: table.countOf('unknown'),
        ...this.#oddities.counts(),
      },
      otherFileExamples: this.#oddities.examples(20),
      collectorReachable: this.#isReachable,
      lastErrorCode: this.#shareSender.lastErrorCode ?? this.#peerSender.lastErrorCode,
      spool: this.#spool.stats,
      watches: this.#watcher.count,
      settingsVersion: this.#rates.version,
      serving: this.#server === null ? null : { host: announcedHost(config.host), port: this.#server.port },
    };
  }

  /** The folder is there: mark it, serve it, and be heard. */
  async #appear(): Promise<void> {
    if (!this.#voice.isSilent) return;
    const { root, state, log, config } = this.#options;
    const { incarnation, generation } = state;
    const isMarked = await root.writeMark({ incarnation, generation });
    if (!isMarked && !state.hasMark) {
      log.warn(
        { path: root.markPath },
        'the share folder cannot be marked: an unmounted disk is told from an empty one only by its content',
      );
    }
    await state.setHasMark(isMarked || state.hasMark);
    if (config.serve && this.#server === null) await this.#serve();
    this.#verifier.resume();
    this.#shareSender.resume();
    this.#peerSender.resume();
    await this.#voice.speakUp();
  }

  #fallSilent(condition: RootCondition): void {
    const { log, root } = this.#options;
    this.#voice.fallSilent();
    this.#verifier.pause();
    this.#shareSender.pause();
    this.#peerSender.pause();
    log.error(
      { path: root.path, condition },
      `the share folder is not there: this peer falls silent until it is back. If it is the right folder, run: touch ${root.markPath}`,
    );
  }

  async #serve(): Promise<void> {
    const { config, identity, state, folders, startServer } = this.#options;
    const nurl = await settleNurl(config, identity, state);
    this.#server = await startServer({
      storageFolder: folders.storage,
      host: config.host,
      port: nurl.port,
      swissnum: nurl.revealSwissnum(),
      onChange: ({ storageIndex }) => this.#follower.noticeFile(storageIndex),
    });
    this.#applyRates();
  }

  async #afterScan(durationMs: number, wantsInventory: boolean, signal: AbortSignal): Promise<void> {
    const { log, state, root, clock } = this.#options;
    this.#metrics.scanned(durationMs);
    if (wantsInventory) {
      const generation = await state.nextGeneration();
      // The mark must know every generation that was used, since it may outlive the state.
      await root.writeMark({ incarnation: state.incarnation, generation });
      const isWhole = await this.#outbox.hold(() => {
        // From here on, changes come after the inventory, and so must be told one by one.
        const columns = this.#table.columns();
        this.#reconciler.setQuiet(false);
        return writeInventory({
          columns,
          generation,
          lane: { append: (...batch) => this.#appendBatch(...batch) },
          spool: this.#spool,
          signal,
        });
      });
      if (isWhole) {
        this.#lastInventoryAtMs = clock.nowMs();
        this.#metrics.inventory();
        const otherFiles = Object.fromEntries(
          Object.entries(this.status().otherFiles).filter(([, count]) => count > 0),
        );
        log.info(
          { generation, shares: this.#table.shareCount, durationMs: Math.round(durationMs), otherFiles },
          'an inventory was taken',
        );
      }
    }
    await this.#tableKeeper.save();
    this.#feed();
  }

  #feed(): void {
    if (this.#feeding !== null || this.#stopping.signal.aborted) return;
    const { root, clock, log } = this.#options;
    this.#feeding = feedManifests({
      table: this.#table,
      root,
      sink: this.#outbox,
      clock,
      signal: this.#stopping.signal,
    })
      .catch((error: unknown) => {
        if (!this.#stopping.signal.aborted)
          log.warn({ error: describeError(error) }, 'the manifests of known files could not all be read');
      })
      .finally(() => {
        this.#feeding = null;
      });
  }

  async #appendBatch(...batch: Parameters<ShareLane['append']>): Promise<'stored' | 'dropped' | 'full'> {
    const result = await this.#shareLane.append(...batch);
    this.#shareSender.wake();
    return result;
  }

  #batchesDropped(reason: string, needsInventory: boolean): void {
    this.#options.log.warn({ reason }, 'batches were dropped from the spool');
    this.#table.clearFlag(manifestFlag);
    if (needsInventory) this.#owed.owe();
  }

  #lose(): void {
    this.#table.clearFlag(manifestFlag);
    this.#owed.owe();
  }

  #noteAnswer({ lane, ok, code }: { lane: string; ok: boolean; code: string }): void {
    this.#metrics.answer(lane, ok, code);
    this.#isReachable = ok;
    this.#owed.setReachable(ok);
  }

  async #refreshRates(): Promise<void> {
    const { isChanged, isInventoryAsked } = await this.#rates.refresh();
    if (this.#stopping.signal.aborted) return;
    if (isChanged) this.#applyRates();
    if (isInventoryAsked) this.requestInventory();
  }

  #applyRates(): void {
    const { rates } = this.#rates;
    this.#verifier.setRate(rates.verifyBytesPerSecond);
    this.#server?.setBytesPerSecond?.(rates.serveBytesPerSecond);
    this.#takeInventoriesEvery(rates.inventoryIntervalMs);
    this.#voice.setPace();
  }

  #takeInventoriesEvery(intervalMs: number): void {
    this.#timers.every('inventory', intervalMs, () => this.#follower.requestInventory());
  }
}
