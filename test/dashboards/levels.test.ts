/** Every level of a series answers a dashboard alike, and a panel over a month or a year reads no level that is too fine for it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dashboards } from '#dashboards/grafana/boards/all.ts';
import type { PlainDashboard, PlainPanel } from '#dashboards/grafana/build/plain.ts';
import { intervalOfPanel, panelsOf, type Span } from '#dashboards/grafana/query/questions.ts';
import { fillMeshHistory } from '#store/testing/mesh-history.ts';
import { type Answer, ask, askPanel, expand, fillVariables, type Values } from './grafana.ts';
import { type DashboardServer, startDashboardServer } from './server.ts';
import { minuteMs } from './story-mesh.ts';
import { tellStory } from './story-rows.ts';

const names = { story: 'mesh_of_levels', history: 'mesh_of_years' } as const;
const dayMs = 86_400_000;
const mesh = { peers: 60, peersWithVitals: 60, repairs: 20_000, placements: 20_000 } as const;

let server: DashboardServer;
let endMs: number;

beforeAll(async () => {
  server = await startDashboardServer(Object.values(names));
  endMs = Math.floor(Date.now() / dayMs) * dayMs - minuteMs;
});
afterAll(() => server[Symbol.asyncDispose]());

function panelOf(uid: string, title: string): PlainPanel {
  const board = dashboards.find((dashboard) => dashboard.uid === uid) as PlainDashboard;
  return panelsOf(board).find((panel) => panel.title === title) as PlainPanel;
}

describe('what minutes, hours and days say is what the raw rows say', () => {
  let values: Values;
  let span: Span;

  beforeAll(async () => {
    const story = await tellStory(await server.openDatabase(names.story), endMs, 960);
    span = { fromMs: story.beginMs - minuteMs, toMs: endMs + 1000 };
    const board = dashboards.find(({ uid }) => uid === 'meshward-peers') as PlainDashboard;
    values = new Map([
      ...(await fillVariables(server.reader, board, span, new Map())),
      ['policy', ['25-of-100', '3-of-10']],
    ]);
  });

  const answerAt = (panel: PlainPanel, seconds: number): Promise<Answer> =>
    ask(server.reader, expand(panel.targets[0]?.rawSql ?? '', values, { ...span, intervalMs: seconds * 1000 }));
  const msOf = (cell: unknown): number => Date.parse(`${String(cell).replace(' ', 'T')}Z`);

  const last = [
    ['meshward-mesh', 'Are files being lost?'],
    ['meshward-mesh', 'How far are files from being lost?'],
    ['meshward-mesh', 'Bytes that are not healthy'],
    ['meshward-damage', 'Files below the repair threshold without this domain'],
    ['meshward-peers', 'Disk'],
    ['meshward-repair', 'What waits for repair, by class'],
  ] as const;
  const levels = [
    ['minute', 60],
    ['hour', 3600],
    ['day', 86_400],
  ] as const;
  const cases = last.flatMap(([uid, title]) => levels.map(([level, seconds]) => [title, level, uid, seconds] as const));

  test.each(cases)('%s, by %s: of each step the last', async (title, _level, uid, seconds) => {
    const panel = panelOf(uid, title);
    const raw = await answerAt(panel, 10);
    const coarse = await answerAt(panel, seconds);
    expect(coarse.rows.length).toBeGreaterThan(0);
    expect(raw.rows.length).toBeGreaterThanOrEqual(coarse.rows.length);
    const labels = raw.columns.flatMap(({ type }, index) => (type.includes('String') ? [index] : []));
    const keyOf = (row: readonly unknown[], step: number): string =>
      [step, ...labels.map((index) => row[index])].join('|');
    const newest = new Map<string, readonly unknown[]>();
    // Of the raw rows in a step only the last moment counts, for every label.
    const lastMs = new Map<number, number>();
    for (const row of raw.rows) {
      const step = Math.floor(msOf(row[0]) / (seconds * 1000)) * seconds * 1000;
      lastMs.set(step, Math.max(lastMs.get(step) ?? 0, msOf(row[0])));
      newest.set(keyOf(row, step), row);
    }
    for (const row of coarse.rows) {
      const expected = newest.get(keyOf(row, msOf(row[0])));
      expect(row.slice(1), `${title} at ${String(row[0])}`).toEqual(expected?.slice(1));
    }
  });

  test.each(levels)('means and maxima of hosts, by %s', async (_level, seconds) => {
    const panel = panelOf('meshward-peers', 'Processor');
    const raw = await answerAt(panel, 10);
    for (const [at, mean, most] of (await answerAt(panel, seconds)).rows) {
      const within = raw.rows.filter(([time]) => msOf(time) >= msOf(at) && msOf(time) < msOf(at) + seconds * 1000);
      expect(Number(most)).toBe(Math.max(...within.map((row) => Number(row[2]))));
      expect(Number(mean)).toBeCloseTo(within.reduce((sum, row) => sum + Number(row[1]), 0) / within.length, 6);
    }
  });
});

describe('over a month and a year', () => {
  const values = new Map<PlainDashboard, Values>();

  beforeAll(async () => {
    const store = await server.openDatabase(names.history);
    await fillMeshHistory(store, { ...mesh, days: { raw: 1, minute: 4, hour: 40, day: 400 }, nowMs: endMs });
    const span = { fromMs: endMs - dayMs, toMs: endMs };
    for (const board of dashboards)
      values.set(board, await fillVariables(server.reader, board, span, new Map([['database', names.history]])));
  });

  /** Rows of one bucket of the widest series: margins of four analyzers. */
  const keys = 4 * 68;
  const cases = dashboards.flatMap((board) =>
    panelsOf(board).flatMap((panel) =>
      (
        [
          ['30 days', 30, 31 * 24],
          ['a year', 365, 366],
        ] as const
      ).map(([words, days, buckets]) => [board.uid, panel.title ?? '', words, board, panel, days, buckets] as const),
    ),
  );
  let most = 0;

  test.each(cases)('%s: %s, %s', async (_uid, title, _words, board, panel, days, buckets) => {
    const span = { fromMs: endMs - days * dayMs, toMs: endMs };
    // A statement may go over a series twice, over each audit once for what it gives and once for what it takes, and over lists.
    const bound = 2 * 1.2 * buckets * keys + 2 * mesh.repairs + 2 * mesh.placements + 50 * mesh.peers;
    for (const target of panel.targets) {
      const answer = await askPanel(server.reader, panel, target, values.get(board) as Values, span);
      expect(answer.readRows, `${title} at ${intervalOfPanel(panel, span) / 1000} s\n${answer.sql}`).toBeLessThan(
        bound,
      );
      expect(answer.rows.length, title).toBeLessThanOrEqual(panel.type === 'table' ? 2000 : 20_000);
      most = Math.max(most, answer.readRows);
    }
  });

  test('that says something: a single panel over raw rows would read more', async () => {
    const [count] = (await ask(server.reader, `SELECT count() FROM ${names.history}.margin_history`)).rows[0] as [
      number,
    ];
    console.log(`most rows read by a panel: ${most}; raw rows of a day: ${count}`);
    expect(most).toBeGreaterThan(0);
    expect(count).toBeGreaterThan(2 * 1.2 * 31 * 24 * keys);
  });
});
