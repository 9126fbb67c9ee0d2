/** Campaigns of the story: one that read every share in the morning, one that lifts margins after the zone is lost, one that waits. */
import { afterCommand, type Campaign, type CommandBy, newCampaign, runOf } from '#mesh/campaigns/campaign.ts';
import type { CampaignDefinition } from '#mesh/campaigns/definition.ts';
import { type FileOutcome, totalsOf } from '#mesh/campaigns/progress.ts';
import { sampleDefinition, samplePlan } from '#mesh/campaigns/testing/samples.ts';
import { campaignRow } from '#repairer/campaigns/scribe.ts';
import * as campaignTables from '#store/campaign-tables.ts';
import type { StoreWriter } from '#store/writer.ts';
import { minuteMs, moments, type StoryFile, type StoryMesh } from './story-mesh.ts';

interface Told {
  readonly id: string;
  readonly name: string;
  readonly definition: CampaignDefinition;
  /** Minutes of the story; `ends` null where it goes on. */
  readonly begins: number;
  readonly filesAMinute: number;
  readonly why: string;
}

const told: readonly Told[] = [
  {
    id: '3f0d2c1a-0000-4000-8000-000000000001',
    name: 'scrub-20260601',
    definition: sampleDefinition({ kind: 'verify' }),
    begins: 120,
    filesAMinute: 3,
    why: 'calendar "scrub"',
  },
  {
    id: '3f0d2c1a-0000-4000-8000-000000000002',
    name: 'lift',
    definition: sampleDefinition({ upTo: 97 }),
    begins: moments.zoneLost + 15,
    filesAMinute: 2,
    why: 'the zone stays away until Monday',
  },
  {
    id: '3f0d2c1a-0000-4000-8000-000000000003',
    name: 'empty-birch',
    definition: sampleDefinition({ kind: 'verify' }),
    begins: moments.zoneLost + 20,
    filesAMinute: 0,
    why: 'two machines go',
  },
];
const rules = { approvalAboveFiles: 1e9, approvalAboveBytes: 1e18, planMaxAgeMs: 1e9 };
const partitions = 2;

type Writer = Pick<StoreWriter, 'enqueue'>;

/** What repairers write in this minute. */
export async function writeCampaigns(writer: Writer, mesh: StoryMesh, minute: number, atMs: number): Promise<void> {
  for (const one of told) if (minute >= one.begins) await writeCampaign(writer, mesh, one, minute, atMs);
}

async function writeCampaign(writer: Writer, mesh: StoryMesh, one: Told, minute: number, atMs: number): Promise<void> {
  const since = minute - one.begins;
  const before = Math.min(mesh.files.length, Math.max(0, since - 1) * one.filesAMinute);
  const done = Math.min(mesh.files.length, since * one.filesAMinute);
  if (before === mesh.files.length && one.filesAMinute > 0) return;
  const campaign = campaignAt(one, mesh.files.length, since, done === mesh.files.length, atMs);
  const rows = mesh.files.slice(before, done).map((file, at) => fileRow(one, file, before + at, atMs));
  await writer.enqueue(campaignTables.campaignFiles, rows);
  const parts = Array.from({ length: partitions }, (_, partition) => {
    return progressOf(one, campaign, partition, done, done === mesh.files.length, atMs);
  });
  await writer.enqueue(
    campaignTables.campaignProgress,
    parts.map(({ outcomes, campaignId, atMs: at, ...part }) => {
      const files = outcomes.reduce((sum, { files: count }) => sum + count, 0);
      const { partition, sharesWritten, bytesRead, bytesWritten, inFlight, waitsFor, finished, repairer } = part;
      const counts = { files, restored: files, failed: 0, sharesWritten, bytesRead, bytesWritten };
      return { campaign: campaignId, at, partition, ...counts, inFlight, waitsFor, finished, repairer };
    }),
  );
  await writer.enqueue(campaignTables.campaigns, [campaignRow(campaign, totalsOf(parts), since + 1)]);
  await writer.enqueue(
    campaignTables.campaignSteps,
    campaign.steps.map((step) => ({ ...step, campaign: campaign.id, name: campaign.name, at: step.atMs })),
  );
}

function campaignAt(one: Told, files: number, since: number, isOver: boolean, atMs: number): Campaign {
  const beganMs = atMs - since * minuteMs;
  const by = (what: string, at: number): CommandBy => {
    return {
      operatorId: what === 'finish' ? '' : 'op',
      operatorName: what === 'finish' ? '' : 'ada',
      why: one.why,
      atMs: at,
    };
  };
  const plan = samplePlan({ files, atMs: beganMs });
  const planned = newCampaign(one.id, one.name, one.definition, plan, by('plan', beganMs));
  const start = { what: 'start', planHash: planned.planHash } as const;
  const running = afterCommand(planned, start, by('start', beganMs), rules);
  return isOver ? afterCommand(running, { what: 'finish' }, by('finish', atMs), rules) : running;
}

function progressOf(one: Told, campaign: Campaign, partition: number, done: number, finished: boolean, atMs: number) {
  const files = Math.floor((done + partition) / partitions);
  return {
    campaignId: one.id,
    partition,
    generation: 1,
    repairer: 'host-repairer',
    seenRevision: campaign.revision,
    run: runOf(campaign),
    pass: 1,
    cursor: '',
    finished,
    inFlight: finished || one.filesAMinute === 0 ? 0 : 1,
    waitsFor: one.filesAMinute === 0 ? 'files at risk go first' : '',
    atMs,
    outcomes: files === 0 ? [] : [{ outcome: 'restored' as const, errorCode: '', files }],
    sharesWritten: files * 4,
    bytesRead: files * 2_500_000,
    bytesWritten: files * 400_000,
    failure: '',
  };
}

function fileRow(
  { id, definition }: Told,
  file: StoryFile,
  number: number,
  atMs: number,
): campaignTables.CampaignFileRow {
  const isVerify = definition.kind === 'verify';
  const outcome: FileOutcome =
    number % 23 === 7 ? (isVerify ? 'corrupt' : 'failed') : isVerify ? 'verified' : 'restored';
  const isBad = outcome === 'corrupt' || outcome === 'failed';
  const margin = file.available - file.policy.k;
  const shares = isVerify || isBad ? 0 : Math.max(0, file.policy.n - 3 - file.available);
  return {
    campaign: id,
    partition: number % partitions,
    storageIndex: file.index,
    outcome,
    errorCode: outcome === 'corrupt' ? 'share-corrupt' : outcome === 'failed' ? 'repair-no-target' : '',
    pass: isBad ? 3 : 1,
    policy: file.policy.name,
    marginBefore: margin,
    marginAfter: margin + shares,
    sharesWritten: shares,
    bytesRead: Math.ceil(file.sizeBytes / file.policy.k) * (isVerify ? file.available : file.policy.k),
    bytesWritten: Math.ceil(file.sizeBytes / file.policy.k) * shares,
    durationMs: 900,
    at: atMs - (number % 6) * 10_000,
  };
}
