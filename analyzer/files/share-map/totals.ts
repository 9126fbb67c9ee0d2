import { type Grade, grades } from '#mesh/grade.ts';
import type { FileHealth, SweepTotals } from './share-map.ts';

export interface Count {
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
    byCountedGrade: new Map(),
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
    byCountedGrade:
      a.byCountedGrade === undefined || b.byCountedGrade === undefined
        ? undefined
        : mergeCounts(a.byCountedGrade, b.byCountedGrade),
    byPolicy: mergePolicies(a.byPolicy, b.byPolicy),
    byMargin: mergePolicies(a.byMargin, b.byMargin),
  };
}

export function mergeCounts<K>(
  a: ReadonlyMap<K, Count> = new Map(),
  b: ReadonlyMap<K, Count> = new Map(),
): Map<K, Count> {
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

/** Totals of files that are looked at one by one. */
export class TotalsCount {
  readonly #byGrade = new Map(emptyTotals().byGrade);
  readonly #byPolicy = new Map<string, Map<Grade, Count>>();
  readonly #byMargin = new Map<string, Map<number, Count>>();
  #files = 0;
  #bytes = 0;
  #withoutManifest = 0;
  #settling = 0;

  /** @param health null for a file without a manifest. */
  add(health: FileHealth | null): void {
    if (health === null) this.#withoutManifest++;
    else if (health.settling) this.#settling++;
    else {
      const { grade, margin, policy, manifest } = health;
      this.#files++;
      this.#bytes += manifest.sizeBytes;
      addTo(this.#byGrade, grade, manifest.sizeBytes);
      addTo(innerOf(this.#byPolicy, policy.name), grade, manifest.sizeBytes);
      addTo(innerOf(this.#byMargin, policy.name), margin, manifest.sizeBytes);
    }
  }

  totals(): SweepTotals {
    return {
      files: this.#files,
      bytes: this.#bytes,
      filesWithoutManifest: this.#withoutManifest,
      settlingFiles: this.#settling,
      byGrade: this.#byGrade,
      byPolicy: this.#byPolicy,
      byMargin: this.#byMargin,
    };
  }
}

function addTo<K>(counts: Map<K, Count>, key: K, sizeBytes: number): void {
  const { files, bytes } = counts.get(key) ?? { files: 0, bytes: 0 };
  counts.set(key, { files: files + 1, bytes: bytes + sizeBytes });
}

export function innerOf<K>(outer: Map<string, Map<K, Count>>, name: string): Map<K, Count> {
  const known = outer.get(name) ?? new Map<K, Count>();
  outer.set(name, known);
  return known;
}
