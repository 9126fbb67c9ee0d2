/** How many files kept the objective over time, out of the history of grades. */
import type { Grade } from '#mesh/grade.ts';
import type { Store } from '#store/client.ts';
import { gradeHistoryIn } from '#store/queries/history.ts';
import { type ObjectiveCount, objectiveCount } from '../alerts/objective.ts';

export interface ObjectiveHistoryQuery {
  readonly sinceMs: number;
  readonly nowMs: number;
  readonly maxSteps: number;
}

/** Oldest first, one entry a step. */
export async function loadObjectiveHistory(
  store: Store,
  { sinceMs, nowMs, maxSteps }: ObjectiveHistoryQuery,
): Promise<readonly ObjectiveCount[]> {
  const { points } = await gradeHistoryIn(store, { fromMs: sinceMs, toMs: nowMs, nowMs, maxPoints: maxSteps });
  const moments = new Map<number, { files: number; byGrade: Map<Grade, { files: number; bytes: number }> }>();
  for (const { at, key, files, bytes } of points) {
    const moment = moments.get(at) ?? { files: 0, byGrade: new Map() };
    moments.set(at, moment);
    const known = moment.byGrade.get(key) ?? { files: 0, bytes: 0 };
    moment.files += files;
    moment.byGrade.set(key, { files: known.files + files, bytes: known.bytes + bytes });
  }
  return [...moments].map(([atMs, moment]) => objectiveCount(moment, atMs));
}
