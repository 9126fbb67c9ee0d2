/** What the store holds of campaigns, as typed rows; docs/clickhouse.md says what each table is for. */
import { campaignStates } from '#mesh/campaigns/campaign.ts';
import { fileOutcomes } from '#mesh/campaigns/progress.ts';
import {
  choice,
  flag,
  int16,
  label,
  storageIndex,
  text,
  timestamp,
  uint16,
  uint32,
  uint64,
  uuid,
} from './row-binary/columns.ts';
import { defineTable, type Row } from './row-binary/table.ts';

/** The newest version of each campaign; `selection`, `plan` and `progress` are JSON of mesh/campaigns: definition, plan, totals. */
export const campaigns = defineTable('campaigns', {
  id: uuid,
  name: text,
  state: choice(campaignStates),
  createdAt: timestamp,
  updatedAt: timestamp,
  createdBy: text,
  selection: text,
  plan: text,
  progress: text,
  version: uint64,
});

/** What came of each file of a campaign. */
export const campaignFiles = defineTable('campaign_files', {
  campaign: uuid,
  partition: uint16,
  storageIndex,
  outcome: choice(fileOutcomes),
  errorCode: label,
  /** How many times it was tried. */
  pass: uint16,
  policy: label,
  marginBefore: int16,
  marginAfter: int16,
  sharesWritten: uint16,
  bytesRead: uint64,
  bytesWritten: uint64,
  durationMs: uint64,
  at: timestamp,
});

/** Who commanded what of a campaign, and why. `operatorId` is empty where a service did it by itself. */
export const campaignSteps = defineTable('campaign_steps', {
  /** Its id; of a calendar entry `schedule/NAME`, of limits and the brake `limits/repair`. */
  campaign: text,
  revision: uint64,
  at: timestamp,
  name: text,
  what: label,
  operatorId: text,
  operatorName: text,
  why: text,
  planHash: text,
});

/** How far each partition of a campaign was, every few seconds while it ran. Figures count from its start. */
export const campaignProgress = defineTable('campaign_progress', {
  campaign: uuid,
  at: timestamp,
  partition: uint16,
  files: uint64,
  restored: uint64,
  failed: uint64,
  sharesWritten: uint64,
  bytesRead: uint64,
  bytesWritten: uint64,
  inFlight: uint32,
  waitsFor: label,
  finished: flag,
  repairer: label,
});

export type CampaignRow = Row<typeof campaigns>;
export type CampaignFileRow = Row<typeof campaignFiles>;
export type CampaignStepRow = Row<typeof campaignSteps>;
export type CampaignProgressRow = Row<typeof campaignProgress>;
