/** What the tests of share maps have in common: files, codings, and answers in a form that can be compared. */
import type { Coding } from '#mesh/coding.ts';
import { defaultPolicy, type Policy } from '#mesh/policy.ts';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import type { FileRow, PlacementRow } from '../kept-rows.ts';
import type { FileHealth, ShareMapChanges, SweepTotals } from '../share-map.ts';

export const files = Array.from({ length: 24 }, (_, i) => new Uint8Array(16).fill(i * 7 + 1));
export const fileNames = files.map((bytes) => storageIndexFromBytes(bytes));

export const codings: readonly Coding[] = [
  { k: 1, n: 1 },
  { k: 3, n: 10 },
  { k: 2, n: 6 },
  { k: 25, n: 100 },
  { k: 1, n: 256 },
];

const policies = new Map<string, Policy>();

export function policyFor(coding: Coding, tag: string): Policy {
  const key = `${coding.k} ${coding.n} ${tag}`;
  let policy = policies.get(key);
  if (policy === undefined) {
    policy = { ...defaultPolicy(coding), ...(tag === 'gold' ? { name: 'gold', repairUpTo: coding.n } : {}) };
    policies.set(key, policy);
  }
  return policy;
}

const byFile = <T extends { readonly storageIndex: StorageIndex }>(rows: readonly T[]): readonly T[] =>
  [...rows].sort((a, b) => (a.storageIndex < b.storageIndex ? -1 : 1));

export const healthRows = (rows: readonly FileHealth[]): readonly unknown[] =>
  byFile(rows).map((health) => ({
    ...health,
    manifest: { ...health.manifest, uebHash: Buffer.from(health.manifest.uebHash).toString('hex') },
  }));

const placementRow = (row: PlacementRow): string =>
  `${row.storageIndex} ${row.shareNumber} ${row.peer} ${row.state} ${row.generation}`;

const fileRow = ({ manifest, ...rest }: FileRow): string =>
  JSON.stringify({ ...rest, ...manifest, uebHash: [...manifest.uebHash].join() }, [
    'storageIndex',
    'uebHash',
    'k',
    'n',
    'sizeBytes',
    'origin',
    'tag',
    'deleted',
    'registeredAtMs',
  ]);

export const changeRows = (changes: ShareMapChanges): unknown => ({
  placements: changes.placements.map(placementRow).sort(),
  files: changes.files.map(fileRow).sort(),
  applied: [...changes.applied].sort((a, b) => (a.peer < b.peer ? -1 : 1)),
});

const byName = <K extends string | number, V>(counts: ReadonlyMap<K, V>): readonly (readonly [K, V])[] =>
  [...counts].sort(([a], [b]) => (a < b ? -1 : 1));

export const totalRows = (totals: SweepTotals): unknown => ({
  ...totals,
  byGrade: [...totals.byGrade],
  byPolicy: byName(totals.byPolicy).map(([name, counts]) => [name, byName(counts)]),
  byMargin: byName(totals.byMargin).map(([name, counts]) => [name, byName(counts)]),
});
