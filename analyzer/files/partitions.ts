/** The partitions of share-events that this analyzer owns: they come, are fed with records, and go. */
import {
  type AssignedPartition,
  type GroupConsumer,
  type LogRecord,
  type PartitionBounds,
  partitionKey,
  type UnreadableBatch,
} from '#log/port.ts';
import { type PeerRegister } from '#peers/liveness/peer-register.ts';
import type { Lifetime } from '../lifetime.ts';
import { meshWriterPartition } from '../mesh/mesh-writer.ts';
import type { AnalyzerOptions } from '../options.ts';
import { asRecord, keepDeadLetter } from './dead-letter.ts';
import { freeDeparted } from './departures.ts';
import { limitsOf } from './map-limits.ts';
import type { ListOwnership } from './partition/list-ownership.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';
import { fenceList, rebuildPartition } from './partition/rebuild.ts';
import type { PolicyTable } from './policy-table.ts';
import type { Rebuilds } from './rebuilds.ts';
import type { PeerTable } from './share-map/peer-table.ts';
import { whileStoreIsAway } from './store-away.ts';
import { Turns } from './turns.ts';

export interface PartitionsOptions {
  readonly analyzer: AnalyzerOptions;
  readonly lifetime: Lifetime;
  readonly owned: Map<number, OwnedPartition>;
  readonly rebuilds: Rebuilds;
  readonly table: PeerTable;
  readonly policies: PolicyTable;
  readonly register: PeerRegister;
  readonly neighbours: PartitionNeighbours;
}

/** What stands beside partitions and must hear of what becomes of them. */
export interface PartitionNeighbours {
  /** What is still to be done for partitions that others will own. Never rejects. */
  handOver(partitions: readonly OwnedPartition[]): Promise<unknown>;
  /** Resolves when nothing is being written for partitions that were given up. */
  settled(): Promise<unknown>;
  /** Files have come that were not judged yet. */
  onJudgeable(): void;
  /** No more records are taken until changes were taken for the store. */
  onFull(): void;
}

interface Malformed {
  readonly record: LogRecord;
  readonly error: unknown;
}

const defaultMaxUnsavedEvents = 2_000_000;

export class Partitions implements GroupConsumer {
  readonly #options: PartitionsOptions;
  #roomMade = Promise.withResolvers<void>();

  constructor(options: PartitionsOptions) {
    this.#options = options;
  }

  /** Resolves once the lists are fenced; what the partitions hold is rebuilt beside. */
  async assigned(partitions: readonly AssignedPartition[]): Promise<ReadonlyMap<string, number>> {
    const { analyzer, rebuilds, lifetime } = this.#options;
    // The fences of all first: nobody shall believe an old list while another partition is rebuilt.
    const ownerships = new Map<number, ListOwnership>();
    for (const assigned of partitions) ownerships.set(assigned.partition, await fenceList(analyzer, assigned));
    const bounds = await analyzer.log.bounds(analyzer.topics.shareEvents.name);
    const starts = new Map<string, number>();
    for (const assigned of partitions) {
      const { topic, partition, committedOffset } = assigned;
      const { firstOffset } = bounds[partition] as PartitionBounds;
      const startOffset = Math.max(committedOffset ?? 0, firstOffset);
      const ownership = ownerships.get(partition) as ListOwnership;
      starts.set(partitionKey(topic, partition), startOffset);
      rebuilds.begin(
        assigned,
        (_assigned, signal) => this.#rebuild(assigned, startOffset, ownership, signal),
        lifetime.fail,
      );
    }
    return starts;
  }

