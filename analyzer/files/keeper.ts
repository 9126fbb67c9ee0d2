/**
 * Keeps what the analyzer knows in the store, and commits the offsets that led to it. The order of effects is what makes
 * it safe to kill at any moment: changes go to the store, and only when they are acknowledged is their offset committed.
 * Health of files that change, sweeps and alerts wait for neither.
 */
import { sleep } from '#mesh/clock.ts';
import { describeError, hasCode, isRetryable, MeshwardError } from '#mesh/errors.ts';
import { meshWriterPartition } from '../mesh/mesh-writer.ts';
import type { AnalyzerOptions } from '../options.ts';
import type { PeersFollower } from '../peers/peers-follower.ts';
import type { PartitionChanges } from '../ports.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';
import { Ownership } from './partition/ownership.ts';
import type { WaitingFiles } from './partition/unsaved-health.ts';
import type { PartitionGroup } from './partition-group.ts';
import type { Publisher } from './publisher.ts';
import type { Rebuilds } from './rebuilds.ts';
import type { WaitingHistory } from './waiting-history.ts';

export interface KeeperOptions {
  readonly analyzer: AnalyzerOptions;
  readonly owned: ReadonlyMap<number, OwnedPartition>;
  readonly publisher: Publisher;
  readonly history: WaitingHistory;
  readonly peers: PeersFollower;
  readonly rebuilds: Pick<Rebuilds, 'count'>;
  readonly group: Pick<PartitionGroup, 'commit'>;
}

/** While a long save is under way, what changes goes to the store this often. */
const changesIntervalMs = 500;
/** Records that wait to be committed make a pass due: they are read again after a crash, and count as unread until then. */
const mostUncommitted = 256;
/** As many as the publisher looks at before it asks whether to go on. */
const filesAPiece = 1000;

interface Reached {
  readonly owned: OwnedPartition;
  readonly offset: number;
  readonly deadLetters: Promise<unknown>;
}

export class Keeper {
  readonly #options: KeeperOptions;
  #underWay: Promise<void> | null = null;
  #startedMs = 0;
  #nextMs = 0;
  #nextAtRestMs = 0;
  #failed = false;
  readonly #ownerships = new WeakMap<OwnedPartition, Ownership>();

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Whether it is time for a pass, and none is under way. */
  get isDue(): boolean {
    if (this.#underWay !== null || this.#failed) return false;
    const now = this.#options.analyzer.clock.monotonicMs();
    return now >= this.#nextMs && (now >= this.#nextAtRestMs || this.#hasNews());
  }

  /** The next pass is due at once. */
  keepSoon(): void {
    this.#nextMs = 0;
    this.#nextAtRestMs = 0;
  }

  /**
   * Whether anything waits that somebody may look for. That peers were heard, and that shares are as they were, is none: it makes
   * rows all the time, and each insert costs ClickHouse several parts whatever stands in it.
   */
  #hasNews(): boolean {
    const { owned, history } = this.#options;
    if (!history.isEmpty) return true;
    let uncommitted = 0;
    for (const { unsavedHealth, nextOffset, committedOffset } of owned.values()) {
      if (unsavedHealth.size > 0) return true;
      uncommitted += nextOffset - (committedOffset ?? 0);
    }
    return uncommitted >= mostUncommitted;
  }

  /** Resolves when nothing is under way; never rejects. */
  async settled(): Promise<void> {
    await this.#underWay?.catch(() => undefined);
  }

  /** Since when the keeping under way has been waiting, in the clock's monotonic time; null where none is. */
  get busySinceMs(): number | null {
    return this.#underWay === null ? null : this.#startedMs;
  }

