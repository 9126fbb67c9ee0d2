/**
 * The analyzer: owns partitions of share-events, follows every peer, and keeps what it finds in the store, on the at-risk
 * list and in alerts. The order of effects is what makes it safe to kill at any moment: changes go to the store, and only
 * when they are acknowledged is the offset that led to them committed.
 */
import { randomUUID } from 'node:crypto';
import { type AssignedPartition, type LogRecord, type Membership, partitionKey } from '#collector/log/port.ts';
import { sleep } from '#mesh/clock.ts';
import { describeError, hasCode, MeshwardError } from '#mesh/errors.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { type Alert, AlertBoard, recoverabilityAlerts } from './alerts/recoverability.ts';
import { keepDeadLetter } from './dead-letter.ts';
import { type Freshness, freshnessOf } from './freshness.ts';
import type { PeerFacts, StateChange } from './liveness/peer-register.ts';
import type { AnalyzerOptions } from './options.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';
import { rebuildPartition } from './partition/rebuild.ts';
import { PeersFollower } from './peers-follower.ts';
import { Publisher } from './publisher.ts';
import { PeerTable } from './share-map/peer-table.ts';
import type { FileHealth, PlacementView, SweepTotals } from './share-map/share-map.ts';
import { emptyTotals, mergeTotals } from './share-map/totals.ts';

/** What can be told of the mesh's health, and how fresh it is. */
export interface MeshHealth {
  readonly freshness: Freshness;
  readonly totals: SweepTotals;
  readonly sweptAtMs: number;
  readonly peers: readonly PeerFacts[];
  readonly alerts: readonly { readonly alert: Alert; readonly sinceMs: number }[];
  readonly ownedPartitions: number;
  readonly partitions: number;
}

export interface FileAnswer {
  readonly health: FileHealth;
  readonly placements: readonly PlacementView[];
  readonly cause: string;
  readonly log10Loss: number;
  readonly listed: boolean;
  readonly freshness: Freshness;
}

/** Part of a domain's peers that must be down for the domain to count as lost. */
const lostDomainRatio = 0.8;
const touchIntervalMs = 200;
const defaultStepMs = 100;

export class Analyzer {
  readonly #options: AnalyzerOptions;
  readonly #table = new PeerTable();
  readonly #publisher: Publisher;
  readonly #owned = new Map<number, OwnedPartition>();
  readonly #board = new AlertBoard(randomUUID);
  readonly #listeners = new Set<() => void>();
  readonly #stopping = new AbortController();
  #peers: PeersFollower | null = null;
  #membership: Membership | null = null;
  #partitionCount = 0;
  #totals: SweepTotals = emptyTotals();
  #sweptAtMs = 0;
  #sweptRevision = -1;
  #nextSweepMs = 0;
  #nextLookMs = 0;
  #nextFlushMs = 0;
  #flushing: Promise<void> | null = null;
  #stateChanges: StateChange[] = [];
  #loop: Promise<void> = Promise.resolve();
  #failure: unknown = null;

  constructor(options: AnalyzerOptions) {
    this.#options = options;
    this.#publisher = new Publisher(options, this.#table);
  }

