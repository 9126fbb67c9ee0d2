/** What this analyzer says of its own part of the mesh: the partitions that it owns, and how fresh that is. */
import type { PeerId } from '#mesh/peer-id.ts';
import type { Keeper } from '../files/keeper.ts';
import { owingPeers } from '../files/owing-peers.ts';
import type { OwnedPartition } from '../files/partition/owned-partition.ts';
import type { Rebuilds } from '../files/rebuilds.ts';
import type { PeerTable } from '../files/share-map/peer-table.ts';
import type { Lifetime } from '../lifetime.ts';
import type { AnalyzerOptions } from '../options.ts';
import type { PeersFollower } from '../peers/peers-follower.ts';
import { type Freshness, freshnessOf } from './freshness.ts';
import { type JudgedPartition, reportsPartition } from './report.ts';

export interface OwnPartOptions {
  readonly analyzer: Pick<AnalyzerOptions, 'config' | 'clock' | 'store' | 'log' | 'topics'>;
  readonly lifetime: Pick<Lifetime, 'failure'>;
  readonly owned: ReadonlyMap<number, OwnedPartition>;
  readonly rebuilds: Pick<Rebuilds, 'count'>;
  readonly table: PeerTable;
  readonly peers: Pick<PeersFollower, 'times'>;
  readonly keeper: Pick<Keeper, 'busySinceMs'>;
}

export class OwnPart {
  readonly owned: ReadonlyMap<number, OwnedPartition>;
  /** Of share-events, whoever owns them: as configured, until the log says it. */
  partitionCount: number;
  readonly #options: OwnPartOptions;

  constructor(options: OwnPartOptions) {
    this.#options = options;
    this.partitionCount = options.analyzer.topics.shareEvents.partitions;
    this.owned = options.owned;
  }

  /** Those that are being rebuilt too. */
  get ownedPartitions(): number {
    return this.owned.size + this.#options.rebuilds.count;
  }

  /** Of these, those that are still being rebuilt or read. */
  get partitionsBehind(): number {
    return this.#options.rebuilds.count + [...this.owned.values()].filter(({ caughtUp }) => !caughtUp).length;
  }

  /** Elapsed log time where reports of analyzers stand. */
  get reportTimeMs(): number {
    return this.#options.peers.times[reportsPartition]?.elapsedMs ?? 0;
  }

  /** Peers that owe an inventory and count. */
  owingPeers(): readonly PeerId[] {
    return owingPeers(this.owned.values(), this.#options.table);
  }

  judged(): readonly JudgedPartition[] {
    return [...this.owned.values()].flatMap(({ number, assigned, totals }) =>
      totals === null ? [] : [{ partition: number, generation: assigned.generation, totals }],
    );
  }

  freshness(): Freshness {
    return this.#freshness(this.owingPeers().length);
  }

  /** As `freshness`, except that what only inventories of peers can mend is no reason to ask another analyzer. */
  readiness(): Freshness {
    return this.#freshness(0);
  }

  #freshness(owedInventories: number): Freshness {
    const { analyzer, lifetime, rebuilds, peers, keeper } = this.#options;
    return freshnessOf(analyzer, {
      peerTimes: peers.times,
      owned: [...this.owned.values()],
      rebuilding: rebuilds.count,
      failure: lifetime.failure,
      keepingSinceMs: keeper.busySinceMs,
      owedInventories,
    });
  }
}
