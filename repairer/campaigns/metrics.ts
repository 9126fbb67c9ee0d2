/** What campaigns did and do, as metrics. */
import type { Meter } from '@opentelemetry/api';
import type { FollowedTable } from '#log/followed-table.ts';
import { campaignStates } from '#mesh/campaigns/campaign.ts';
import { type FileOutcome, fileOutcomes } from '#mesh/campaigns/progress.ts';
import type { CampaignTable } from '#mesh/campaigns/table.ts';

/** @returns what counts a file. Series are there from the start, with zeros. */
export function createCampaignMetrics(
  meter: Meter,
  followed: Pick<FollowedTable<CampaignTable>, 'table'>,
): (outcome: FileOutcome) => void {
  const files = meter.createCounter('meshward_campaign_files', {
    description: 'Files that campaigns dealt with at this repairer, by what came of them.',
    unit: '{files}',
  });
  for (const outcome of fileOutcomes) files.add(0, { outcome });
  meter
    .createObservableGauge('meshward_campaigns', {
      description: 'Campaigns in the log, by state.',
      unit: '{campaigns}',
    })
    .addCallback((result) => {
      const campaigns = followed.table.campaigns();
      for (const state of campaignStates)
        result.observe(campaigns.filter((campaign) => campaign.state === state).length, { state });
    });
  return (outcome) => files.add(1, { outcome });
}

export interface CalendarMetrics {
  readonly proof: (outcome: 'proven' | 'failed' | 'disagrees') => void;
  readonly canary: (outcome: 'recovered' | 'failed') => void;
}

/** What ran on calendars at this repairer. */
export function createCalendarMetrics(meter: Meter): CalendarMetrics {
  const proofs = meter.createCounter('meshward_calendar_proofs', {
    description:
      'Proofs of calendars, by outcome; `disagrees` is a file that should be recoverable by its margin, and was not.',
    unit: '{proofs}',
  });
  const canaries = meter.createCounter('meshward_canaries', {
    description: 'Canary files that were put with too few shares, by whether they were repaired and recovered in time.',
    unit: '{files}',
  });
  for (const outcome of ['proven', 'failed', 'disagrees']) proofs.add(0, { outcome });
  for (const outcome of ['recovered', 'failed']) canaries.add(0, { outcome });
  return { proof: (outcome) => proofs.add(1, { outcome }), canary: (outcome) => canaries.add(1, { outcome }) };
}
