/** The same look again and again: redrawn in place on a terminal, one block after the other where it is piped. */
import type { Clock } from '#mesh/clock.ts';
import { sleep } from '#mesh/clock.ts';
import { describeError, isRetryable } from '#mesh/errors.ts';
import type { Output } from '../output.ts';
import { jsonText, widthOf } from '../output.ts';
import { cut } from './table.ts';
import { csvText, type View } from './view.ts';

export interface Watch {
  readonly look: () => Promise<View>;
  readonly everyMs: number;
  /** Named above each look. */
  readonly title: string;
  readonly output: Pick<Output, 'json' | 'paint'>;
  readonly csv: boolean;
  readonly out: NodeJS.WriteStream;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const hideCursor = '\u001b[?25l';
const showCursor = '\u001b[?25h';
const clear = '\u001b[2J';
const home = '\u001b[H';
const clearToLineEnd = '\u001b[K';
const clearBelow = '\u001b[J';

/** Until the signal is aborted. A service that is away for a moment is waited for. */
export async function watch(watched: Watch): Promise<void> {
  const { out, clock, everyMs, signal, output, csv } = watched;
  const show = output.json || csv || !out.isTTY ? blockByBlock(watched) : inPlace(watched);
  if (out.isTTY && !output.json && !csv) out.write(`${hideCursor}${clear}`);
  const stopped = new Promise<null>((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }));
  try {
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs();
      const seen = await Promise.race([seenBy(watched.look), stopped]);
      if (seen === null) return;
      show(seen);
      await sleep(clock, Math.max(0, everyMs - (clock.monotonicMs() - startedMs)), signal).catch(() => undefined);
    }
  } finally {
    if (out.isTTY && !output.json && !csv) out.write(showCursor);
  }
}

type Seen = { readonly view: View } | { readonly error: unknown };

async function seenBy(look: () => Promise<View>): Promise<Seen> {
  try {
    return { view: await look() };
  } catch (error) {
    if (!isRetryable(error)) throw error;
    return { error };
  }
}

function inPlace({ out, output, title, everyMs, clock }: Watch): (seen: Seen) => void {
  let last = '';
  return (seen) => {
    const width = widthOf(out) ?? 80;
    const rows = out.rows || 24;
    const head = `${title}, every ${everyMs / 1000} s, ${timeOf(clock)}`;
    if ('view' in seen) last = seen.view.text(output.paint, width).trimEnd();
    const trouble =
      'error' in seen ? [output.paint('bad', cut(`${describeError(seen.error)}: trying again`, width))] : [];
    const body = last.split('\n');
    const room = Math.max(1, rows - 3 - trouble.length);
    const shown = body.length <= room ? body : [...body.slice(0, room - 1), `… ${body.length - room + 1} more lines`];
    const lines = [output.paint('faint', cut(head, width)), ...trouble, '', ...shown.map((line) => whole(line, width))];
    out.write(`${home}${lines.map((line) => `${line}${clearToLineEnd}`).join('\n')}${clearBelow}`);
  };
}

/** What is painted was made to fit before. */
function whole(line: string, width: number): string {
  return line.includes('\u001b') ? line : cut(line, width);
}

function blockByBlock({ out, output, csv, clock, title }: Watch): (seen: Seen) => void {
  let isFirst = true;
  return (seen) => {
    const at = timeOf(clock);
    if ('error' in seen) {
      process.stderr.write(`${at} ${title}: ${describeError(seen.error)}: trying again\n`);
      return;
    }
    const { view } = seen;
    if (output.json) out.write(`${jsonText({ at, ...asObject(view.value) })}\n`);
    else if (csv && view.csv !== undefined) {
      const [header = [], ...rows] = view.csv();
      out.write(csvText([...(isFirst ? [['at', ...header]] : []), ...rows.map((row) => [at, ...row])]));
    } else out.write(`${isFirst ? '' : '\n'}${at}\n${view.text(output.paint, widthOf(out)).trimEnd()}\n`);
    isFirst = false;
  };
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : { value };
}

function timeOf(clock: Clock): string {
  return new Date(clock.nowMs()).toISOString();
}
