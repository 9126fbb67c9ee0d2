import { type Grade, grades } from '#mesh/grade.ts';
import type { SweepTotals } from './share-map.ts';

interface Count {
  readonly files: number;
  readonly bytes: number;
}

export function emptyTotals(): SweepTotals {
  return {
    files: 0,
    bytes: 0,
    filesWithoutManifest: 0,
    settlingFiles: 0,
    byGrade: new Map<Grade, Count>(grades.map((grade) => [grade, { files: 0, bytes: 0 }])),
    byPolicy: new Map(),
    byMargin: new Map(),
  };
}

/** Totals of two disjoint sets of files. */
export function mergeTotals(a: SweepTotals, b: SweepTotals): SweepTotals {
  return {
    files: a.files + b.files,
    bytes: a.bytes + b.bytes,
    filesWithoutManifest: a.filesWithoutManifest + b.filesWithoutManifest,
    settlingFiles: a.settlingFiles + b.settlingFiles,
    byGrade: mergeCounts(a.byGrade, b.byGrade),
    byPolicy: mergePolicies(a.byPolicy, b.byPolicy),
    byMargin: mergePolicies(a.byMargin, b.byMargin),
  };
}

function mergeCounts<K>(a: ReadonlyMap<K, Count> = new Map(), b: ReadonlyMap<K, Count> = new Map()): Map<K, Count> {
  const merged = new Map(a);
  for (const [key, { files, bytes }] of b) {
    const known = merged.get(key);
    merged.set(key, { files: files + (known?.files ?? 0), bytes: bytes + (known?.bytes ?? 0) });
  }
  return merged;
}

function mergePolicies<K>(
  a: ReadonlyMap<string, ReadonlyMap<K, Count>>,
  b: ReadonlyMap<string, ReadonlyMap<K, Count>>,
): Map<string, ReadonlyMap<K, Count>> {
  const policies = new Set([...a.keys(), ...b.keys()]);
  return new Map([...policies].map((policy) => [policy, mergeCounts(a.get(policy), b.get(policy))]));
}
