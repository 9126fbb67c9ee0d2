/** What commands print: text for people, one JSON document for programs with `--json`, rows for spreadsheets with `--csv`. */
import { toApiError } from '#mesh/api-error.ts';
import { systemClock } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { type ColourWish, createPaint, type Paint, wantsColour } from './terminal/colour.ts';
import { type Progress, showBar, showLines } from './terminal/progress.ts';
import { csvText, type View } from './terminal/view.ts';

export { formatBytes, formatDuration } from './terminal/amounts.ts';
export { type Progress } from './terminal/progress.ts';
export { table } from './terminal/table.ts';

export interface Output {
  readonly json: boolean;
  readonly paint: Paint;
  /** The result of the command, printed once: as JSON with `--json`, else by `text`. */
  result(value: unknown, text: () => string): void;
  /** The same for what has a form of its own for each reader. */
  view(view: View): void;
  /** A line on the way to the result: to standard error, so that results can be piped. */
  readonly note: (line: string) => void;
  /** Long work: a bar where there is a terminal, a line now and then where there is none. */
  progress(label: string, total: number, unit?: 'bytes' | 'pieces'): Progress;
}

export interface OutputOptions {
  readonly json: boolean;
  readonly csv?: boolean;
  readonly color?: ColourWish;
}

export interface Streams {
  readonly out: NodeJS.WriteStream;
  readonly err: NodeJS.WriteStream;
}

export function createOutput(
  { json, csv = false, color = 'auto' }: OutputOptions,
  { out, err }: Streams = { out: process.stdout, err: process.stderr },
): Output {
  const paint = createPaint(!json && wantsColour(color, process.env, out.isTTY));
  return {
    json,
    paint,
    result(value, text) {
      out.write(json ? `${jsonText(value, 2)}\n` : `${text().trimEnd()}\n`);
    },
    view(view) {
      out.write(viewText(view, { json, csv }, paint, widthOf(out)));
    },
    note(line) {
      err.write(`${line}\n`);
    },
    progress(label, total, unit = 'pieces') {
      const show = err.isTTY && !json ? showBar : showLines;
      return show(err, { label, total, unit }, systemClock);
    },
  };
}

/** Of a terminal; what is piped is as wide as it takes. */
export function widthOf(out: NodeJS.WriteStream): number | null {
  return out.isTTY ? Math.max(20, out.columns || 80) : null;
}

function viewText(
  { value, text, csv }: View,
  as: { readonly json: boolean; readonly csv: boolean },
  paint: Paint,
  width: number | null,
): string {
  if (as.json) return `${jsonText(value, 2)}\n`;
  if (as.csv && csv !== undefined) return csvText(csv());
  return `${text(paint, width).trimEnd()}\n`;
}

export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, plain, indent);
}

/** Maps and big integers as JSON has them. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Set) return [...value];
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return value;
}

export function printError(error: unknown, json: boolean, err: NodeJS.WriteStream = process.stderr): void {
  if (json) {
    err.write(`${JSON.stringify(toApiError(error))}\n`);
    return;
  }
  err.write(`meshward: ${describeError(error)}\n`);
  if (error instanceof MeshwardError) err.write(`  what to do: ${error.next}\n  code: ${error.code}\n`);
  else if (error instanceof Error && error.stack !== undefined) err.write(`${error.stack}\n`);
}
