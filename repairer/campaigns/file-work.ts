/** One file of a campaign, from what the store says of it to what came of it. */
import { randomUUID } from 'node:crypto';
import type { Campaign } from '#mesh/campaigns/campaign.ts';
import type { FileOutcome } from '#mesh/campaigns/progress.ts';
import { type PeerId } from '#mesh/peer-id.ts';
import { isAvailableState } from '#mesh/peer-state.ts';
import { policyFor } from '#mesh/policy.ts';
import type { PlacedShare } from '#peers/locate.ts';
import type { Fence } from '#peers/peer-storage.ts';
import type { CampaignFileRow } from '#store/campaign-tables.ts';
import type { CampaignWork } from '#store/queries/campaigns.ts';
import type { FileRow, PlacementRow, RepairRow } from '#store/tables.ts';
import { repairRow } from '../audit.ts';
import type { AtRiskEntry } from '../queue/at-risk.ts';
import { checkedSample } from '../repair/read-back.ts';
import { type ShareMoves, startRepair } from '../repair/repair.ts';
import type { RepairReport } from '../repair/repair-report.ts';
import type { RepairTools } from '../repair/tools.ts';
import { type Assignment, assign, placeOf } from './assignment.ts';

export interface CampaignFile {
  readonly health: CampaignWork;
  /** Undefined where the store has no manifest. */
  readonly file: FileRow | undefined;
  readonly placements: readonly PlacementRow[];
  /** What was noted of it in an earlier pass. */
  readonly earlier: CampaignFileRow | undefined;
}

export interface FileWork {
  readonly campaign: Campaign;
  readonly partition: number;
  readonly pass: number;
  readonly fence: Fence;
  readonly signal: AbortSignal;
  /** What repairs of this file placed a moment ago, which the store may not show yet. */
  readonly placed: readonly PlacedShare[];
  /** What those that were called off have left on peers, unread: it is asked for, and counts no more than that. */
  readonly taken: readonly PlacedShare[];
}

export interface FileResult {
  readonly row: CampaignFileRow;
  /** Null where no repair was begun. */
  readonly repair: RepairRow | null;
  readonly placed: readonly PlacedShare[];
  /** Shares that were found to be other than they should be, whatever their peers say. */
  readonly corrupt: readonly PlacedShare[];
}

/** It is to be done again: nothing has come of it but shares that peers have taken. */
export interface CalledOff {
  readonly row: null;
  readonly taken: readonly PlacedShare[];
  /** For the audit; null where no share was taken. */
  readonly repair: RepairRow | null;
}

const calledOff: CalledOff = { row: null, taken: [], repair: null };

export async function workOn(given: CampaignFile, work: FileWork, tools: RepairTools): Promise<FileResult | CalledOff> {
  const { health, file } = given;
  if (file === undefined || file.deleted) return plainResult(given, work, tools, 'gone');
  const policy = policyFor(tools.policies, file, file.tag);
  const sound = given.placements
    .filter(({ state }) => state === 'stored')
    .map(({ shareNumber, peerId }) => ({ shareNumber, peerId }));
  const placements = withPlaced(sound, work.placed);
  const assignment = assign(work.campaign.definition, { n: file.n, policy, placements }, (peerId) =>
    tools.mesh.peerView.fact(peerId),
  );
  switch (assignment.kind) {
    case 'nothing':
      return plainResult(given, work, tools, 'not-needed');
    case 'verify':
      return verify(given, file, placements, work, tools);
    case 'repair': {
      const entry: AtRiskEntry = {
        manifest: manifestOf(file),
        tag: file.tag,
        grade: health.grade,
        available: health.available,
        retained: health.retained,
        // An entry is acted upon even where more counts than when it was written, unless all of it is there.
        counted: file.n,
        margin: health.margin,
        placements: sound.map((share) => ({ ...share, available: isReadable(tools, share.peerId) })),
        cause: `campaign ${work.campaign.name}`,
        sinceMs: tools.runtime.clock.nowMs(),
        updatedAtMs: tools.runtime.clock.nowMs(),
        risk: 0,
        repairUpTo: assignment.upTo,
        maxSharesPerPeer: assignment.maxSharesPerPeer,
        maxSharesPerDomain: policy.maxSharesPerDomain,
        revision: 0,
        ownerGeneration: 0,
      };
      return repair(given, entry, assignment, work, tools);
    }
  }
}

