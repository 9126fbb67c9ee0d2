/** The last sweep that is kept of whoever wrote it, as grades and margins counted it. */
import type { Store } from '../client.ts';
import { timestamp } from '../row-binary/columns.ts';
import { type GradeHistoryRow, gradeHistory, type MarginHistoryRow, marginHistory } from '../tables.ts';

export interface NewestSweep {
  readonly at: number;
  readonly grades: readonly GradeHistoryRow[];
  readonly margins: readonly MarginHistoryRow[];
}

/** Null where none is kept: raw rows of histories are kept for some days. */
export async function newestSweep(store: Store, analyzer: string): Promise<NewestSweep | null> {
  const history = store.qualified('grade_history');
  const [newest] = await store.select(
    { at: timestamp },
    `SELECT max(at) FROM ${history} WHERE analyzer = {analyzer:String}`,
    { parameters: { analyzer } },
  );
  const at = newest?.at ?? 0;
  if (at === 0) return null;
  const moment = "fromUnixTimestamp64Milli({at:Int64}, 'UTC')";
  const ofSweep = `WHERE analyzer = {analyzer:String} AND at = ${moment} AND toStartOfHour(at) = toStartOfHour(${moment})`;
  const parameters = { analyzer, at };
  const [grades, margins] = await Promise.all([
    store.select(gradeHistory.columns, `SELECT ${gradeHistory.columnNames.join(', ')} FROM ${history} ${ofSweep}`, {
      parameters,
    }),
    store.select(
      marginHistory.columns,
      `SELECT ${marginHistory.columnNames.join(', ')} FROM ${store.qualified('margin_history')} ${ofSweep}`,
      { parameters },
    ),
  ]);
  return { at, grades, margins };
}
