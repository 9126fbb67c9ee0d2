/** What campaigns need of the repairer around them, and of the store. */
import type { CampaignPriority } from '#mesh/campaigns/definition.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { PlacedShare } from '#peers/locate.ts';
import type { Fence } from '#peers/peer-storage.ts';
import type { CampaignFileRow } from '#store/campaign-tables.ts';
import type { CampaignSums, CampaignWork, WorkQuery } from '#store/queries/campaigns.ts';
import type { Row, Table } from '#store/row-binary/table.ts';
import type { FileRow, PlacementRow } from '#store/tables.ts';
import type { RepairTools } from '../repair/tools.ts';

export interface CampaignHost {
  readonly tools: RepairTools;
  /** What targets fence repairs of a partition by; undefined for one that is not ours. */
  fenceOf(partition: number): Fence | undefined;
  ownedPartitions(): readonly number[];
  /** Why no file of a campaign may be begun now; empty where one may. */
  holdReason(priority: CampaignPriority): string;
  /** The file is being repaired for another reason at this moment. */
  isRepairing(storageIndex: StorageIndex): boolean;
  /** Says to everybody that the share is not what it should be. */
  found(storageIndex: StorageIndex, share: PlacedShare): void;
}

export interface CampaignStore {
  work(query: WorkQuery): Promise<readonly CampaignWork[]>;
  details(indexes: readonly StorageIndex[]): Promise<{
    readonly files: readonly FileRow[];
    readonly placements: readonly PlacementRow[];
  }>;
  /** What was noted of these files before. */
  earlier(campaign: string, partition: number, indexes: readonly StorageIndex[]): Promise<readonly CampaignFileRow[]>;
  sums(campaign: string, partition: number): Promise<CampaignSums>;
  enqueue<T extends Table>(table: T, rows: readonly Row<T>[]): Promise<void>;
  /** Resolves when everything that was enqueued is in the database. */
  flush(): Promise<void>;
}
