/** Columns of text, and how they are made to fit a terminal. */
import stringWidth from 'string-width';
import { type Paint, plainPaint } from './colour.ts';

export interface Cell {
  readonly text: string;
  readonly paint: (paint: Paint, text: string) => string;
}

export interface TableColumn {
  readonly title: string;
  readonly cells: readonly string[];
  /** Numbers stand to the right. */
  readonly isNumber: boolean;
  /** How a terminal that is too narrow may have it: an id by its beginning, a text without its end. @default whole */
  readonly fit?: 'id' | 'text' | undefined;
  /** Left out where it is narrower still: the highest goes first. @default it stays */
  readonly rank?: number | undefined;
  readonly paint?: ((paint: Paint, cell: string, row: number) => string) | undefined;
}

const gap = '  ';
const leastTextWidth = 12;
/** As many characters of an id as tell it from others, and the sign that there are more. */
const shortIdWidth = 9;

export interface Drawn {
  readonly text: string;
  /** Titles of columns for which there was no room. */
  readonly leftOut: readonly string[];
}

/** @param width of the terminal; null is as wide as it takes. No line is ever wrapped. */
export function drawTable(columns: readonly TableColumn[], width: number | null, paint: Paint = plainPaint): Drawn {
  const { widths, shown } = fit(columns, width ?? Number.POSITIVE_INFINITY);
  const rows = Math.max(0, ...shown.map(({ cells }) => cells.length));
  const line = (cellOf: (column: TableColumn) => string, painted: (column: TableColumn, text: string) => string) =>
    shown
      .map((column, i) => {
        const room = widths[i] as number;
        const text = cut(cellOf(column), room);
        const space = ' '.repeat(room - stringWidth(text));
        const isLast = i === shown.length - 1;
        const word = painted(column, text);
        return column.isNumber ? `${space}${word}` : `${word}${isLast ? '' : space}`;
      })
      .join(gap)
      .trimEnd();
  const lines = [
    line(
      ({ title }) => title,
      (_column, text) => paint('faint', text),
    ),
  ];
  for (let row = 0; row < rows; row++) {
    lines.push(
      line(
        ({ cells }) => cells[row] ?? '',
        (column, text) => column.paint?.(paint, text, row) ?? text,
      ),
    );
  }
  return {
    text: lines.join('\n'),
    leftOut: columns.filter((column) => !shown.includes(column)).map(({ title }) => title),
  };
}

function fit(columns: readonly TableColumn[], width: number): { widths: number[]; shown: readonly TableColumn[] } {
  let shown = columns;
  for (;;) {
    const natural = shown.map(({ title, cells }) =>
      Math.max(stringWidth(title), ...cells.map((one) => stringWidth(one))),
    );
    const gaps = gap.length * (shown.length - 1);
    const widths = narrowed(shown, natural, width - gaps);
    if (sum(widths) + gaps <= width) return { widths, shown };
    const least = shown.reduce<TableColumn | undefined>(
      (found, column) => ((column.rank ?? 0) > (found?.rank ?? 0) ? column : found),
      undefined,
    );
    if (least === undefined) return { widths: squeezed(widths, Math.max(shown.length, width - gaps)), shown };
    shown = shown.filter((column) => column !== least);
  }
}

/** Ids first, then the widest texts, none below what can still be read. */
function narrowed(columns: readonly TableColumn[], natural: readonly number[], room: number): number[] {
  const widths = [...natural];
  if (sum(widths) <= room) return widths;
  columns.forEach(({ fit, title }, i) => {
    if (fit === 'id') widths[i] = Math.min(widths[i] as number, Math.max(shortIdWidth, stringWidth(title)));
  });
  const leastOf = (i: number): number => Math.max(leastTextWidth, stringWidth(columns[i]?.title ?? ''));
  while (sum(widths) > room) {
    const widest = widths.reduce<number>((found, width, i) => {
      if (columns[i]?.fit !== 'text' || width <= leastOf(i)) return found;
      return found === -1 || width > (widths[found] as number) ? i : found;
    }, -1);
    if (widest === -1) break;
    widths[widest] = (widths[widest] as number) - 1;
  }
  return widths;
}

/** Nothing may be left out any more, and it is still too wide. */
function squeezed(widths: readonly number[], room: number): number[] {
  const left = [...widths];
  while (sum(left) > room) {
    const widest = left.indexOf(Math.max(...left));
    left[widest] = (left[widest] as number) - 1;
  }
  return left;
}

/** In as many columns of a terminal. */
export function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  if (width <= 1) return '…'.slice(0, width);
  let kept = '';
  let used = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    used += stringWidth(segment);
    if (used > width - 1) break;
    kept += segment;
  }
  return `${kept.trimEnd()}…`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Columns aligned, as wide as it takes. Numbers stand to the right. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const columns = header.map((title, i): TableColumn => {
    const cells = rows.map((row) => row[i] ?? '');
    const isNumber = rows.length > 0 && cells.every((cell) => typeof cell === 'number');
    return { title, cells: cells.map(String), isNumber };
  });
  return drawTable(columns, null).text;
}
