import fc from 'fast-check';
import stringWidth from 'string-width';
import { describe, expect, test } from 'vitest';
import { createPaint } from './colour.ts';
import { cut, drawTable, type TableColumn, table } from './table.ts';

const column = (title: string, cells: readonly string[], rest: Partial<TableColumn> = {}): TableColumn => ({
  title,
  cells,
  isNumber: false,
  ...rest,
});

describe('a table', () => {
  test('stands in columns two spaces apart, numbers to the right', () => {
    expect(
      table(
        ['peer', 'shares'],
        [
          ['alder-01', 7],
          ['elm', 1200],
        ],
      ),
    ).toBe(['peer      shares', 'alder-01       7', 'elm         1200'].join('\n'));
  });

  test('is whole where there is no terminal', () => {
    const id = 'x'.repeat(200);
    expect(drawTable([column('id', [id], { fit: 'id' })], null).text).toContain(id);
  });

  test('shortens ids first, then texts, and leaves out what matters least', () => {
    const columns = [
      column('name', ['alder-01']),
      column('id', ['abcdefghijklmnopqrstuvwxyz'], { fit: 'id' }),
      column('why', ['because of a very long story that nobody reads to its end'], { fit: 'text' }),
      column('note', ['something of little worth'], { rank: 1 }),
    ];
    expect(drawTable(columns, 200).text).toContain('abcdefghijklmnopqrstuvwxyz');
    const { text, leftOut } = drawTable(columns, 80);
    expect(text).toContain('abcdefgh…');
    expect(text).toContain('something of little worth');
    expect(leftOut).toEqual([]);
    const narrow = drawTable(columns, 40);
    expect(narrow.leftOut).toEqual(['note']);
    expect(narrow.text).toContain('alder-01');
    expect(narrow.text).toContain('because');
  });

  test('counts what characters take on a terminal, not what they take in memory', () => {
    const { text } = drawTable([column('peer', ['東京', 'elm']), column('state', ['up', 'down'])], null);
    const [, first = '', second = ''] = text.split('\n');
    expect(stringWidth(first.slice(0, first.indexOf('up')))).toBe(second.indexOf('down'));
    expect(cut('東京東京', 5)).toBe('東京…');
  });

  test('of any words fits any terminal: no line is ever wrapped, and colour takes no room', () => {
    const cell = fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) => text.replace(/\s|\p{C}/gu, '.'));
    const columns = fc.array(
      fc.record({
        title: fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom('a', 'b', 'c') }),
        cells: fc.array(cell, { minLength: 3, maxLength: 3 }),
        isNumber: fc.boolean(),
        fit: fc.constantFrom(undefined, 'id' as const, 'text' as const),
        rank: fc.constantFrom(undefined, 1, 2, 3),
      }),
      { minLength: 1, maxLength: 8 },
    );
    fc.assert(
      fc.property(columns, fc.integer({ min: 30, max: 200 }), (drawn, width) => {
        const painted = drawn.map((one) => ({
          ...one,
          paint: (paint: ReturnType<typeof createPaint>, text: string) => paint('bad', text),
        }));
        const { text } = drawTable(painted, width, createPaint(true));
        for (const line of text.split('\n')) expect(stringWidth(line)).toBeLessThanOrEqual(width);
      }),
    );
  });
});