async function repair(
  given: CampaignFile,
  entry: AtRiskEntry,
  assignment: Extract<Assignment, { kind: 'repair' }>,
  work: FileWork,
  tools: RepairTools,
): Promise<FileResult | CalledOff> {
  const { leaving, numbers, avoids } = assignment;
  const isMove = numbers.size > 0;
  const moves: ShareMoves = { leaves: (share) => leaving.has(placeOf(share)), avoids };
  const { fence, signal } = work;
  const placed = [...work.placed, ...work.taken];
  const wanted = isMove ? [...numbers] : undefined;
  const job = { id: randomUUID(), entry, fence, wanted, urgent: false, placed, signal };
  const running = startRepair(isMove ? { ...job, moves } : job, tools);
  const report = await running.report;
  if (report.ending === 'cancelled' || report.ending === 'fenced') {
    const { taken } = report;
    if (taken.length === 0) return calledOff;
    return { row: null, taken, repair: repairRow({ ...report, written: taken }, '', work.campaign.id) };
  }
  const restored = [...report.written, ...report.found];
  const { k } = entry.manifest;
  const row = rowOf(given, work, tools, {
    outcome: outcomeOf(report),
    errorCode: report.errorCode,
    marginBefore: report.availableBefore - k,
    // What was moved is where it was, too.
    marginAfter: (isMove ? report.availableBefore : report.availableAfter) - k,
    sharesWritten: report.written.length,
    bytesRead: report.bytesRead,
    bytesWritten: report.bytesWritten,
    durationMs: report.durationMs,
  });
  const { corrupt } = report;
  return { row, repair: repairRow(report, '', work.campaign.id), placed: restored, corrupt };
}

function outcomeOf({ ending }: RepairReport): FileOutcome {
  switch (ending) {
    case 'repaired':
      return 'restored';
    case 'partial':
    case 'not-needed':
    case 'irrecoverable':
    case 'failed':
      return ending;
    // The error's code tells these from others; a fenced or cancelled one is not kept at all.
    case 'too-few-shares':
    case 'cancelled':
    case 'fenced':
      return 'failed';
  }
}

/** Reads every share that can be asked for: its whole chain of hashes, and a block drawn at random. */
async function verify(
  given: CampaignFile,
  file: FileRow,
  placements: readonly PlacedShare[],
  work: FileWork,
  tools: RepairTools,
): Promise<FileResult | CalledOff> {
  const startedMs = tools.runtime.clock.monotonicMs();
  const transfer = tools.mesh.transfer.begin({ urgent: false, signal: work.signal });
  const readable = placements.filter(({ peerId }) => isReadable(tools, peerId));
  const manifest = manifestOf(file);
  let checked: Awaited<ReturnType<typeof checkedSample>>;
  try {
    checked = await checkedSample(readable, 1, { manifest, transfer, random: tools.runtime.random });
  } catch (error) {
    if (work.signal.aborted) return calledOff;
    throw error;
  }
  const corrupt = checked.bad.filter((fault) => fault.corrupt);
  for (const { peerId, shareNumber } of corrupt) {
    await transfer.reportCorruption(peerId, manifest.storageIndex, shareNumber, 'found by a verification');
  }
  const unread = checked.bad.length - corrupt.length;
  const row = rowOf(given, work, tools, {
    outcome: corrupt.length > 0 ? 'corrupt' : unread > 0 ? 'partial' : 'verified',
    errorCode: corrupt.length > 0 ? 'share-corrupt' : unread > 0 ? 'gbs-unreachable' : '',
    bytesRead: transfer.bytesRead,
    durationMs: Math.round(tools.runtime.clock.monotonicMs() - startedMs),
  });
  return { row, repair: null, placed: [], corrupt };
}

function plainResult(given: CampaignFile, work: FileWork, tools: RepairTools, outcome: FileOutcome): FileResult {
  return { row: rowOf(given, work, tools, { outcome }), repair: null, placed: [], corrupt: [] };
}

function rowOf(
  { health, earlier }: CampaignFile,
  { campaign, partition, pass }: FileWork,
  { runtime: { clock } }: RepairTools,
  result: Partial<CampaignFileRow> & Pick<CampaignFileRow, 'outcome'>,
): CampaignFileRow {
  const row = {
    campaign: campaign.id,
    partition,
    storageIndex: health.storageIndex,
    errorCode: '',
    pass,
    policy: health.policy,
    marginBefore: health.margin,
    marginAfter: health.margin,
    sharesWritten: 0,
    bytesRead: 0,
    bytesWritten: 0,
    durationMs: 0,
    at: clock.nowMs(),
    ...result,
  };
  if (earlier === undefined) return row;
  // The row replaces the one of an earlier pass, and says what all of them did.
  return {
    ...row,
    marginBefore: earlier.marginBefore,
    sharesWritten: row.sharesWritten + earlier.sharesWritten,
    bytesRead: row.bytesRead + earlier.bytesRead,
    bytesWritten: row.bytesWritten + earlier.bytesWritten,
    durationMs: row.durationMs + earlier.durationMs,
  };
}

function manifestOf({ storageIndex, uebHash, k, n, sizeBytes }: FileRow) {
  return { storageIndex, uebHash, k, n, sizeBytes };
}

function isReadable(tools: RepairTools, peerId: PeerId): boolean {
  const state = tools.mesh.peerView.fact(peerId)?.state;
  return state !== undefined && isAvailableState(state);
}

function withPlaced(shares: readonly PlacedShare[], placed: readonly PlacedShare[]): PlacedShare[] {
  const known = new Set(shares.map(placeOf));
  return [...shares, ...placed.filter((share) => !known.has(placeOf(share)))];
}
