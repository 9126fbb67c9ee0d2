/** The order of repairs: by class, then risk, then age. A total order, so that every run takes files alike. */
import type { Grade } from '#mesh/grade.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';

/**
 * Classes of repairs, most urgent first. `lost` holds the files that would stay lost even if every retained peer came
 * back: there is little to hope for, and they must not hold up the others. A lost file whose retained shares suffice is
 * `critical`: one peer that answers again saves it.
 */
export const repairClasses = ['critical', 'at-risk', 'degraded', 'lost'] as const;

export type RepairClass = (typeof repairClasses)[number];

export interface Urgency {
  readonly storageIndex: StorageIndex;
  readonly repairClass: RepairClass;
  /** Larger is more urgent. */
  readonly risk: number;
  /** Since when the file needs repair: among equals the oldest goes first. */
  readonly sinceMs: number;
}

export function classOf(file: { grade: Grade; retained: number; k: number }): RepairClass {
  switch (file.grade) {
    case 'lost':
      return file.retained >= file.k ? 'critical' : 'lost';
    case 'critical':
      return 'critical';
    case 'at-risk':
      return 'at-risk';
    case 'degraded':
    case 'healthy':
      return 'degraded';
  }
}

/** Negative where `a` is repaired before `b`. */
export function compareUrgency(a: Urgency, b: Urgency): number {
  return compareClasses(a.repairClass, b.repairClass) || compareInClass(a, b);
}

export function compareClasses(a: RepairClass, b: RepairClass): number {
  return repairClasses.indexOf(a) - repairClasses.indexOf(b);
}

function compareInClass(a: Urgency, b: Urgency): number {
  if (a.risk !== b.risk) return a.risk > b.risk ? -1 : 1;
  if (a.sinceMs !== b.sinceMs) return a.sinceMs - b.sinceMs;
  if (a.storageIndex === b.storageIndex) return 0;
  return a.storageIndex < b.storageIndex ? -1 : 1;
}
