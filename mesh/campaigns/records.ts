/** Records of the topic `campaigns` as values, both ways. Parsed once here; inside, they are trusted. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type AuditStep as AuditStepMessage,
  AuditStepSchema,
  type Campaign as CampaignMessage,
  type CampaignProgress as CampaignProgressMessage,
  CampaignProgressSchema,
  CampaignSchema,
  type CampaignsRecord,
  CampaignsRecordSchema,
  type RepairLimits as RepairLimitsMessage,
  RepairLimitsSchema,
  type Schedule as ScheduleMessage,
  ScheduleSchema,
  type CampaignState as WireState,
} from '../generated/events_pb.js';
import { type PeerId, peerIdFromBytes, peerIdToBytes } from '../peer-id.ts';
import { type StorageIndex, storageIndexFromBytes, storageIndexToBytes } from '../storage-index.ts';
import { type AuditStep, type Campaign, type CampaignState, campaignStates } from './campaign.ts';
import { parseDefinition } from './definition.ts';
import { parseLimits, type RepairLimits } from './limits.ts';
import { planSchema } from './plan.ts';
import { type CampaignProgress, type FileOutcome, fileOutcomes } from './progress.ts';
import { parseSchedule, type Schedule } from './schedule.ts';

export type CampaignsValue =
  | { readonly kind: 'campaign'; readonly campaign: Campaign }
  | { readonly kind: 'progress'; readonly progress: CampaignProgress }
  | { readonly kind: 'schedule'; readonly schedule: Schedule }
  | { readonly kind: 'limits'; readonly limits: RepairLimits };

/** What is written by one revision after the other, of which the first record counts. `limits` has one id. */
export type RevisionedKind = 'campaign' | 'schedule' | 'limits';

export type CampaignsKey =
  | { readonly kind: RevisionedKind; readonly id: string; readonly revision: number; readonly nonce: string }
  | { readonly kind: 'progress'; readonly id: string; readonly partition: number; readonly generation: number };

export const limitsId = 'repair';

/** What is appended: a key and, but for a tombstone, a value. */
export interface KeyedRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

export function keyOf(key: CampaignsKey): Uint8Array {
  const parts =
    key.kind === 'progress'
      ? [key.kind, key.id, key.partition, key.generation]
      : [key.kind, key.id, key.revision, key.nonce];
  return new TextEncoder().encode(parts.join('/'));
}

/** Null for a key of a kind that is not known. */
export function parseKey(bytes: Uint8Array | null): CampaignsKey | null {
  const [kind, id = '', third = '', fourth = '', ...more] = new TextDecoder()
    .decode(bytes ?? new Uint8Array())
    .split('/');
  if (more.length > 0 || id === '' || !/^\d{1,15}$/.test(third) || fourth === '') return null;
  if (kind === 'campaign' || kind === 'schedule' || kind === 'limits')
    return { kind, id, revision: Number(third), nonce: fourth };
  if (kind !== 'progress' || !/^\d{1,15}$/.test(fourth)) return null;
  return { kind, id, partition: Number(third), generation: Number(fourth) };
}

export function campaignRecord(campaign: Campaign, nonce: string): KeyedRecord {
  const { id, revision } = campaign;
  const value = create(CampaignSchema, {
    campaignId: id,
    name: campaign.name,
    state: campaignStates.indexOf(campaign.state) + 1,
    revision: BigInt(revision),
    definition: JSON.stringify(campaign.definition),
    plan: JSON.stringify(campaign.plan),
    planHash: campaign.planHash,
    createdAtMs: BigInt(campaign.createdAtMs),
    steps: campaign.steps.map(stepMessage),
  });
  return { key: keyOf({ kind: 'campaign', id, revision, nonce }), value: encode({ case: 'campaign', value }) };
}

export function scheduleRecord(schedule: Schedule, nonce: string): KeyedRecord {
  const { name, revision, removed, definition, steps, lastRunMs } = schedule;
  const value = create(ScheduleSchema, {
    name,
    revision: BigInt(revision),
    removed,
    definition: JSON.stringify(definition),
    steps: steps.map(stepMessage),
    lastRunMs: BigInt(lastRunMs),
  });
  return { key: keyOf({ kind: 'schedule', id: name, revision, nonce }), value: encode({ case: 'schedule', value }) };
}

export function limitsRecord({ revision, settings, steps }: RepairLimits, nonce: string): KeyedRecord {
  const value = create(RepairLimitsSchema, {
    revision: BigInt(revision),
    limits: JSON.stringify(settings),
    steps: steps.map(stepMessage),
  });
  return { key: keyOf({ kind: 'limits', id: limitsId, revision, nonce }), value: encode({ case: 'limits', value }) };
}

