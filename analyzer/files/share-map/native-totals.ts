/** What a native sweep counted, by available shares of each policy, as totals by grade and margin. */
import { type Grade, gradeOf, grades, marginOf } from '#mesh/grade.ts';
import { availabilityEntries, type SweepColumns } from '#native/share-map.ts';
import type { FileClasses } from './file-classes.ts';
import type { SweepTotals } from './share-map.ts';

export function totalsOf(columns: SweepColumns, classes: FileClasses): SweepTotals {
  const byGrade = new Map(grades.map((grade) => [grade, { files: 0, bytes: 0 }]));
  const byPolicy = new Map<string, Map<Grade, { files: number; bytes: number }>>();
  const byMargin = new Map<string, Map<number, { files: number; bytes: number }>>();
  let files = 0;
  let bytes = 0;
  columns.policies.forEach((number, row) => {
    const { policy, k } = classes.policy(number);
    for (let available = 0; available < availabilityEntries; available++) {
      const count = {
        files: columns.files[row * availabilityEntries + available] as number,
        bytes: columns.bytes[row * availabilityEntries + available] as number,
      };
      if (count.files === 0) continue;
      files += count.files;
      bytes += count.bytes;
      addTo(byGrade, gradeOf(available, policy), count);
      addTo(innerOf(byPolicy, policy.name), gradeOf(available, policy), count);
      addTo(innerOf(byMargin, policy.name), marginOf(available, k), count);
    }
  });
  const { filesWithoutManifest, settlingFiles } = columns;
  return { files, bytes, filesWithoutManifest, settlingFiles, byGrade, byPolicy, byMargin };
}

function addTo<K>(
  counts: Map<K, { files: number; bytes: number }>,
  key: K,
  { files, bytes }: { files: number; bytes: number },
): void {
  const known = counts.get(key);
  counts.set(key, { files: files + (known?.files ?? 0), bytes: bytes + (known?.bytes ?? 0) });
}

function innerOf<K, V>(outer: Map<string, Map<K, V>>, name: string): Map<K, V> {
  const known = outer.get(name) ?? new Map<K, V>();
  outer.set(name, known);
  return known;
}
