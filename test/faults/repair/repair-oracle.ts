/** What must be so after repair went through trouble, from what is on the disks, in the log and in the database. */

import { runOf } from '#mesh/campaigns/campaign.ts';
import { totalsOf } from '#mesh/campaigns/progress.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { PlacedShare } from '#peers/locate.ts';
import * as campaignTables from '#store/campaign-tables.ts';
import { campaignSums } from '#store/queries/campaigns.ts';
import * as tables from '#store/tables.ts';
import { leastShares, type RepairScene, type TroubledFile, target } from './repair-scene.ts';

const mostMemoryBytes = 500 * 1024 * 1024;
/** The last request of each repairer may run into debt. */
const bytesOnCredit = 100_000;

/** Whether k of its shares were good to begin with. */
export function isRecoverable({ before }: TroubledFile): boolean {
  return before.length >= leastShares;
}

/**
 * Of a campaign that is over: each file counted once, the same in the log and in the database, and so as it is.
 * @param upTo what each of the files shall have; null of a campaign that moves shares, which selects those with shares to move.
 */
export async function campaignDifferences(
  scene: RepairScene,
  id: string,
  files: readonly TroubledFile[],
  upTo: number | null,
): Promise<readonly string[]> {
  const { mesh } = scene;
  const campaign = mesh.campaigns.table.campaign(id);
  if (campaign === undefined) return [`the campaign ${id} is not there any more`];
  const parts = mesh.campaigns.table.progress(id).filter(({ run }) => run === runOf(campaign));
  const said = totalsOf(parts);
  const stored = await campaignSums(mesh.store, id);
  const rows = await mesh.store.select(
    {
      storageIndex: campaignTables.campaignFiles.columns.storageIndex,
      outcome: campaignTables.campaignFiles.columns.outcome,
    },
    `SELECT storage_index, outcome FROM ${mesh.store.qualified('campaign_files')} FINAL WHERE campaign = '${id}'`,
  );
  const found: string[] = [];
  const { name, state } = campaign;
  if (state === 'done') {
    if (upTo !== null && rows.length !== files.length)
      found.push(`${name} is done and counts ${rows.length} of ${files.length} files`);
    const inLog = JSON.stringify(
      [...said.outcomes].map(({ outcome, errorCode, files: count }) => [outcome, errorCode, count]).sort(),
    );
    const inStore = JSON.stringify(
      [...stored.outcomes].map(({ outcome, errorCode, files: count }) => [outcome, errorCode, count]).sort(),
    );
    if (inLog !== inStore) found.push(`${name} counts ${inLog} in the log and ${inStore} in the database`);
    if (said.sharesWritten !== stored.sharesWritten)
      found.push(`${name} wrote ${said.sharesWritten} shares by the log, ${stored.sharesWritten} by the database`);
  }
  const outcomeOf = new Map(rows.map((row) => [row.storageIndex, row.outcome]));
  const repairs = await repairsOf(scene, id);
  for (const file of files) {
    const outcome = outcomeOf.get(file.storageIndex);
    const { good, bad } = await scene.sharesOn(file);
    const isGood = (share: PlacedShare): boolean =>
      good.some(({ peerId, shareNumber }) => peerId === share.peerId && shareNumber === share.shareNumber);
    for (const share of repairs.filter(({ storageIndex }) => storageIndex === file.storageIndex)) {
      if (!isGood(share)) found.push(`${name} says that it wrote a share that is no good one: ${file.storageIndex}`);
    }
    if (upTo === null || (outcome !== 'restored' && outcome !== 'not-needed')) continue;
    // A share that a peer spoiled on another campaign's behalf may have been taken for good until somebody read it.
    const numbers = new Set([...good, ...bad].map(({ shareNumber }) => shareNumber)).size;
    if (numbers < upTo) found.push(`${name} says ${outcome} of a file with ${numbers} shares: ${file.storageIndex}`);
  }
  return found;
}

/** Every share that the audit says to have been written by repairs that came to their end: others leave shares that nobody has read back. */
async function repairsOf(
  { mesh }: RepairScene,
  id: string,
): Promise<readonly (PlacedShare & { readonly storageIndex: string })[]> {
  const { storageIndex, writtenShares, targets } = tables.repairs.columns;
  const rows = await mesh.store.select(
    { storageIndex, writtenShares, targets },
    `SELECT storage_index, written_shares, targets FROM ${mesh.store.qualified('repairs')} WHERE campaign = '${id}' AND outcome NOT IN ('cancelled', 'failed')`,
  );
  return rows.flatMap((row) =>
    row.writtenShares.map((shareNumber, at) => ({
      storageIndex: row.storageIndex,
      shareNumber,
      peerId: row.targets[at] as PeerId,
    })),
  );
}

export interface Judged {
  /** Peers that were being emptied: what they hold is elsewhere too. */
  readonly leaving: ReadonlySet<PeerId>;
}

/** Of files that no campaign works on any more. */
export async function fileDifferences(
  scene: RepairScene,
  files: readonly TroubledFile[],
  { leaving }: Judged,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const file of files) {
    const { good, bad } = await scene.sharesOn(file);
    const say = (what: string): void => void found.push(`${file.storageIndex} (${file.before.length} shares): ${what}`);
    const holders = Map.groupBy(good, ({ shareNumber }) => shareNumber);
    if (isRecoverable(file) && holders.size < target) say(`${holders.size} shares, and ${target} were to be there`);
    const known = new Set(file.before.map(({ shareNumber }) => shareNumber));
    if (!isRecoverable(file) && [...good, ...bad].some(({ shareNumber }) => !known.has(shareNumber)))
      say('shares came from nowhere');
    for (const { shareNumber, peerId } of file.before) {
      if (!good.some((share) => share.shareNumber === shareNumber && share.peerId === peerId))
        say(`share ${shareNumber} of before is gone or changed`);
    }
    for (const { shareNumber, peerId } of bad) {
      if (!scene.troubled.has(peerId)) say(`share ${shareNumber} is not what it was, on a peer that was sound`);
    }
    for (const [shareNumber, copies] of holders) {
      const sound = copies.filter(({ peerId }) => !scene.troubled.has(peerId) && !leaving.has(peerId));
      const doubles = scene.doubles(
        file.storageIndex,
        shareNumber,
        sound.map(({ peerId }) => peerId),
      );
      if (doubles.length > 0)
        say(`share ${shareNumber} is on ${doubles.length + 1} peers or more that were sound all the while`);
    }
  }
  return found;
}

/** Of what the repairers took. */
export function usageDifferences({ repairers, movedBytes }: RepairScene): readonly string[] {
  const { mostMemoryBytes: held, allowedBytes } = repairers;
  return [
    ...(held > mostMemoryBytes ? [`a repairer held ${Math.round(held / 1e6)} MB of memory`] : []),
    ...(movedBytes > allowedBytes + bytesOnCredit
      ? [`${movedBytes} bytes were moved, and the budgets allow ${Math.round(allowedBytes)}`]
      : []),
  ];
}
