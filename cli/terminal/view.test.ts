import { describe, expect, test } from 'vitest';
import { createPaint, moodOf, plainPaint, wantsColour } from './colour.ts';
import { bytesColumn, csvText, durationColumn, listingView, timeColumn } from './view.ts';

interface Row {
  readonly name: string;
  readonly bytes: number;
  readonly silenceMs: number | null;
}

const view = (rows: readonly Row[]) =>
  listingView<Row>({
    rows,
    value: { rows },
    none: 'Nothing.',
    below: ['That is all.'],
    columns: [
      { title: 'name', value: ({ name }) => name, mood: () => 'bad' },
      bytesColumn('size', 'size_bytes', ({ bytes }) => bytes),
      durationColumn('silent', 'silence_ms', ({ silenceMs }) => silenceMs, 1),
      timeColumn('at', () => 1_760_000_000_123),
    ],
  });

describe('a listing', () => {
  const rows = [
    { name: 'alder, "01"', bytes: 4096, silenceMs: 1500 },
    { name: 'elm', bytes: 5, silenceMs: null },
  ];

  test('is a table for people, in their units', () => {
    const text = view(rows).text(plainPaint, null);
    expect(text).toMatch(/alder, "01" +4\.00 KiB +1\.5 s +2025-10-09 08:53:20Z/);
    expect(text).toMatch(/elm +5 B +- /);
    expect(text).toContain('\n\nThat is all.');
  });

  test('says so where it is empty', () => {
    expect(view([]).text(plainPaint, null)).toBe('Nothing.');
  });

  test('is plain values for spreadsheets, quoted where they must be, with units in the header', () => {
    expect(csvText(view(rows).csv?.() ?? [])).toBe(
      'name,size_bytes,silence_ms,at\n' +
        '"alder, ""01""",4096,1500,2025-10-09T08:53:20.123Z\n' +
        'elm,5,,2025-10-09T08:53:20.123Z\n',
    );
  });

  test('says which columns had no room', () => {
    expect(view(rows).text(plainPaint, 44)).toContain('no room for: silent');
  });

  test('has colour only where there is a mood', () => {
    const text = view(rows).text(createPaint(true), null);
    expect(text).toContain('\u001b[31melm');
    expect(text).not.toContain('\u001b[31m5');
  });
});

describe('colour', () => {
  test.each([
    ['always', { NO_COLOR: '1' }, false, true],
    ['never', { FORCE_COLOR: '1' }, true, false],
    ['auto', {}, true, true],
    ['auto', {}, false, false],
    ['auto', { NO_COLOR: '1' }, true, false],
    ['auto', { NO_COLOR: '' }, true, true],
    ['auto', { FORCE_COLOR: '1' }, false, true],
    ['auto', { FORCE_COLOR: '0' }, true, false],
    ['auto', { NO_COLOR: '1', FORCE_COLOR: '1' }, true, false],
    ['auto', { TERM: 'dumb' }, true, false],
  ] as const)('%s with %j, terminal %s: %s', (wish, environment, isTerminal, wanted) => {
    expect(wantsColour(wish, environment, isTerminal)).toBe(wanted);
  });

  test('is that of the first word of a state', () => {
    expect(moodOf('down, revoked')).toBe('bad');
    expect(moodOf('healthy')).toBe('good');
    expect(moodOf('planned')).toBeUndefined();
  });
});