  /** Resolves once peers are known and the group is joined; partitions arrive after that. */
  async start(): Promise<void> {
    const { log, topics, config, store, logger } = this.#options;
    this.#partitionCount = await log.partitionCount(topics.shareEvents.name);
    const stored = await this.#whileStoreIsAway('the peers', () => store.loadLiveness());
    this.#peers = new PeersFollower(this.#options, this.#table, stored);
    await this.#peers.start((error) => this.#fail(error));
    this.#membership = await log.join(`${config.log.topicPrefix}analyzers`, [topics.shareEvents.name], {
      assigned: (partitions) => this.#takeOver(partitions),
      revoked: (partitions) => this.#giveUp(partitions),
      records: (partition, records) => this.#apply(partition, records),
    });
    this.#membership.ended.catch((error: unknown) => this.#fail(error));
    this.#loop = this.#run();
    logger.info({ peers: this.#table.count }, 'analyzer started');
  }

  /** Stores what is known, commits, and leaves the group. */
  async stop(): Promise<void> {
    this.#stopping.abort(new MeshwardError('cancelled', 'the analyzer is stopping', { next: 'Nothing to do.' }));
    await this.#loop;
    await this.#peers?.stop();
    await this.#membership?.leave();
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
      totals: this.#totals,
      sweptAtMs: this.#sweptAtMs,
      peers: this.#peers?.register.facts() ?? [],
      alerts: this.#board.open(),
      ownedPartitions: this.#owned.size,
      partitions: this.#partitionCount,
    };
  }

  freshness(): Freshness {
    return freshnessOf(this.#options, {
      peerTime: this.#peers?.time ?? null,
      owned: [...this.#owned.values()],
      failure: this.#failure,
    });
  }

  /** Undefined where the file's partition is not ours or nothing is known of it. */
  file(index: StorageIndex): FileAnswer | undefined {
    for (const owned of this.#owned.values()) {
      const health = owned.map.health(index, owned.time.watermarkMs);
      if (health !== undefined) return this.#answer(owned, health, this.freshness());
    }
    return undefined;
  }

  /** Files on the standing list, most urgent first. */
  atRisk(limit: number): readonly FileAnswer[] {
    const freshness = this.freshness();
    const answers: FileAnswer[] = [];
    for (const owned of this.#owned.values()) {
      for (const index of owned.list.files()) {
        const health = owned.map.health(index, owned.time.watermarkMs);
        if (health !== undefined) answers.push(this.#answer(owned, health, freshness));
      }
    }
    return answers.sort((a, b) => b.log10Loss - a.log10Loss || a.health.margin - b.health.margin).slice(0, limit);
  }

  #answer(owned: OwnedPartition, health: FileHealth, freshness: Freshness): FileAnswer {
    const placements = owned.map.placements(health.storageIndex);
    return {
      health,
      placements,
      cause: this.#publisher.causeOf(health, placements),
      log10Loss: this.#publisher.log10LossOf(health),
      listed: owned.list.has(health.storageIndex),
      freshness,
    };
  }

  // --- partitions --------------------------------------------------------------------------------------------------

  async #takeOver(partitions: readonly AssignedPartition[]): Promise<ReadonlyMap<string, number>> {
    const starts = new Map<string, number>();
    for (const assigned of partitions) {
      const owned = await this.#whileStoreIsAway(`partition ${assigned.partition}`, () =>
        rebuildPartition(this.#options, this.#table, assigned),
      );
      this.#owned.set(assigned.partition, owned);
      starts.set(partitionKey(assigned.topic, assigned.partition), owned.nextOffset);
    }
    this.#nextSweepMs = 0;
    return starts;
  }

  async #giveUp(partitions: readonly AssignedPartition[]): Promise<void> {
    for (const { partition } of partitions) {
      this.#owned.delete(partition);
      this.#publisher.drop(partition);
    }
    await this.#flushing;
  }

  async #apply(assigned: AssignedPartition, records: readonly LogRecord[]): Promise<void> {
    const owned = this.#owned.get(assigned.partition);
    if (owned === undefined || owned.assigned.generation !== assigned.generation) return;
    const wasCaughtUp = owned.caughtUp;
    const malformed: { readonly record: LogRecord; readonly error: unknown }[] = [];
    this.#options.metrics.events.add(owned.apply(records, (record, error) => malformed.push({ record, error })));
    if (!wasCaughtUp && owned.caughtUp) this.#nextSweepMs = 0;
    for (const { record, error } of malformed) await keepDeadLetter(this.#options, record, error);
  }

  // --- looking -----------------------------------------------------------------------------------------------------

  async #run(): Promise<void> {
    const { clock, logger, stepMs } = this.#options;
    while (!this.#stopping.signal.aborted) {
      try {
        await this.#step();
      } catch (error) {
        logger.error({ error: describeError(error) }, 'a look at the mesh failed; it is tried again');
      }
      await sleep(clock, stepMs ?? defaultStepMs, this.#stopping.signal).catch(() => undefined);
    }
    await this.#flushing;
    if (this.#failure !== null) return;
    await this.#keep().catch((error: unknown) => {
      logger.warn(
        { error: describeError(error) },
        'the last changes could not be stored; they come again from the log',
      );
    });
  }

  /** Does what is due. */
  async #step(): Promise<void> {
    const { clock, config } = this.#options;
    const now = clock.monotonicMs();
    let changed = false;
    if (now >= this.#nextSweepMs || this.#table.revision !== this.#sweptRevision) {
      this.#nextSweepMs = now + config.analyzer.sweepIntervalMs;
      await this.#sweep();
      changed = true;
    } else if (now >= this.#nextLookMs) {
      this.#nextLookMs = now + touchIntervalMs;
      changed = await this.#look();
    }
    await this.#publisher.flush();
    if (now >= this.#nextFlushMs && this.#flushing === null && this.#failure === null) {
      this.#nextFlushMs = now + config.analyzer.flushIntervalMs;
      this.#flushing = this.#keep()
        // What was taken out of the share map and not stored is only in the log now: no later offset may be committed.
        .catch((error: unknown) => this.#fail(error))
        .finally(() => {
          this.#flushing = null;
        });
    }
    if (changed) for (const listener of this.#listeners) listener();
  }

  async #sweep(): Promise<void> {
    const { clock, metrics, store } = this.#options;
    this.#sweptRevision = this.#table.revision;
    const startedMs = clock.monotonicMs();
    let totals = emptyTotals();
    for (const owned of this.#caughtUp()) {
      const sweep = owned.map.sweep(owned.time.watermarkMs);
      totals = mergeTotals(totals, sweep.totals);
      await this.#publisher.publish(owned, sweep.changed);
      this.#publisher.removeDeleted(owned);
    }
    this.#totals = totals;
    this.#sweptAtMs = clock.nowMs();
    metrics.sweepSeconds.record((clock.monotonicMs() - startedMs) / 1000);
    this.#stateChanges.push(...(this.#peers?.register.takeChanges() ?? []));
    await this.#raiseAlerts();
    await store.saveSweep(totals, this.#sweptAtMs);
  }

  async #look(): Promise<boolean> {
    let changed = false;
    for (const owned of this.#caughtUp()) {
      const touched = owned.map.lookAtTouched(owned.time.watermarkMs);
      changed ||= touched.length > 0;
      await this.#publisher.publish(owned, touched);
    }
    return changed;
  }

  /** Files of a partition that is still being rebuilt are not judged. */
  #caughtUp(): readonly OwnedPartition[] {
    return [...this.#owned.values()].filter((owned) => owned.caughtUp);
  }

  async #raiseAlerts(): Promise<void> {
    const { logger, store } = this.#options;
    const peers = this.#peers?.register.facts() ?? [];
    const alerts = recoverabilityAlerts({
      totals: this.#totals,
      peers,
      staleReasons: this.freshness().reasons,
      lostDomainRatio,
    });
    const changes = this.#board.update(alerts, this.#sweptAtMs);
    for (const { alert, state } of changes) {
      const fields = { alert: alert.key, severity: alert.severity, files: alert.files, next: alert.next };
      if (state === 'firing') logger.warn(fields, alert.summary);
      if (state === 'resolved') logger.info(fields, `resolved: ${alert.summary}`);
    }
    if (changes.length > 0) await store.saveAlerts(changes);
  }

  // --- keeping -----------------------------------------------------------------------------------------------------

  async #keep(): Promise<void> {
    const { store, clock, metrics } = this.#options;
    const nowMs = clock.nowMs();
    const reached: { readonly owned: OwnedPartition; readonly offset: number }[] = [];
    for (const owned of this.#owned.values()) {
      const offset = owned.nextOffset;
      if (offset === owned.committedOffset) continue;
      await store.savePartition(owned.assigned.partition, offset, owned.map.takeChanges());
      reached.push({ owned, offset });
    }
    if (this.#peers !== null) {
      await store.saveLiveness(this.#peers.snapshot());
      await store.savePeers(this.#peers.register.facts(), nowMs);
    }
    const stateChanges = this.#stateChanges.splice(0);
    if (stateChanges.length > 0) await store.saveStateChanges(stateChanges, nowMs);
    await store.flush();
    for (const { owned, offset } of reached) await this.#commit(owned, offset);
    metrics.flushes.add(1);
  }

  async #commit(owned: OwnedPartition, offset: number): Promise<void> {
    if (this.#owned.get(owned.assigned.partition) !== owned) return;
    try {
      await this.#membership?.commit(owned.assigned, offset);
      owned.committedOffset = offset;
    } catch (error) {
      if (!hasCode(error, 'log-fenced')) throw error;
      this.#options.logger.warn(
        { partition: owned.assigned.partition },
        'the partition has moved to another analyzer; nothing was committed',
      );
    }
  }

  async #whileStoreIsAway<T>(what: string, load: () => Promise<T>): Promise<T> {
    const { clock, logger } = this.#options;
    for (let attempt = 0; ; attempt++) {
      try {
        return await load();
      } catch (error) {
        if (!hasCode(error, 'store-unavailable')) throw error;
        logger.warn({ error: describeError(error), attempt }, `ClickHouse is away: ${what} cannot be loaded yet`);
        await sleep(clock, Math.min(5000, 250 * 2 ** attempt), this.#stopping.signal);
      }
    }
  }

  #fail(error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    this.#failure ??= error;
    this.#options.logger.error({ error: describeError(error) }, 'the analyzer cannot go on and must be restarted');
  }
}
