/** The partitions of share-events that this analyzer owns: they come, are fed with records, and go. */
import { type AssignedPartition, type LogRecord, partitionKey, type UnreadableBatch } from '#log/port.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { type PeerFacts } from '#peers/liveness/peer-register.ts';
import type { AnalyzerOptions } from '../options.ts';
import { asRecord, keepDeadLetter } from './dead-letter.ts';
import type { ListOwnership } from './partition/list-ownership.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';
import { fenceList, rebuildPartition } from './partition/rebuild.ts';
import type { PolicyTable } from './policy-table.ts';
import type { PeerTable } from './share-map/peer-table.ts';
import { whileStoreIsAway } from './store-away.ts';
import { Turns } from './turns.ts';

export interface PartitionsOptions {
  readonly analyzer: AnalyzerOptions;
  readonly table: PeerTable;
  readonly policies: PolicyTable;
  /** Every peer that is known. */
  readonly peers: () => readonly PeerFacts[];
  /** Aborted when the analyzer stops. */
  readonly signal: AbortSignal;
  /** What is still to be done for partitions that others will own. Never rejects. */
  readonly handOver: (partitions: readonly OwnedPartition[]) => Promise<unknown>;
  /** Resolves when nothing is being written for partitions that were given up. */
  readonly still: () => Promise<unknown>;
  /** Files have come that were not judged yet. */
  readonly onJudgeable: () => void;
  /** No more records are taken until changes were taken for the store. */
  readonly onFull: () => void;
}

interface Malformed {
  readonly record: LogRecord;
  readonly error: unknown;
}

const defaultMaxUnsavedEvents = 2_000_000;

export class Partitions {
  readonly owned = new Map<number, OwnedPartition>();
  readonly #options: PartitionsOptions;
  #isTakingOver = false;
  #roomMade = Promise.withResolvers<void>();

  constructor(options: PartitionsOptions) {
    this.#options = options;
  }

  /** Partitions are on their way: what falls to whom is not settled. */
  get areMoving(): boolean {
    return this.#isTakingOver;
  }

  async takeOver(partitions: readonly AssignedPartition[]): Promise<ReadonlyMap<string, number>> {
    this.#isTakingOver = true;
    try {
      return await this.#rebuild(partitions);
    } finally {
      this.#isTakingOver = false;
    }
  }

  async #rebuild(partitions: readonly AssignedPartition[]): Promise<ReadonlyMap<string, number>> {
    const { analyzer, signal, onJudgeable } = this.#options;
    const starts = new Map<string, number>();
    // The fences of all first: nobody shall believe an old list while another partition is rebuilt.
    const ownerships = new Map<number, ListOwnership>();
    for (const assigned of partitions) ownerships.set(assigned.partition, await fenceList(analyzer, assigned));
    for (const assigned of partitions) {
      const { partition } = assigned;
      const ownership = ownerships.get(partition) as ListOwnership;
      const { owned, truncated } = await whileStoreIsAway(analyzer, signal, `partition ${partition}`, () =>
        rebuildPartition(analyzer, this.#mapOptions(partition), assigned, ownership),
      );
      if (truncated !== null) this.#lose(owned, truncated.records, truncated.firstOffset);
      this.owned.set(partition, owned);
      starts.set(partitionKey(assigned.topic, partition), owned.nextOffset);
    }
    onJudgeable();
    return starts;
  }

