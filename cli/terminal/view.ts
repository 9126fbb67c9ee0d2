/** What a command shows: one value, as text for people, as JSON or as comma-separated values for programs. */
import { stringify } from 'csv-stringify/sync';
import { formatBytes, formatDuration } from './amounts.ts';
import type { Paint } from './colour.ts';
import { drawTable } from './table.ts';

export interface View {
  /** As `--json` prints it. */
  readonly value: unknown;
  /** @param width of the terminal, null where there is none. */
  readonly text: (paint: Paint, width: number | null) => string;
  /** As `--csv` prints it: names of columns, then rows. Absent where there is no list. */
  readonly csv?: () => readonly (readonly CsvValue[])[];
}

export type CsvValue = string | number | boolean | null;

export interface Column<Row> {
  readonly title: string;
  /** In comma-separated values; with its unit. @default the title with _ for blanks */
  readonly name?: string;
  /** As programs want it: whole, and without a unit. */
  readonly value: (row: Row) => CsvValue;
  /** As people want it. @default the value */
  readonly text?: (row: Row) => string;
  readonly fit?: 'id' | 'text';
  readonly rank?: number | undefined;
  /** Stands to the right. @default where it is shown as it is, and is a number */
  readonly isNumber?: boolean;
  readonly mood?: (row: Row) => Parameters<Paint>[0];
}

export interface Listing<Row> {
  readonly rows: readonly Row[];
  readonly columns: readonly Column<Row>[];
  /** Where there are no rows. */
  readonly none: string;
  /** Lines below the table. */
  readonly below?: readonly string[];
  readonly value: unknown;
}

export function listingView<Row>({ rows, columns, none, below = [], value }: Listing<Row>): View {
  return {
    value,
    text(paint, width) {
      if (rows.length === 0) return none;
      const { text, leftOut } = drawTable(
        columns.map(({ title, value: valueOf, text: textOf, fit, rank, isNumber, mood }) => ({
          title,
          cells: rows.map((row) => textOf?.(row) ?? shown(valueOf(row))),
          isNumber: isNumber ?? (textOf === undefined && rows.every((row) => typeof valueOf(row) === 'number')),
          fit,
          rank,
          paint: mood === undefined ? undefined : (paint, cell, row) => paint(mood(rows[row] as Row), cell),
        })),
        width,
        paint,
      );
      const narrow =
        leftOut.length === 0 ? [] : [paint('faint', `(no room for: ${leftOut.join(', ')}; --csv has everything)`)];
      return [text, ...(below.length + narrow.length === 0 ? [] : ['', ...below, ...narrow])].join('\n');
    },
    csv: () => [
      columns.map(({ title, name }) => name ?? title.replaceAll(' ', '_')),
      ...rows.map((row) => columns.map(({ value: valueOf }) => valueOf(row))),
    ],
  };
}

/** A moment: to the second, in UTC, for people; as ISO 8601 for programs. */
export function timeColumn<Row>(
  title: string,
  atMs: (row: Row) => number,
  rest: Partial<Column<Row>> = {},
): Column<Row> {
  const iso = (row: Row): string => new Date(atMs(row)).toISOString();
  return { title, value: iso, text: (row) => `${iso(row).slice(0, 19).replace('T', ' ')}Z`, ...rest };
}

export function bytesColumn<Row>(
  title: string,
  name: string,
  bytes: (row: Row) => number | null,
  rank?: number,
): Column<Row> {
  return { title, name, value: bytes, text: (row) => unlessNull(bytes(row), formatBytes, '?'), isNumber: true, rank };
}

export function durationColumn<Row>(
  title: string,
  name: string,
  ms: (row: Row) => number | null,
  rank?: number,
): Column<Row> {
  return { title, name, value: ms, text: (row) => unlessNull(ms(row), formatDuration, '-'), isNumber: true, rank };
}

function unlessNull(value: number | null, text: (value: number) => string, otherwise: string): string {
  return value === null ? otherwise : text(value);
}

/** One value that is told in words. */
export function textView(value: unknown, text: (paint: Paint) => string): View {
  return { value, text };
}

function shown(value: CsvValue): string {
  return value === null ? '-' : String(value);
}

/** Rows as RFC 4180 has them, but for the ends of lines. */
export function csvText(rows: readonly (readonly CsvValue[])[]): string {
  return stringify(
    rows.map((row) => [...row]),
    { cast: { boolean: (value) => (value ? 'yes' : 'no') } },
  );
}
