import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { inspectFile } from './inspect.ts';
import { listPrefixes, listShares, listStorageIndexes } from './listing.ts';
import { malformed, unavailable } from './testing/fake-collector.ts';
import { containerOf, indexOf, type PeerFolder } from './testing/peer-folder.ts';
import { type RunningAgent, runAgent } from './testing/running-agent.ts';
import { WatchBudget } from './watch.ts';

interface Operation {
  readonly what: string;
  readonly file: number;
  readonly number: number;
}

const operation = fc.record({
  what: fc.constantFrom(
    'put',
    'put',
    'put',
    'put-aside',
    'overwrite',
    'truncate',
    'mutable',
    'remove',
    'remove-file',
    'folder',
    'link',
    'move-away',
    'move-back',
    'wipe',
    'empty-folder',
    'outage',
    'refuse',
    'answer',
    'inventory',
    'restart',
    'breathe',
  ),
  file: fc.integer({ min: 0, max: 4 }),
  number: fc.integer({ min: 0, max: 3 }),
});

async function play({ what, file, number }: Operation, run: RunningAgent): Promise<void> {
  const { folder, collector } = run;
  const index = indexOf(file);
  const path = folder.sharePath(index, number);
  const away = `${folder.path}/away-${index}`;
  switch (what) {
    case 'put':
      await rm(path, { recursive: true, force: true });
      await folder.put(index, number);
      return;
    case 'put-aside':
      await rm(path, { recursive: true, force: true });
      await folder.write(index, `${number}.tmp`, await containerOf(number));
      await rename(folder.sharePath(index, `${number}.tmp`), path);
      return;
    case 'overwrite':
      return change(path, (content) => Buffer.concat([content, Buffer.alloc(72)]));
    case 'truncate':
      return change(path, (content) => content.subarray(0, Math.floor(content.length / 2)));
    case 'mutable':
      return change(path, () => Buffer.from('Tahoe mutable container v1\n and some content'));
    case 'remove':
      return rm(path, { recursive: true, force: true });
    case 'remove-file':
      return folder.remove(index);
    case 'folder':
      await rm(path, { recursive: true, force: true });
      await mkdir(path, { recursive: true });
      return;
    case 'link':
      await rm(path, { recursive: true, force: true });
      await mkdir(dirname(path), { recursive: true });
      await symlink('/dev/null', path);
      return;
    case 'move-away':
      await rm(away, { recursive: true, force: true });
      return rename(dirname(path), away).catch(() => undefined);
    case 'move-back':
      await mkdir(dirname(dirname(path)), { recursive: true });
      await folder.remove(index);
      return rename(away, dirname(path)).catch(() => undefined);
    case 'wipe':
      return folder.wipe();
    case 'empty-folder':
      await mkdir(dirname(path), { recursive: true });
      return;
    case 'outage':
      collector.refuse = () => unavailable();
      return;
    case 'refuse': {
      let left = 1;
      collector.refuse = (post) => (post.body.case === 'batch' && left-- > 0 ? malformed() : null);
      return;
    }
    case 'answer':
      collector.refuse = () => null;
      return;
    case 'inventory':
      run.agent.requestInventory();
      return;
    case 'restart':
      return run.restart();
    default:
      await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function change(path: string, edit: (content: Buffer) => Buffer): Promise<void> {
  try {
    await writeFile(path, edit(await readFile(path)));
  } catch {
    return; // there is no such file
  }
}

/** What stands in the folder, found without the agent's table, watches or scans. */
async function realContent(folder: PeerFolder): Promise<string[]> {
  const shares: string[] = [];
  const prefixes = await listPrefixes(folder.shares);
  for (const prefix of typeof prefixes === 'string' ? [] : prefixes.found) {
    const indexes = await listStorageIndexes(folder.shares, prefix);
    for (const index of typeof indexes === 'string' ? [] : indexes.found) {
      const listed = await listShares(folder.sharePath(index, '.'));
      for (const { shareNumber } of typeof listed === 'string' ? [] : listed.found) {
        const file = await inspectFile(folder.sharePath(index, shareNumber), index);
        if (file?.kind === 'immutable') shares.push(`${index}/${shareNumber}`);
      }
    }
  }
  return shares.sort();
}

/** A damaged share is kept as corrupt or not at all; either way it does not count. */
function counted(run: RunningAgent): string[] {
  return [...run.collector.view]
    .filter(([, state]) => state !== 'corrupt')
    .map(([share]) => share)
    .sort();
}

for (const [watches, sequences] of [
  [2000, 25],
  [8, 15],
  [0, 10],
] as const) {
  test(`after any sequence of file operations the collector sees what is in the folder (${watches} watches)`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 40 }), async (operations) => {
        const run = await runAgent({ agent: { system: { watchBudget: new WatchBudget(watches) } } });
        try {
          for (const step of operations) await play(step, run);
          run.collector.refuse = () => null;
          const real = await realContent(run.folder);
          const isSame = (): boolean => JSON.stringify(counted(run)) === JSON.stringify(real);
          // The view may pass through the right content on the way to a wrong one: it must stay so.
          do {
            await run.collector.until(isSame);
            await run.agent.settled();
          } while (!isSame());
          expect(run.collector.outOfOrder).toEqual([]);
          for (const share of real) expect(run.collector.manifests.has(share.slice(0, 26))).toBe(true);
        } finally {
          await run.end();
        }
      }),
      { numRuns: sequences, endOnFailure: true },
    );
  }, 120_000);
}