export function progressRecord(progress: CampaignProgress): KeyedRecord {
  const { campaignId: id, partition, generation, cursor } = progress;
  const value = create(CampaignProgressSchema, {
    ...progress,
    generation: BigInt(generation),
    seenRevision: BigInt(progress.seenRevision),
    run: BigInt(progress.run),
    cursor: cursor === '' ? new Uint8Array() : storageIndexToBytes(cursor as StorageIndex),
    atMs: BigInt(progress.atMs),
    outcomes: progress.outcomes.map(({ outcome, errorCode, files }) => ({ outcome, errorCode, files: BigInt(files) })),
    sharesWritten: BigInt(progress.sharesWritten),
    bytesRead: BigInt(progress.bytesRead),
    bytesWritten: BigInt(progress.bytesWritten),
  });
  return { key: keyOf({ kind: 'progress', id, partition, generation }), value: encode({ case: 'progress', value }) };
}

/** Null for a record of a kind that only a newer release knows. @throws where it cannot be read. */
export function readCampaigns(bytes: Uint8Array): CampaignsValue | null {
  const { body } = fromBinary(CampaignsRecordSchema, bytes);
  if (body.case === 'campaign') return { kind: 'campaign', campaign: readCampaign(body.value) };
  if (body.case === 'progress') return { kind: 'progress', progress: readProgress(body.value) };
  if (body.case === 'schedule') return { kind: 'schedule', schedule: readSchedule(body.value) };
  if (body.case === 'limits') return { kind: 'limits', limits: readLimits(body.value) };
  return null;
}

export function stepMessage(step: AuditStep): AuditStepMessage {
  const { operatorId, revision, atMs } = step;
  return create(AuditStepSchema, {
    ...step,
    revision: BigInt(revision),
    operatorId: operatorId === '' ? new Uint8Array() : peerIdToBytes(operatorId as PeerId),
    atMs: BigInt(atMs),
  });
}

export function readStep(step: AuditStepMessage): AuditStep {
  const { what, operatorName, why, planHash } = step;
  return {
    revision: Number(step.revision),
    what,
    operatorId: step.operatorId.length === 0 ? '' : peerIdFromBytes(step.operatorId),
    operatorName,
    why,
    atMs: Number(step.atMs),
    planHash,
  };
}

function readCampaign(message: CampaignMessage): Campaign {
  const { campaignId: id, name, planHash } = message;
  return {
    id,
    name,
    state: stateOf(message.state),
    revision: Number(message.revision),
    definition: parseDefinition(JSON.parse(message.definition)),
    plan: planSchema.parse(JSON.parse(message.plan)),
    planHash,
    createdAtMs: Number(message.createdAtMs),
    steps: message.steps.map(readStep),
  };
}

function readSchedule({ name, revision, removed, definition, steps, lastRunMs }: ScheduleMessage): Schedule {
  return {
    name,
    revision: Number(revision),
    removed,
    definition: parseSchedule(JSON.parse(definition)),
    steps: steps.map(readStep),
    lastRunMs: Number(lastRunMs),
  };
}

function readLimits({ revision, limits, steps }: RepairLimitsMessage): RepairLimits {
  return { revision: Number(revision), settings: parseLimits(JSON.parse(limits)), steps: steps.map(readStep) };
}

function readProgress(message: CampaignProgressMessage): CampaignProgress {
  const { campaignId, partition, repairer, pass, finished, inFlight, waitsFor, failure } = message;
  return {
    campaignId,
    partition,
    generation: Number(message.generation),
    repairer,
    seenRevision: Number(message.seenRevision),
    run: Number(message.run),
    pass,
    cursor: message.cursor.length === 0 ? '' : storageIndexFromBytes(message.cursor),
    finished,
    inFlight,
    waitsFor,
    atMs: Number(message.atMs),
    outcomes: message.outcomes.map(({ outcome, errorCode, files }) => {
      // What a newer release calls otherwise has not gone well as far as this one knows.
      const known: FileOutcome = fileOutcomes.find((word) => word === outcome) ?? 'failed';
      return { outcome: known, errorCode, files: Number(files) };
    }),
    sharesWritten: Number(message.sharesWritten),
    bytesRead: Number(message.bytesRead),
    bytesWritten: Number(message.bytesWritten),
    failure,
  };
}

function stateOf(state: WireState): CampaignState {
  const known = campaignStates[state - 1];
  if (known === undefined) throw new RangeError(`a campaign is in state ${state}, which is not known`);
  return known;
}

function encode(body: CampaignsRecord['body']): Uint8Array {
  return toBinary(CampaignsRecordSchema, create(CampaignsRecordSchema, { body }));
}
