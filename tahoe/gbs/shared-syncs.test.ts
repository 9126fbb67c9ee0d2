import { expect, it } from 'vitest';
import { sharedSyncs } from './shared-syncs.ts';

it('who wants a sync while one runs shares the next one, on each device by itself', async () => {
  const begun: { path: string; end: (outcome: number) => void }[] = [];
  const sync = sharedSyncs<number>(
    (path) => new Promise((end) => begun.push({ path, end })),
    (path) => Promise.resolve(path.startsWith('/a') ? 1 : 2),
  );
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const first = sync('/a/1');
  await settled();
  const later = [sync('/a/2'), sync('/a/3')];
  const other = sync('/b/1');
  await settled();
  expect(begun.map(({ path }) => path)).toEqual(['/a/1', '/b/1']);
  begun[0]?.end(-5);
  expect(await first).toBe(-5);
  await settled();
  expect(begun.map(({ path }) => path)).toEqual(['/a/1', '/b/1', '/a/2']);
  begun[1]?.end(0);
  begun[2]?.end(0);
  expect(await Promise.all([...later, other])).toEqual([0, 0, 0]);
  const last = sync('/a/4');
  await settled();
  begun[3]?.end(0);
  expect([await last, begun.length]).toEqual([0, 4]);
});
