/** The campaigns' store on ClickHouse. */
import type { Store } from '#store/client.ts';
import { campaignFilesOf, campaignSums, campaignWork } from '#store/queries/campaigns.ts';
import { filesByIndex, placementsOfFiles } from '#store/queries/share-map.ts';
import type { StoreWriter } from '#store/writer.ts';
import type { CampaignStore } from './ports.ts';

export function clickHouseCampaigns(store: Store, writer: Pick<StoreWriter, 'enqueue' | 'flush'>): CampaignStore {
  return {
    work: (query) => campaignWork(store, query),
    async details(indexes) {
      const [files, placements] = await Promise.all([filesByIndex(store, indexes), placementsOfFiles(store, indexes)]);
      return { files, placements };
    },
    earlier: (campaign, partition, indexes) => campaignFilesOf(store, campaign, partition, indexes),
    sums: (campaign, partition) => campaignSums(store, campaign, partition),
    enqueue: (table, rows) => writer.enqueue(table, rows),
    flush: () => writer.flush(),
  };
}
