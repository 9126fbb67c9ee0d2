/**
 * From a statement of a dashboard to what ClickHouse is sent: template variables as Grafana's browser code puts them in, then macros
 * as the backend of its ClickHouse plugin (4.20) expands them. The tests run every query of the dashboards through this.
 */

export interface QueryRange {
  readonly fromMs: number;
  readonly toMs: number;
  /** Width of a point on the panel. */
  readonly intervalMs: number;
}

/** A variable's value; several where it takes several. */
export type VariableValue = string | readonly string[];

const variablePattern = /\$\{(\w+)(?::(\w+))?\}|\$(\w+)/g;

/** @throws RangeError for a variable that is not given, and for a format that the dashboards do not use. */
export function expandVariables(sql: string, values: ReadonlyMap<string, VariableValue>): string {
  return sql.replace(variablePattern, (written, braced?: string, format?: string, plain?: string) => {
    const name = braced ?? plain ?? '';
    // Macros look like variables, and are not Grafana's to replace.
    if (name.startsWith('__')) return written;
    const value = values.get(name);
    if (value === undefined) throw new RangeError(`no value for the variable ${name}`);
    return formatValue(value, format);
  });
}

function formatValue(value: VariableValue, format: string | undefined): string {
  switch (format) {
    // The plugin's own format: quoted where there are several, and not escaped.
    case undefined:
      return typeof value === 'string' ? value : `'${value.join("','")}'`;
    case 'raw':
      return typeof value === 'string' ? value : value.join(',');
    case 'sqlstring':
      return (typeof value === 'string' ? [value] : value).map((one) => `'${one.replaceAll("'", "''")}'`).join(',');
    default:
      throw new RangeError(`variables are not formatted as ${format}`);
  }
}

type Macro = (range: QueryRange, argumentList: readonly string[]) => string;

const macros: Readonly<Record<string, Macro>> = {
  fromTime: ({ fromMs }) => dateTime(fromMs),
  toTime: ({ toMs }) => dateTime(toMs),
  fromTime_ms: ({ fromMs }) => dateTime64(fromMs),
  toTime_ms: ({ toMs }) => dateTime64(toMs),
  timeFilter: ({ fromMs, toMs }, [column = '']) => between(column, dateTime(fromMs), dateTime(toMs)),
  timeFilter_ms: ({ fromMs, toMs }, [column = '']) => between(column, dateTime64(fromMs), dateTime64(toMs)),
  dateFilter: ({ fromMs, toMs }, [column = '']) => between(column, date(fromMs), date(toMs)),
  dateTimeFilter: dateTimeFilter,
  dt: dateTimeFilter,
  timeInterval: (range, [column = '']) =>
    `toStartOfInterval(toDateTime(${column}), INTERVAL ${intervalSeconds(range)} second)`,
  timeInterval_ms: ({ intervalMs }, [column = '']) =>
    `toStartOfInterval(toDateTime64(${column}, 3), INTERVAL ${Math.max(1, Math.floor(intervalMs))} millisecond)`,
  interval_s: (range) => String(intervalSeconds(range)),
};

/** How many arguments a macro wants, where it wants any. */
const argumentCounts: Readonly<Record<string, number>> = {
  timeFilter: 1,
  timeFilter_ms: 1,
  dateFilter: 1,
  dateTimeFilter: 2,
  dt: 2,
  timeInterval: 1,
  timeInterval_ms: 1,
};

const macroPattern = /\$__(\w+)/g;

/** @throws RangeError for an unknown macro and for a wrong number of arguments. */
export function expandMacros(sql: string, range: QueryRange): string {
  let expanded = '';
  let end = 0;
  for (const match of sql.matchAll(macroPattern)) {
    if (match.index < end) continue;
    const name = match[1] as string;
    const macro = macros[name];
    if (macro === undefined) throw new RangeError(`the plugin has no macro $__${name}`);
    const after = match.index + match[0].length;
    const called = argumentsAt(sql, after);
    const wanted = argumentCounts[name] ?? 0;
    // Brackets after a macro without arguments belong to what follows, unless they are empty.
    const taken = wanted > 0 || called?.list.length === 0 ? called : null;
    if ((taken?.list.length ?? 0) !== wanted) throw new RangeError(`$__${name} wants ${wanted} arguments`);
    expanded += sql.slice(end, match.index) + macro(range, taken?.list ?? []);
    end = taken?.end ?? after;
  }
  return expanded + sql.slice(end);
}

interface Arguments {
  readonly list: readonly string[];
  /** Behind the closing bracket. */
  readonly end: number;
}

function argumentsAt(sql: string, start: number): Arguments | null {
  if (sql[start] !== '(') return null;
  const list: string[] = [];
  let depth = 0;
  let begin = start + 1;
  for (let at = start; at < sql.length; at++) {
    const character = sql[at];
    if (character === '(') depth++;
    if (character === ')') depth--;
    if ((character === ',' && depth === 1) || depth === 0) {
      list.push(sql.slice(begin, at).trim());
      begin = at + 1;
    }
    if (depth === 0) return { list: list.length === 1 && list[0] === '' ? [] : list, end: at + 1 };
  }
  throw new RangeError('a macro has an opening bracket and no closing one');
}

function dateTimeFilter({ fromMs, toMs }: QueryRange, [dateColumn = '', timeColumn = '']: readonly string[]): string {
  const dates = between(dateColumn, date(fromMs), date(toMs));
  return `(${dates}) AND (${between(timeColumn, dateTime(fromMs), dateTime(toMs))})`;
}

function between(column: string, least: string, most: string): string {
  return `${column} >= ${least} AND ${column} <= ${most}`;
}

function dateTime(ms: number): string {
  return `toDateTime(${Math.floor(ms / 1000)})`;
}

function dateTime64(ms: number): string {
  return `fromUnixTimestamp64Milli(${Math.floor(ms)})`;
}

function date(ms: number): string {
  return `toDate('${new Date(ms).toISOString().slice(0, 10)}')`;
}

function intervalSeconds({ intervalMs }: QueryRange): number {
  return Math.floor(Math.max(1, intervalMs / 1000));
}