  async #rebuild(
    assigned: AssignedPartition,
    startOffset: number,
    ownership: ListOwnership,
    leave: AbortSignal,
  ): Promise<void> {
    const { analyzer, lifetime, owned, register, neighbours } = this.#options;
    const { partition } = assigned;
    const signal = AbortSignal.any([leave, lifetime.signal]);
    const { partition: rebuilt, lostRecords } = await whileStoreIsAway(analyzer, signal, `partition ${partition}`, () =>
      rebuildPartition(analyzer, this.#mapOptions(partition), { assigned, startOffset, ownership, signal }),
    );
    signal.throwIfAborted();
    if (lostRecords > 0) this.#lose(rebuilt, lostRecords, startOffset);
    // What other owners kept of peers may be older than what is known here.
    if (partition === meshWriterPartition) register.markAllChanged();
    owned.set(partition, rebuilt);
    const departed = register.facts().filter(({ state }) => state === 'departed');
    freeDeparted(
      [rebuilt],
      departed.map(({ peer }) => peer),
    );
    neighbours.onJudgeable();
  }

  #mapOptions(partition: number) {
    const { analyzer, owned, table, policies } = this.#options;
    const { settleMs } = analyzer.config.analyzer;
    const { registeredFiles } = limitsOf(analyzer.config.analyzer, owned, partition);
    return { peers: table, policyFor: policies.policyFor, settleMs, maxFiles: registeredFiles };
  }

  /** A partition is to go: what is being rebuilt for it is not waited for. */
  revoking(assigned: AssignedPartition): void {
    this.#options.rebuilds.leave(assigned);
  }

  /** Who owns the partitions next reads what we wrote: nothing of ours may come after this. */
  async revoked(partitions: readonly AssignedPartition[]): Promise<void> {
    const { owned, rebuilds, neighbours } = this.#options;
    for (const assigned of partitions) rebuilds.leave(assigned);
    await Promise.all(partitions.map((assigned) => rebuilds.ended(assigned)));
    await neighbours.handOver(partitions.flatMap(({ partition }) => owned.get(partition) ?? []));
    for (const { partition } of partitions) owned.delete(partition);
    await neighbours.settled();
  }

  async records(assigned: AssignedPartition, records: readonly LogRecord[]): Promise<void> {
    await this.#options.rebuilds.ended(assigned);
    await this.#whenRoom();
    const owned = this.#ownedAs(assigned);
    if (owned === undefined) return;
    const { metrics, clock } = this.#options.analyzer;
    owned.map.limit(limitsOf(this.#options.analyzer.config.analyzer, this.#options.owned, owned.number));
    const wasCaughtUp = owned.caughtUp;
    const turns = new Turns(clock);
    for (const each of records) {
      const malformed: Malformed[] = [];
      const duplicates = owned.counts.duplicateBatches;
      metrics.events.add(owned.apply([each], clock.nowMs(), (record, error) => malformed.push({ record, error })));
      metrics.duplicateBatches.add(owned.counts.duplicateBatches - duplicates);
      // In the same turn: no offset behind the record may be committed before its letter is kept.
      if (malformed.length > 0) this.#keepDeadLetters(owned, malformed);
      if (turns.over) await turns.next();
    }
    if (!wasCaughtUp && owned.caughtUp) this.#options.neighbours.onJudgeable();
    await owned.deadLetters;
  }

  /** Undefined where the partition was given up, or could not be rebuilt. */
  #ownedAs({ partition, generation }: AssignedPartition): OwnedPartition | undefined {
    const owned = this.#options.owned.get(partition);
    return owned?.assigned.generation === generation ? owned : undefined;
  }

  #keepDeadLetters(owned: OwnedPartition, malformed: readonly Malformed[]): void {
    const { analyzer, lifetime } = this.#options;
    const keep = async (): Promise<void> => {
      for (const { record, error } of malformed) await keepDeadLetter(analyzer, record, error, 'kept', lifetime.signal);
    };
    owned.deadLetters = Promise.all([owned.deadLetters, keep()]);
    owned.deadLetters.catch(() => undefined);
  }

  /** While the store takes nothing, changes pile up in memory: beyond the limit the log is read no further. */
  async #whenRoom(): Promise<void> {
    const { analyzer, lifetime, owned, neighbours } = this.#options;
    const limit = analyzer.tuning?.maxUnsavedEvents ?? defaultMaxUnsavedEvents;
    for (;;) {
      let unsaved = 0;
      for (const { untakenEvents } of owned.values()) unsaved += untakenEvents;
      if (unsaved <= limit) return;
      neighbours.onFull();
      await this.#roomMade.promise;
      // Nothing is applied without room: the records come again, since their offset is not committed.
      lifetime.signal.throwIfAborted();
    }
  }

  /** Changes were taken for the store, or the analyzer stops. */
  roomMade(): void {
    this.#roomMade.resolve();
    if (!this.#options.lifetime.isStopping) this.#roomMade = Promise.withResolvers();
  }

  async truncated(assigned: AssignedPartition, fromOffset: number, firstOffset: number): Promise<void> {
    await this.#options.rebuilds.ended(assigned);
    const owned = this.#ownedAs(assigned);
    if (owned !== undefined) this.#lose(owned, firstOffset - fromOffset, firstOffset);
  }

  /** What cannot be read is lost as what retention took is; but it can be kept. */
  async unreadable(assigned: AssignedPartition, batch: UnreadableBatch): Promise<void> {
    const { rebuilds, analyzer, lifetime } = this.#options;
    await rebuilds.ended(assigned);
    const owned = this.#ownedAs(assigned);
    if (owned === undefined) return;
    await keepDeadLetter(analyzer, asRecord(batch), batch.error, 'kept', lifetime.signal);
    this.#lose(owned, batch.nextOffset - Math.max(batch.offset, owned.nextOffset), batch.nextOffset);
  }

  /**
   * Records were not read: retention took them, or nobody can. Nothing is lost by that; but what every peer holds is known only by
   * its next inventory.
   */
  #lose(owned: OwnedPartition, records: number, firstOffset: number): void {
    const { analyzer, register } = this.#options;
    const peers = register.facts().filter(({ state }) => state !== 'departed');
    owned.truncated(
      records,
      firstOffset,
      peers.map(({ peer }) => peer),
    );
    analyzer.metrics.truncatedEvents.add(records);
    analyzer.logger.error(
      { partition: owned.number, records, peers: peers.length },
      'events of the log were not read: retention took them, or nobody can; health is stale until each of these peers has sent an inventory',
    );
  }
}
