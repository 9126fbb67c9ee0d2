import { describe, expect, test } from 'vitest';
import { MeshwardError } from '#mesh/errors.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { plainPaint } from './colour.ts';
import { fakeTerminal } from './testing/fake-terminal.ts';
import { listingView, type View } from './view.ts';
import { watch } from './watching.ts';

const viewOf = (count: number): View =>
  listingView<number>({
    rows: Array.from({ length: count }, (_, i) => i),
    value: { count },
    none: 'none',
    columns: [{ title: 'number', value: (row) => row }],
  });

/** Looks as often as there are answers; then it is stopped. */
async function watched(
  answers: readonly (View | Error)[],
  { isTTY, json = false, csv = false }: { isTTY: boolean; json?: boolean; csv?: boolean },
): Promise<string> {
  const out = fakeTerminal({ isTTY, columns: 40, rows: 10 });
  const clock = new ManualClock(1_760_000_000_000);
  const stop = new AbortController();
  const left = [...answers];
  await watch({
    look() {
      const next = left.shift();
      if (left.length === 0) queueMicrotask(() => setImmediate(() => stop.abort()));
      else setImmediate(() => void clock.advance(2000));
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next as View);
    },
    everyMs: 2000,
    title: 'meshward peers',
    output: { json, paint: plainPaint },
    csv,
    out: out.stream,
    clock,
    signal: stop.signal,
  });
  return out.written();
}

describe('watching', () => {
  test('where it is piped is one block after the other, each with its time', async () => {
    const text = await watched([viewOf(1), viewOf(2)], { isTTY: false });
    expect(text).toBe('2025-10-09T08:53:20.000Z\nnumber\n     0\n\n2025-10-09T08:53:22.000Z\nnumber\n     0\n     1\n');
    expect(text).not.toContain('\u001b');
  });

  test('for programs is a line of JSON each time', async () => {
    const lines = (await watched([viewOf(1), viewOf(2)], { isTTY: false, json: true })).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { at: '2025-10-09T08:53:20.000Z', count: 1 },
      { at: '2025-10-09T08:53:22.000Z', count: 2 },
    ]);
  });

  test('for spreadsheets has its header once, and the time in each row', async () => {
    const text = await watched([viewOf(1), viewOf(1)], { isTTY: false, csv: true });
    expect(text).toBe('at,number\n2025-10-09T08:53:20.000Z,0\n2025-10-09T08:53:22.000Z,0\n');
  });

  test('on a terminal is drawn in its place, never longer than the screen, and the cursor comes back', async () => {
    const text = await watched([viewOf(100)], { isTTY: true });
    const [, drawn = ''] = text.split('\u001b[H');
    expect(drawn.split('\n').length).toBeLessThanOrEqual(10);
    expect(drawn).toContain('more lines');
    expect(drawn).toContain('meshward peers, every 2 s');
    expect(text.endsWith('\u001b[?25h')).toBe(true);
  });

  test('goes on over a service that is away for a moment, and shows what it saw last', async () => {
    const away = new MeshwardError('service-unavailable', 'away', { next: '', retryable: true });
    const text = await watched([viewOf(3), away], { isTTY: true });
    const last = text.split('\u001b[H').at(-1) ?? '';
    expect(last).toContain('away: trying again');
    expect(last).toContain('     2');
  });

  test('ends with what does not pass by itself', async () => {
    const wrong = new MeshwardError('bad-input', 'wrong', { next: '' });
    await expect(watched([wrong], { isTTY: true })).rejects.toBe(wrong);
  });
});
