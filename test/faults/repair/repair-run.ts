/**
 * Campaigns on real peers, log and database, one round for each fault: new files in every state, two campaigns on the same
 * files, the fault upon them, and operators who pause, resume and cancel. Then everything is sound again, what is left is
 * repaired, and the oracle looks at the disks.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { seededRandom } from '#mesh/clock.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { RepairFault } from './repair-faults.ts';
import { campaignDifferences, fileDifferences, usageDifferences } from './repair-oracle.ts';
import { RepairDisagreement, RepairScene, type TroubledFile, target } from './repair-scene.ts';

export interface RepairRunOptions {
  readonly seed: number;
  readonly faults: Iterable<RepairFault>;
  /** Root of the sources of the repairers. @default these ones */
  readonly root?: string;
  /** How long each thing may take to come. @default as on the busiest machine */
  readonly patienceMs?: number;
  readonly filesPerFault?: number;
  readonly say: (line: string) => void;
}

export interface RepairRunReport {
  readonly faults: number;
  readonly files: number;
  readonly campaigns: number;
  readonly sharesWritten: number;
  readonly mostMemoryMB: number;
  readonly repairersThatEnded: number;
  /** The longest time that something took to come. */
  readonly slowestWaitMs: number;
}

/** Shares of files to begin with, in turn: lost, as few as can be, and more. */
const shareCounts = [2, 3, 6, 4, 8, 5];
const secondTarget = 8;

/** @throws RepairDisagreement with everything that is not as it must be. */
export async function runRepairFaults(options: RepairRunOptions): Promise<RepairRunReport> {
  const { seed, say, filesPerFault = 8, root, patienceMs } = options;
  await using scene = await RepairScene.open({ random: seededRandom(seed), say, root, patienceMs });
  scene.repairers.start();
  scene.repairers.start();
  say(`seed ${seed}: two repairers`);
  const report = { faults: 0, files: 0, campaigns: 0, sharesWritten: 0 };
  const counts = Array.from({ length: filesPerFault }, (_, at) => shareCounts[at % shareCounts.length] as number);
  for (const fault of options.faults) {
    say(`— ${fault.name}`);
    scene.troubled.clear();
    const files = await scene.put(counts);
    const written = await round(scene, fault, files).catch((error: unknown) => {
      if (!(error instanceof RepairDisagreement)) throw error;
      throw new RepairDisagreement(`after ${fault.name} (seed ${seed}):\n${error.message}`);
    });
    report.faults++;
    report.files += files.length;
    report.campaigns += 3;
    report.sharesWritten += written;
  }
  const mostMemoryMB = Math.round(scene.repairers.mostMemoryBytes / 1e6);
  const { slowestWaitMs, repairers } = scene;
  return { ...report, mostMemoryMB, repairersThatEnded: repairers.ends, slowestWaitMs: Math.round(slowestWaitMs) };
}

async function round(scene: RepairScene, fault: RepairFault, files: readonly TroubledFile[]): Promise<number> {
  const leave = fault.drains?.(scene) ?? [];
  const lift = await scene.start(files, {});
  const second = await scene.start(files, { upTo: secondTarget, budgetShare: 0.5 });
  const drain = leave.length === 0 ? null : await scene.start(files, { kind: 'drain', upTo: null, leave: [...leave] });
  await Promise.all([fault.run({ scene, files, lift, second, drain }), meddle(scene, second)]);
  scene.heal();
  const campaigns = [lift, second, ...(drain === null ? [] : [drain])];
  for (const id of campaigns) await scene.command(id, 'resume');
  await scene.until('the campaigns end', () => campaigns.every((id) => !scene.isRunning(id)));
  await scene.until('they stand still', () => campaigns.every((id) => scene.isAtRest(id)));
  const found = [
    ...(await campaignDifferences(scene, lift, files, target)),
    ...(await campaignDifferences(scene, second, files, secondTarget)),
    ...(drain === null ? [] : await campaignDifferences(scene, drain, files, null)),
  ];
  const leaving = new Set<PeerId>(leave);
  const written = await mend(scene, files, leaving, found);
  found.push(...(await fileDifferences(scene, files, { leaving })), ...usageDifferences(scene));
  if (found.length > 0) throw new RepairDisagreement(found.join('\n'));
  const states = campaigns.map((id) => scene.stateOf(id)).join(', ');
  scene.say(`as it must be: ${states}; ${written} shares were left to be written`);
  return written;
}

/** Once nothing is wrong any more: what was given up is repaired, and the counts are those of the disks. */
async function mend(
  scene: RepairScene,
  files: readonly TroubledFile[],
  leaving: ReadonlySet<PeerId>,
  found: string[],
): Promise<number> {
  await scene.tellTruth(files);
  const before = await sharesOnDisks(scene, files);
  const kinds = [{}, ...(leaving.size === 0 ? [] : [{ kind: 'drain' as const, upTo: null, leave: [...leaving] }])];
  let written = 0;
  for (const kind of kinds) {
    const id = await scene.start(files, kind);
    await scene.until('what was left is mended', () => !scene.isRunning(id));
    found.push(...(await campaignDifferences(scene, id, files, kind.leave === undefined ? target : null)));
    const parts = scene.mesh.campaigns.table.progress(id);
    written += parts.reduce((sum, part) => sum + part.sharesWritten, 0);
    await scene.tellTruth(files);
  }
  const came = (await sharesOnDisks(scene, files)) - before;
  if (came !== written) found.push(`${written} shares were written as the campaign counts, and ${came} came`);
  found.push(...(await stillOnlyOn(scene, files, leaving)));
  return written;
}

async function sharesOnDisks(scene: RepairScene, files: readonly TroubledFile[]): Promise<number> {
  const all = await Promise.all(files.map((file) => scene.sharesOn(file)));
  return all.reduce((sum, { good, bad }) => sum + good.length + bad.length, 0);
}

async function stillOnlyOn(
  scene: RepairScene,
  files: readonly TroubledFile[],
  leaving: ReadonlySet<PeerId>,
): Promise<string[]> {
  const found: string[] = [];
  for (const file of files) {
    const { good } = await scene.sharesOn(file);
    const elsewhere = new Set(good.filter(({ peerId }) => !leaving.has(peerId)).map(({ shareNumber }) => shareNumber));
    const only = good.filter(({ peerId, shareNumber }) => leaving.has(peerId) && !elsewhere.has(shareNumber));
    if (only.length > 0) found.push(`${file.storageIndex}: ${only.length} shares are on a drained peer alone`);
  }
  return found;
}

/** An operator who cannot make up their mind. */
async function meddle(scene: RepairScene, id: string): Promise<void> {
  const { random } = scene;
  for (let time = 0; time < 2; time++) {
    await pause(200 + random() * 600);
    await scene.command(id, 'pause').catch(() => undefined);
    await pause(200 + random() * 600);
    await scene.command(id, 'resume').catch(() => undefined);
  }
  if (random() < 0.3) await scene.command(id, 'cancel').catch(() => undefined);
}
