/** An agent at work: starts its parts in order, keeps to the rates in force, and ends them in order. */
import { describeError } from '#mesh/errors.ts';
import { announcedHost } from './address.ts';
import type { AgentParts } from './agent-parts.ts';
import type { AgentContext } from './options.ts';
import type { PeerStatement } from './peer-lane.ts';
import { settingsPollMs } from './settings.ts';
import { manifestFlag } from './share-table.ts';
import { type AgentStatus, otherFilesOf } from './status.ts';

export class StartedAgent {
  readonly #context: AgentContext;
  readonly #parts: AgentParts;
  #isStopping = false;

  constructor(context: AgentContext, parts: AgentParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** Nothing that was noticed waits any more, here or on its way to the collector. */
  get isSettled(): boolean {
    const { follower, outbox, spool, peerLane, feed, owed } = this.#parts;
    const isSaid = outbox.isEmpty && spool.isEmpty && peerLane.waitingCount === 0;
    return follower.isSettled && isSaid && !feed.isRunning && !owed.isOwed;
  }

  async start(): Promise<void> {
    const { config, own, timing } = this.#context;
    const { folder, presence, shareSender, peerSender, verifier, follower, timers, metrics } = this.#parts;
    metrics.observe(() => this.status());
    // Before the loop takes over, so that a wrong address or port is told to whoever starts the agent.
    const isThere = (await own.root.check(folder.table.shareCount)) === 'present';
    if (!own.state.hasMark || isThere) await presence.present();
    shareSender.start();
    peerSender.start();
    verifier.start();
    follower.start();
    timers.every('settings', timing?.settingsMs ?? settingsPollMs, () => void this.#refreshRates());
    this.#takeInventoriesEvery(config.inventoryIntervalMs);
    void this.#refreshRates();
  }

  async stop(): Promise<void> {
    const { voice, timers, owed, follower, verifier, feed, outbox, shareSender, peerSender } = this.#parts;
    const { keeper, spool, serving, metrics } = this.#parts;
    this.#isStopping = true;
    voice.fallSilent();
    timers.stop();
    owed.stop();
    await follower.stop();
    await verifier.stop();
    await feed.stop();
    await outbox.flush().catch((error: unknown) => {
      this.#context.log.error({ error: describeError(error) }, 'the last changes could not be written to the spool');
    });
    outbox.stop();
    await Promise.all([shareSender.stop(), peerSender.stop()]);
    await keeper.save();
    await spool.close();
    await serving.close();
    metrics.close();
  }

  say(statement: PeerStatement): void {
    this.#parts.voice.say(statement);
  }

  requestInventory(): void {
    this.#parts.notices.inventory();
  }

  status(): AgentStatus {
    const { identity, config, own } = this.#context;
    const { folder, follower, inventories, verifier, contact, shareSender, peerSender } = this.#parts;
    const { spool, watcher, rates, serving } = this.#parts;
    const { table, oddities } = folder;
    return {
      peerId: identity.peerId,
      phase: follower.isPresent ? (follower.isScanning ? 'scanning' : 'watching') : 'silent',
      folder: follower.condition,
      incarnation: own.state.incarnation,
      generation: own.state.generation,
      lastInventoryAtMs: inventories.lastAtMs,
      lastScanDurationMs: follower.lastScanDurationMs,
      shares: table.shareCount,
      shareBytes: table.shareBytes,
      corruptShares: table.corruptCount,
      verifiedShares: verifier.verifiedCount,
      otherFiles: otherFilesOf(folder),
      otherFileExamples: oddities.examples(20),
      collectorReachable: contact.isReachable,
      isDoubled: contact.isDoubled,
      lastErrorCode: shareSender.lastErrorCode ?? peerSender.lastErrorCode,
      spool: spool.stats,
      watches: watcher.count,
      settingsVersion: rates.version,
      serving: serving.port === null ? null : { host: announcedHost(config.host), port: serving.port },
      journal: serving.journal,
    };
  }

  async #refreshRates(): Promise<void> {
    const { isChanged, isInventoryAsked } = await this.#parts.rates.refresh();
    if (this.#isStopping) return;
    if (isChanged) this.#applyRates();
    if (isInventoryAsked) this.#inventoryAsked();
  }

  /** Whoever asks has lost what was said: what each file is, is said again too. */
  #inventoryAsked(): void {
    this.#parts.folder.table.clearFlag(manifestFlag);
    this.requestInventory();
  }

  #applyRates(): void {
    const { rates, verifier, serving, voice } = this.#parts;
    verifier.setRate(rates.rates.verifyBytesPerSecond);
    serving.setRate(rates.rates.serveBytesPerSecond);
    this.#takeInventoriesEvery(rates.rates.inventoryIntervalMs);
    voice.setPace();
  }

  #takeInventoriesEvery(intervalMs: number): void {
    this.#parts.timers.every('inventory', intervalMs, () => this.requestInventory());
  }
}
