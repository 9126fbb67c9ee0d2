/** What Grafana with its ClickHouse plugin would do with a dashboard: fill its variables, expand its statements, ask as a reader. */
import type { PlainDashboard, PlainPanel, Target } from '#dashboards/grafana/build/plain.ts';
import {
  expandMacros,
  expandVariables,
  type QueryRange,
  type VariableValue,
} from '#dashboards/grafana/query/expand.ts';
import { choiceOf, firstChoice, intervalOfPanel, type Span, variableSql } from '#dashboards/grafana/query/questions.ts';

export interface Reader {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** Tables without one are of this database. */
  readonly database?: string;
}

export interface Answer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly unknown[])[];
  readonly readRows: number;
  readonly sql: string;
}

export type Values = ReadonlyMap<string, VariableValue>;

export async function ask(reader: Reader, sql: string): Promise<Answer> {
  const response = await fetch(`${reader.url}/?wait_end_of_query=1&output_format_json_quote_64bit_integers=0`, {
    method: 'POST',
    body: `${sql}\nFORMAT JSONCompact`,
    headers: {
      authorization: `Basic ${Buffer.from(`${reader.username}:${reader.password}`).toString('base64')}`,
      ...(reader.database === undefined ? {} : { 'x-clickhouse-database': reader.database }),
    },
  });
  const body = await response.text();
  if (!response.ok) throw new Error(`${body}\n${sql}`);
  const { meta, data } = JSON.parse(body) as { meta: Answer['columns']; data: Answer['rows'] };
  const summary = JSON.parse(response.headers.get('x-clickhouse-summary') ?? '{}') as Record<string, string>;
  return { columns: meta, rows: data, readRows: Number(summary['read_rows']), sql };
}

export function expand(sql: string, values: Values, range: QueryRange): string {
  return expandMacros(expandVariables(sql, values), range);
}

/** Values of every variable in the order in which they depend on each other, with `chosen` in place of first choices. */
export async function fillVariables(
  reader: Reader,
  dashboard: PlainDashboard,
  span: Span,
  chosen: Values,
): Promise<Values> {
  const values = new Map<string, VariableValue>();
  for (const variable of dashboard.templating.list) {
    const sql = variableSql(variable);
    if (sql === undefined) values.set(variable.name, typeof variable.query === 'string' ? variable.query : '');
    else {
      const { columns, rows } = await ask(reader, expand(sql, values, { ...span, intervalMs: 60_000 }));
      if (columns.length !== 1) throw new Error(`${variable.name}: the plugin hands on one column`);
      const choices = rows.map(([row]) => choiceOf(variable, String(row))?.value ?? '');
      if (!chosen.has(variable.name)) values.set(variable.name, firstChoice(variable, choices));
    }
    const value = chosen.get(variable.name);
    if (value !== undefined) values.set(variable.name, value);
  }
  return values;
}

export function askPanel(
  reader: Reader,
  panel: PlainPanel,
  target: Target,
  values: Values,
  span: Span,
): Promise<Answer> {
  return ask(reader, expand(target.rawSql, values, { ...span, intervalMs: intervalOfPanel(panel, span) }));
}
