/** Campaigns on real peers, log and database, with repairers that are killed in the middle of it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { totalsOf } from '#mesh/campaigns/progress.ts';
import { sampleDefinition } from '#mesh/campaigns/testing/samples.ts';
import { seededRandom } from '#mesh/clock.ts';
import { campaignSums } from '#store/queries/campaigns.ts';
import { label, uint64 } from '#store/row-binary/columns.ts';
import { RealMesh, type StoredFile } from './testing/real-mesh.ts';

const seed = Number(process.env['MESHWARD_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
const fileCount = 24;
const target = 9;

let mesh: RealMesh;
beforeEach(async () => {
  mesh = await RealMesh.open(14);
}, 60_000);
afterEach(async () => {
  await mesh[Symbol.asyncDispose]();
}, 60_000);

/** Waits for what is to come, looked at again and again. */
async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpMs = Date.now() + 120_000;
  while (!(await isSo())) {
    if (Date.now() > giveUpMs) throw new Error(`it never came to this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const progressOf = (id: string) => totalsOf(mesh.campaigns.table.progress(id));
const stateOf = (id: string) => mesh.campaigns.table.campaign(id)?.state;

/** Every share as it was uploaded, as many numbers as wanted, and none of them twice. */
async function expectWhole(files: readonly StoredFile[], shares: number): Promise<void> {
  for (const { storageIndex, shares: originals } of files) {
    const found = await mesh.sharesOf(storageIndex);
    expect(new Set(found.map(({ number }) => number)).size, storageIndex).toBe(shares);
    expect(found.length, `shares of ${storageIndex}`).toBe(shares);
    for (const { number, data } of found)
      expect(Buffer.compare(data, originals.get(number) as Buffer), `share ${number} of ${storageIndex}`).toBe(0);
  }
}

describe('campaigns', () => {
  it(`go on where they were when repairers are killed, and do nothing twice (MESHWARD_SEED=${seed})`, {
    timeout: 240_000,
  }, async () => {
    const random = seededRandom(seed);
    const files = await mesh.put(Array.from({ length: fileCount }, () => 6));
    const id = await mesh.start('lift', sampleDefinition({ upTo: target }), fileCount);
    let kills = 0;
    let child = mesh.repairer({ bytesPerSecond: 60_000 });
    while (stateOf(id) === 'running') {
      const before = progressOf(id).files;
      const wanted = before + 1 + Math.floor(random() * 5);
      await until('more files, or the end', () => stateOf(id) !== 'running' || progressOf(id).files >= wanted);
      if (stateOf(id) !== 'running' || kills >= 4) continue;
      child.kill('SIGKILL');
      kills++;
      child = mesh.repairer({ bytesPerSecond: 60_000 });
    }
    expect(stateOf(id)).toBe('done');
    expect(kills).toBeGreaterThan(1);
    await expectWhole(files, target);

    // Each file counts once, in the log as in the database.
    const sums = await campaignSums(mesh.store, id);
    expect(sums.outcomes.reduce((sum, one) => sum + one.files, 0)).toBe(fileCount);
    expect(progressOf(id).outcomes.map(({ outcome }) => outcome)).toEqual(['restored']);
    expect(progressOf(id).files).toBe(fileCount);
    expect(progressOf(id).sharesWritten).toBe(sums.sharesWritten);
  });

  it('of several at once with the same files place no share twice, and stand still when they are told to', {
    timeout: 240_000,
  }, async () => {
    const files = await mesh.put(Array.from({ length: fileCount }, () => 6));
    const child = mesh.repairer({ bytesPerSecond: 100_000 });
    const first = await mesh.start('first', sampleDefinition({ upTo: 8 }), fileCount);
    const second = await mesh.start('second', sampleDefinition({ upTo: target, budgetShare: 0.3 }), fileCount);
    await until('both work', () => progressOf(first).files > 0 && progressOf(second).files > 0);
    await until('it says what makes it slow', () => {
      return progressOf(second).waits.some(({ reason }) => reason.includes('share of the budget'));
    });
    await mesh.command(second, () => ({ what: 'pause' }));
    const revision = mesh.campaigns.table.campaign(second)?.revision ?? 0;
    const atRest = () => {
      const parts = mesh.campaigns.table.progress(second);
      return (
        parts.length > 0 &&
        parts.every((part) => part.finished || (part.seenRevision >= revision && part.inFlight === 0))
      );
    };
    await until('the second one stands still', atRest);
    const standing = progressOf(second);
    await until('the first one ends', () => stateOf(first) === 'done');
    expect(progressOf(second)).toEqual(standing);
    await mesh.command(second, () => ({ what: 'resume' }));
    await until('the second one ends', () => stateOf(second) === 'done');
    await expectWhole(files, target);
    const repairs = await mesh.store.select(
      { campaign: label, shares: uint64 },
      `SELECT campaign, sum(length(written_shares)) FROM ${mesh.store.qualified('repairs')} GROUP BY campaign`,
    );
    expect(repairs.reduce((sum, { shares }) => sum + shares, 0)).toBe(fileCount * (target - 6));
    child.kill('SIGTERM');
  });
});