  /**
   * One pass; a second one is not begun while it is under way. Changes that were taken and not stored are only in the log
   * from then on: after a rejection no later offset may be committed, and the keeper refuses to go on.
   * @throws what the store throws, and what committing throws for good.
   */
  keep(): Promise<void> {
    if (this.#failed) return Promise.reject(alreadyFailed());
    if (this.#underWay === null) {
      const { clock, config } = this.#options.analyzer;
      this.#startedMs = clock.monotonicMs();
      this.#nextMs = this.#startedMs + config.analyzer.flushIntervalMs;
      this.#nextAtRestMs = this.#startedMs + config.analyzer.restFlushIntervalMs;
      this.#underWay = this.#keep().finally(() => {
        this.#underWay = null;
      });
    }
    return this.#underWay;
  }

  async #keep(): Promise<void> {
    const { metrics } = this.#options.analyzer;
    try {
      const reached = await this.#store();
      for (const each of reached) await this.#commit(each);
    } catch (error) {
      this.#failed = true;
      throw error;
    }
    metrics.flushes.add(1);
  }

  async #store(): Promise<readonly Reached[]> {
    const { analyzer, owned, history, peers } = this.#options;
    const { store, clock } = analyzer;
    const keepsPeers = this.#keepsPeers();
    const nowMs = clock.nowMs();
    const reached: Reached[] = [];
    const changes: PartitionChanges[] = [];
    for (const each of owned.values()) {
      if (each.nextOffset === each.committedOffset) continue;
      reached.push({ owned: each, offset: each.nextOffset, deadLetters: each.deadLetters });
      changes.push({ partition: each.number, version: each.nextOffset, changes: each.takeChanges(nowMs) });
    }
    const stateChanges = keepsPeers === null ? [] : history.takeStateChanges();
    await this.#whileChangesGoOn(() => store.savePartitions(changes));
    await this.#saveHealth();
    const witness = owned.get(meshWriterPartition);
    const watchesPeers = keepsPeers === true && witness !== undefined && (await this.#ownershipOf(witness).ask());
    await this.#whileChangesGoOn(async () => {
      if (watchesPeers) {
        const { liveness, facts } = peers.takeChanges();
        await store.saveLiveness(liveness);
        await store.savePeers(facts, nowMs);
        await store.saveStateChanges(stateChanges, nowMs);
      }
      await store.flush();
    });
    // What went on meanwhile too: once a pass is over, another analyzer may take the partitions, and must find all that this one wrote.
    await store.flush();
    return reached;
  }

  /** Whether it falls to this analyzer to keep what is known of peers; null while that is not settled. */
  #keepsPeers(): boolean | null {
    const { owned, rebuilds } = this.#options;
    if (owned.has(meshWriterPartition)) return true;
    return rebuilds.count > 0 || owned.size === 0 ? null : false;
  }

  /**
   * A million placements take their time; health of a file that changes, sweeps and alerts do not wait for them, since they rest on none:
   * an analyzer that takes over rebuilds the partition from what is stored and from the log behind the committed offset, judges
   * every file anew, and writes what differs from the rows that it finds.
   */
  async #whileChangesGoOn(save: () => Promise<void>): Promise<void> {
    const saved = new AbortController();
    const changes = this.#saveChangesUntil(saved.signal);
    // Told below, when nothing is under way any more.
    changes.catch(() => undefined);
    try {
      await save();
    } finally {
      saved.abort();
      await changes;
    }
  }

  async #saveChangesUntil(saved: AbortSignal): Promise<void> {
    const { analyzer, history } = this.#options;
    const { store, clock } = analyzer;
    while (!saved.aborted) {
      await this.#saveUrgentHealth();
      const { sweeps, exposure, alertChanges } = history.take();
      await store.saveSweeps(sweeps);
      await store.saveExposure(exposure);
      await store.saveAlerts(alertChanges);
      await sleep(clock, changesIntervalMs, saved).catch(() => undefined);
    }
  }

  /** Of every file that waits, in pieces: what changes meanwhile goes between them. */
  async #saveHealth(): Promise<void> {
    const owned = [...this.#options.owned.values()];
    const mostWaiting = Math.max(0, ...owned.map(({ unsavedHealth }) => unsavedHealth.size));
    for (let saved = 0; saved < mostWaiting; saved += filesAPiece) {
      await this.#saveUrgentHealth();
      for (const each of owned) await this.#saveHealthOf(each, 'all', 1);
    }
  }

  async #saveUrgentHealth(): Promise<void> {
    for (const each of this.#options.owned.values()) {
      if (each.unsavedHealth.urgent > 0) await this.#saveHealthOf(each, 'urgent', Number.POSITIVE_INFINITY);
    }
  }

  async #saveHealthOf(partition: OwnedPartition, which: WaitingFiles, mostPieces: number): Promise<void> {
    const { owned, publisher } = this.#options;
    const ownership = this.#ownershipOf(partition);
    if (partition.unsavedHealth.size === 0 || !(await ownership.ask())) return;
    let left = mostPieces;
    const goOn = (): boolean => left-- > 0 && ownership.isFresh && owned.get(partition.number) === partition;
    await publisher.saveHealth(partition, which, ownership, goOn);
  }

  #ownershipOf(partition: OwnedPartition): Ownership {
    let ownership = this.#ownerships.get(partition);
    if (ownership === undefined) {
      ownership = new Ownership(partition, this.#options.analyzer.clock, this.#options.group);
      this.#ownerships.set(partition, ownership);
    }
    return ownership;
  }

  async #commit({ owned, offset, deadLetters }: Reached): Promise<void> {
    const { analyzer, group } = this.#options;
    if (this.#options.owned.get(owned.number) !== owned) return;
    await deadLetters;
    try {
      await group.commit(owned.assigned, offset);
      owned.committedOffset = offset;
    } catch (error) {
      const partition = owned.number;
      if (hasCode(error, 'log-fenced')) {
        analyzer.logger.warn({ partition }, 'the partition has moved to another analyzer; nothing was committed');
        return;
      }
      if (!isRetryable(error)) throw error;
      // Everything up to the offset is stored: the next pass commits it.
      analyzer.logger.warn({ partition, error: describeError(error) }, 'an offset cannot be committed now');
    }
  }
}

function alreadyFailed(): MeshwardError {
  return new MeshwardError('service-unavailable', 'changes could not be stored, so no offset is committed any more', {
    next: 'Restart the analyzer: it goes on from the last offset that was committed.',
  });
}