  #mapOptions(partition: number) {
    const { owned } = this;
    const { analyzer, table, policies } = this.#options;
    const { maxFiles, settleMs } = analyzer.config.analyzer;
    return {
      peers: table,
      policyFor: policies.policyFor,
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
  async giveUp(partitions: readonly AssignedPartition[]): Promise<void> {
    const given = partitions.flatMap(({ partition }) => this.owned.get(partition) ?? []);
    await this.#options.handOver(given);
    for (const { partition } of partitions) this.owned.delete(partition);
    await this.#options.still();
  }

  async apply(assigned: AssignedPartition, records: readonly LogRecord[]): Promise<void> {
    await this.#whenRoom();
    const owned = this.owned.get(assigned.partition);
    if (owned === undefined || owned.assigned.generation !== assigned.generation) return;
    const { metrics, clock } = this.#options.analyzer;
    const wasCaughtUp = owned.caughtUp;
    const turns = new Turns(clock);
    for (const each of records) {
      const malformed: Malformed[] = [];
      metrics.events.add(owned.apply([each], clock.nowMs(), (record, error) => malformed.push({ record, error })));
      // In the same turn: no offset behind the record may be committed before its letter is kept.
      if (malformed.length > 0) this.#keepDeadLetters(owned, malformed);
      if (turns.over) await turns.next();
    }
    if (!wasCaughtUp && owned.caughtUp) this.#options.onJudgeable();
    await owned.deadLetters;
  }

  #keepDeadLetters(owned: OwnedPartition, malformed: readonly Malformed[]): void {
    const { analyzer, signal } = this.#options;
    const keep = async (): Promise<void> => {
      for (const { record, error } of malformed) await keepDeadLetter(analyzer, record, error, 'kept', signal);
    };
    owned.deadLetters = Promise.all([owned.deadLetters, keep()]);
    owned.deadLetters.catch(() => undefined);
  }

  /** While the store takes nothing, changes pile up in memory: beyond the limit the log is read no further. */
  async #whenRoom(): Promise<void> {
    const { analyzer, signal, onFull } = this.#options;
    const limit = analyzer.maxUnsavedEvents ?? defaultMaxUnsavedEvents;
    for (;;) {
      let unsaved = 0;
      for (const { untakenEvents } of this.owned.values()) unsaved += untakenEvents;
      if (unsaved <= limit) return;
      onFull();
      await this.#roomMade.promise;
      // Nothing is applied without room: the records come again, since their offset is not committed.
      signal.throwIfAborted();
    }
  }

  /** Changes were taken for the store, or the analyzer stops. */
  roomMade(): void {
    this.#roomMade.resolve();
    if (!this.#options.signal.aborted) this.#roomMade = Promise.withResolvers();
  }

  truncated(assigned: AssignedPartition, fromOffset: number, firstOffset: number): Promise<void> {
    const owned = this.owned.get(assigned.partition);
    if (owned !== undefined) this.#lose(owned, firstOffset - fromOffset, firstOffset);
    return Promise.resolve();
  }

  /** What cannot be read is lost as what retention took is; but it can be kept. */
  async unreadable(assigned: AssignedPartition, batch: UnreadableBatch): Promise<void> {
    const owned = this.owned.get(assigned.partition);
    if (owned === undefined || owned.assigned.generation !== assigned.generation) return;
    await keepDeadLetter(this.#options.analyzer, asRecord(batch), batch.error, 'kept', this.#options.signal);
    this.#lose(owned, batch.nextOffset - Math.max(batch.offset, owned.nextOffset), batch.nextOffset);
  }

  /** Records were not read: retention took them, or nobody can. Nothing is lost by that; but what every peer holds is known only by its next inventory. */
  #lose(owned: OwnedPartition, records: number, firstOffset: number): void {
    const { table, analyzer } = this.#options;
    const peers = this.#options.peers().filter(({ state }) => state !== 'departed');
    owned.truncated(
      records,
      firstOffset,
      peers.map(({ peer }) => table.numberOf(peer)),
    );
    analyzer.metrics.truncatedEvents.add(records);
    analyzer.logger.error(
      { partition: owned.number, records, peers: peers.length },
      'events of the log were not read: retention took them, or nobody can; health is stale until each of these peers has sent an inventory',
    );
  }

  /** Peers that count in figures, and of which records were lost: each owes an inventory. */
  owingPeers(): readonly PeerId[] {
    const owing = new Set<number>();
    for (const { map } of this.owned.values()) for (const peer of map.progress.owing) owing.add(peer);
    const rows = [...owing].map((peer) => this.#options.table.row(peer));
    return rows.filter(({ counted }) => counted).map(({ peer }) => peer);
  }
}
