import type { Policy } from './policy.ts';

/** Worst first: the order is total, and a file's grade never rises when its margin falls. */
export const grades = ['lost', 'critical', 'at-risk', 'degraded', 'healthy'] as const;

export type Grade = (typeof grades)[number];

/** Available shares minus k. Negative: the file cannot be recovered now. */
export function marginOf(available: number, k: number): number {
  return available - k;
}

/**
 * The grade of a file with `available` distinct shares on peers that are up.
 * lost: below k. critical: below `criticalBelow`. at-risk: below `repairBelow`. degraded: below `repairUpTo`.
 */
export function gradeOf(available: number, policy: Policy): Grade {
  if (available < policy.k) return 'lost';
  if (available < policy.criticalBelow) return 'critical';
  if (available < policy.repairBelow) return 'at-risk';
  if (available < policy.repairUpTo) return 'degraded';
  return 'healthy';
}

/** Negative where `a` is worse than `b`. */
export function compareGrades(a: Grade, b: Grade): number {
  return grades.indexOf(a) - grades.indexOf(b);
}
