/** Every statement that a dashboard sends, with what it needs to be expanded. */
import type { PlainDashboard, PlainPanel, PlainVariable } from '../build/plain.ts';
import type { VariableValue } from './expand.ts';
import { intervalOf } from './interval.ts';

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Points where a panel does not say how many: as many as it is wide on a usual screen. */
const defaultPoints = 1000;

export function panelsOf({ panels }: PlainDashboard): readonly PlainPanel[] {
  return panels.filter((panel): panel is PlainPanel => panel.type !== 'row');
}

export function intervalOfPanel(panel: PlainPanel, { fromMs, toMs }: Span): number {
  return intervalOf(toMs - fromMs, panel.maxDataPoints ?? defaultPoints, panel.interval ?? undefined);
}

/** The statement that a variable's choices come from; undefined where it has none. */
export function variableSql({ type, query }: PlainVariable): string | undefined {
  if (type !== 'query' || typeof query !== 'object') return undefined;
  return String(query['rawSql']);
}

/** A choice as Grafana reads it out of a row: where a pattern parts text and value, those. */
export function choiceOf(
  variable: PlainVariable,
  row: string,
): { readonly text: string; readonly value: string } | null {
  const pattern = /^\/(.*)\/$/.exec(variable.regex ?? '')?.[1];
  if (pattern === undefined) return { text: row, value: row };
  const groups = new RegExp(pattern).exec(row)?.groups;
  return groups === undefined ? null : { text: groups['text'] ?? '', value: groups['value'] ?? '' };
}

/** What stands chosen when a dashboard is opened: all of them, or the first. */
export function firstChoice(variable: PlainVariable, choices: readonly string[]): VariableValue {
  if (variable.multi === true) return choices;
  return choices[0] ?? '';
}
