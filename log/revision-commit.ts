/** Writes the next revision of a campaign, a calendar entry or the limits: collectors for operators, repairers for what ends or is due. */
import { randomUUID } from 'node:crypto';
import type { Campaign } from '#mesh/campaigns/campaign.ts';
import type { RepairLimits } from '#mesh/campaigns/limits.ts';
import {
  campaignRecord,
  type KeyedRecord,
  keyOf,
  limitsId,
  limitsRecord,
  type RevisionedKind,
  scheduleRecord,
} from '#mesh/campaigns/records.ts';
import type { Schedule } from '#mesh/campaigns/schedule.ts';
import type { CampaignEntry, CampaignTable } from '#mesh/campaigns/table.ts';
import type { FollowedTable } from './followed-table.ts';

export type CampaignLog = Pick<FollowedTable<CampaignTable>, 'table' | 'append'>;

/** What a revision was made from. */
interface Before {
  readonly revision: number;
  readonly nonce: string;
}

/**
 * @param before what `next` was made from; null for a new campaign.
 * @returns whether it counts: false where another revision was written first, and then nothing has changed.
 * @throws MeshwardError `log-unavailable` and the like: then it is not known.
 */
export function commitCampaign(followed: CampaignLog, next: Campaign, before: CampaignEntry | null): Promise<boolean> {
  const from = before === null ? null : { revision: before.campaign.revision, nonce: before.nonce };
  return commit(followed, { kind: 'campaign', id: next.id, revision: next.revision }, from, (nonce) =>
    campaignRecord(next, nonce),
  );
}

/** As `commitCampaign`; before it stands what the table has. */
export function commitSchedule(followed: CampaignLog, next: Schedule): Promise<boolean> {
  const entry = followed.table.scheduleEntry(next.name);
  const from = entry === undefined ? null : { revision: entry.value.revision, nonce: entry.nonce };
  return commit(followed, { kind: 'schedule', id: next.name, revision: next.revision }, from, (nonce) =>
    scheduleRecord(next, nonce),
  );
}

export function commitLimits(followed: CampaignLog, next: RepairLimits): Promise<boolean> {
  const entry = followed.table.limitsEntry;
  const from = entry === undefined ? null : { revision: entry.value.revision, nonce: entry.nonce };
  return commit(followed, { kind: 'limits', id: limitsId, revision: next.revision }, from, (nonce) =>
    limitsRecord(next, nonce),
  );
}

async function commit(
  followed: CampaignLog,
  of: { readonly kind: RevisionedKind; readonly id: string; readonly revision: number },
  before: Before | null,
  record: (nonce: string) => KeyedRecord,
): Promise<boolean> {
  const nonce = randomUUID();
  await followed.append([record(nonce)]);
  const { kind, id, revision } = of;
  if (!followed.table.hasCounted(kind, id, revision, nonce)) {
    await followed.append([{ key: keyOf({ kind, id, revision, nonce }), value: null }]);
    return false;
  }
  // The earlier revision is no longer needed: each says everything.
  if (before !== null && before.revision < revision)
    await followed.append([{ key: keyOf({ kind, id, ...before }), value: null }]);
  return true;
}
