/** What commands print: text for people, one JSON document for programs with `--json`. */
import { Presets, SingleBar } from 'cli-progress';
import { toApiError } from '#mesh/api-error.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';

export interface Output {
  readonly json: boolean;
  /** The result of the command, printed once: as JSON with `--json`, else by `text`. */
  result(value: unknown, text: () => string): void;
  /** A line on the way to the result: to standard error, so that results can be piped. */
  readonly note: (line: string) => void;
  /** Long work: a bar where there is a terminal, a line now and then where there is none. */
  progress(label: string, total: number): Progress;
}

export interface Progress {
  readonly update: (done: number) => void;
  readonly finish: () => void;
}

export function createOutput(
  json: boolean,
  streams: { out: NodeJS.WriteStream; err: NodeJS.WriteStream } = { out: process.stdout, err: process.stderr },
): Output {
  const { out, err } = streams;
  return {
    json,
    result(value, text) {
      out.write(json ? `${JSON.stringify(value, plain, 2)}\n` : `${text().trimEnd()}\n`);
    },
    note(line) {
      err.write(`${line}\n`);
    },
    progress(label, total) {
      return err.isTTY && !json ? bar(err, label, total) : lines(err, label, total);
    },
  };
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

function bar(err: NodeJS.WriteStream, label: string, total: number): Progress {
  const shown = new SingleBar(
    { stream: err, format: `${label} {bar} {value}/{total}`, hideCursor: true, gracefulExit: false },
    Presets.shades_classic,
  );
  shown.start(total, 0);
  return {
    update: (done) => shown.update(done),
    finish() {
      shown.update(total);
      shown.stop();
    },
  };
}

/** A line at each tenth: logs stay short. */
function lines(err: NodeJS.WriteStream, label: string, total: number): Progress {
  let tenth = 0;
  return {
    update(done) {
      const now = total === 0 ? 10 : Math.floor((done / total) * 10);
      if (now <= tenth || now >= 10) return;
      tenth = now;
      err.write(`${label}: ${done} of ${total}\n`);
    },
    finish() {
      err.write(`${label}: ${total} of ${total}\n`);
    },
  };
}

/** Columns aligned, two spaces apart. Numbers stand to the right. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [header, ...rows.map((row) => row.map(String))];
  const widths = header.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  const isNumber = header.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'));
  return cells
    .map((row) =>
      row
        .map((cell, column) =>
          isNumber[column] === true ? cell.padStart(widths[column] as number) : cell.padEnd(widths[column] as number),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${units[unit]}`;
}

export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
