/**
 * Keeps what the analyzer knows in the store, and commits the offsets that led to it. The order of effects is what makes
 * it safe to kill at any moment: changes go to the store, and only when they are acknowledged is their offset committed.
 */
import type { AssignedPartition } from '#collector/log/port.ts';
import { describeError, hasCode, isRetryable, MeshwardError } from '#mesh/errors.ts';
import { meshWriterPartition } from './mesh-view/mesh-watch.ts';
import type { AnalyzerOptions } from './options.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';
import type { PeersFollower } from './peers-follower.ts';
import type { PartitionChanges } from './ports.ts';
import type { Publisher } from './publisher.ts';
import type { WaitingHistory } from './waiting-history.ts';

export interface KeeperOptions {
  readonly analyzer: AnalyzerOptions;
  readonly owned: ReadonlyMap<number, OwnedPartition>;
  readonly publisher: Publisher;
  readonly history: WaitingHistory;
  readonly peers: PeersFollower;
  /** Whether it falls to this analyzer to keep what is known of peers; null while that is not settled. */
  readonly keepsPeers: () => boolean | null;
  readonly commit: (partition: AssignedPartition, nextOffset: number) => Promise<void>;
}

interface Reached {
  readonly owned: OwnedPartition;
  readonly offset: number;
  readonly deadLetters: Promise<unknown>;
}

export class Keeper {
  readonly #options: KeeperOptions;
  #underWay: Promise<void> | null = null;
  #startedMs = 0;
  #failed = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  get busy(): boolean {
    return this.#underWay !== null;
  }

  /** Resolves when nothing is under way; never rejects. */
  async still(): Promise<void> {
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
      this.#startedMs = this.#options.analyzer.clock.monotonicMs();
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
    const { analyzer, owned, publisher, history, peers } = this.#options;
    const { store, clock } = analyzer;
    const keepsPeers = this.#options.keepsPeers();
    const nowMs = clock.nowMs();
    const reached: Reached[] = [];
    const changes: PartitionChanges[] = [];
    for (const each of owned.values()) {
      if (each.nextOffset === each.committedOffset) continue;
      reached.push({ owned: each, offset: each.nextOffset, deadLetters: each.deadLetters });
      changes.push({ partition: each.number, version: each.nextOffset, changes: each.takeChanges(nowMs) });
    }
    const { sweeps, exposure, alertChanges } = history.take();
    const stateChanges = keepsPeers === null ? [] : history.takeStateChanges();
    await store.savePartitions(changes);
    for (const each of owned.values()) {
      if (each.unsavedHealth.size === 0 || !(await this.#isStillOurs(each))) continue;
      await publisher.saveHealth(each, () => owned.get(each.number) === each);
    }
    const witness = owned.get(meshWriterPartition);
    if (keepsPeers === true && witness !== undefined && (await this.#isStillOurs(witness))) {
      const { liveness, facts } = peers.takeChanges();
      await store.saveLiveness(liveness);
      await store.savePeers(facts, nowMs);
      await store.saveStateChanges(stateChanges, nowMs);
    }
    await store.saveSweeps(sweeps);
    await store.saveExposure(exposure);
    await store.saveAlerts(alertChanges);
    await store.flush();
    return reached;
  }

  /**
   * A process that was paused does not know that others have gone on: it asks before it writes what only an owner may. Committing again
   * what is committed changes nothing, and a partition that has moved refuses it.
   */
  async #isStillOurs(owned: OwnedPartition): Promise<boolean> {
    // What was never committed cannot be committed again: the first flush goes on without.
    if (owned.committedOffset === null) return true;
    try {
      await this.#options.commit(owned.assigned, owned.committedOffset);
      return true;
    } catch (error) {
      if (hasCode(error, 'log-fenced')) return false;
      if (!isRetryable(error)) throw error;
      // While the log does not answer, nobody else can take the partition.
      return true;
    }
  }

  async #commit({ owned, offset, deadLetters }: Reached): Promise<void> {
    const { analyzer, commit } = this.#options;
    if (this.#options.owned.get(owned.number) !== owned) return;
    await deadLetters;
    try {
      await commit(owned.assigned, offset);
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
