/** What a kind of panel needs of an answer to draw it. */
import { expect } from 'vitest';
import type { PlainPanel } from '#dashboards/grafana/build/plain.ts';
import type { Answer } from './grafana.ts';

const time = /^DateTime(64)?\b/;
const number = /^(Nullable\()?(U?Int(8|16|32|64)|Float(32|64))\b/;
const word = /^(LowCardinality\()?String\b/;

/** Types that the plugin turns into Grafana's own: no maps, tuples, enumerations or large integers. */
const known = [time, number, word];

export function checkShape(panel: PlainPanel, answer: Answer): void {
  const { columns } = answer;
  const types = columns.map(({ type }) => type);
  const told = `${panel.title}: ${columns.map(({ name, type }) => `${name} ${type}`).join(', ')}`;
  expect(
    types.filter((type) => !known.some((pattern) => pattern.test(type))),
    told,
  ).toEqual([]);
  expect(new Set(columns.map(({ name }) => name)).size, told).toBe(columns.length);
  const numbers = types.filter((type) => number.test(type)).length;
  const words = types.filter((type) => word.test(type)).length;
  switch (panel.type) {
    case 'timeseries':
    case 'state-timeline':
    case 'heatmap':
      expect(types[0], told).toMatch(time);
      expect(columns[0]?.name, told).toBe('time');
      expect(numbers, told).toBeGreaterThan(0);
      expect(numbers + words + 1, told).toBe(columns.length);
      if (panel.type !== 'timeseries')
        expect(panel.type === 'heatmap' ? words === 0 : words === 1 && numbers === 1, told).toBe(true);
      checkOrder(answer, told);
      break;
    case 'stat':
      expect(numbers, told).toBeGreaterThan(0);
      if (time.test(types[0] as string)) checkOrder(answer, told);
      break;
    case 'bargauge':
      expect([words, numbers], told).toEqual([1, 1]);
      break;
    case 'table':
      checkColumns(
        panel,
        columns.map(({ name }) => name),
      );
      break;
    default:
      throw new RangeError(`no rule for a ${panel.type}`);
  }
}

/** A long series is told apart by its words: each of them may stand once at a time, and times go up. */
function checkOrder({ columns, rows }: Answer, told: string): void {
  const keys = columns.flatMap(({ type }, index) => (time.test(type) || word.test(type) ? [index] : []));
  const seen = new Set<string>();
  let last = '';
  for (const row of rows) {
    const at = String(row[0]);
    expect(at >= last, `${told}: ${at} after ${last}`).toBe(true);
    last = at;
    seen.add(keys.map((index) => row[index]).join('|'));
  }
  expect(seen.size, `${told}: a time stands twice`).toBe(rows.length);
}

/** What the panel says of its columns is of columns that are there. */
function checkColumns(panel: PlainPanel, names: readonly string[]): void {
  const overridden = panel.fieldConfig.overrides.map(({ matcher }) => String(matcher.options));
  expect(
    overridden.filter((name) => !names.includes(name)),
    `${panel.title}: columns of overrides`,
  ).toEqual([]);
  const linked = [...JSON.stringify(panel.fieldConfig).matchAll(/__data\.fields\[\\+"([^"\\]+)/g)].map(
    (match) => match[1] as string,
  );
  expect(
    linked.filter((name) => !names.includes(name)),
    `${panel.title}: columns of links`,
  ).toEqual([]);
}
