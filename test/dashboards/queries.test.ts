/** Every query of every dashboard, asked of a real ClickHouse as a reader, over a day in which a zone is lost. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alertKinds, kindOf } from '#analyzer/alerts/alert.ts';
import { dashboards } from '#dashboards/grafana/boards/all.ts';
import type { PlainDashboard, PlainPanel, Target } from '#dashboards/grafana/build/plain.ts';
import { panelsOf, type Span, variableSql } from '#dashboards/grafana/query/questions.ts';
import { runbookOf } from '#dashboards/grafana/sql/runbook.ts';
import { ask, askPanel, expand, fillVariables, type Values } from './grafana.ts';
import { type DashboardServer, startDashboardServer } from './server.ts';
import { checkShape } from './shapes.ts';
import { minuteMs, moments } from './story-mesh.ts';
import { type ToldStory, tellStory } from './story-rows.ts';

const database = 'mesh_of_tests';
/** The zone is away, repair goes on, some files were proven. */
const toldMinutes = moments.proofs + 20;

let server: DashboardServer;
let story: ToldStory;
let day: Span;
const valuesOf = new Map<PlainDashboard, Values>();

beforeAll(async () => {
  server = await startDashboardServer([database]);
  const endMs = Math.floor(Date.now() / minuteMs) * minuteMs;
  story = await tellStory(await server.openDatabase(database), endMs, toldMinutes);
  day = { fromMs: story.beginMs - minuteMs, toMs: endMs + 1000 };
  const { mesh } = story;
  const file = mesh.files.slice(10, 40).find((one) => mesh.repaired.has(one));
  const chosen = new Map([['file', file?.index ?? '']]);
  for (const dashboard of dashboards)
    valuesOf.set(dashboard, await fillVariables(server.reader, dashboard, day, chosen));
});

afterAll(async () => {
  const lines = dashboards.map((dashboard) => {
    const { panels, annotations, variables } = asked.get(dashboard) ?? { panels: 0, annotations: 0, variables: 0 };
    return `${dashboard.uid}: ${panels} of ${panelsOf(dashboard).length} panels, ${variables} variables, ${annotations} annotations`;
  });
  console.log(`asked with an answer:\n${lines.join('\n')}`);
  await server[Symbol.asyncDispose]();
});

interface Coverage {
  panels: number;
  annotations: number;
  variables: number;
}

const asked = new Map<PlainDashboard, Coverage>(
  dashboards.map((dashboard) => [dashboard, { panels: 0, annotations: 0, variables: 0 }]),
);
const coverageOf = (dashboard: PlainDashboard): Coverage => asked.get(dashboard) as Coverage;
const panels = dashboards.flatMap((dashboard) =>
  panelsOf(dashboard).map((panel) => [dashboard.uid, panel.title ?? '', dashboard, panel] as const),
);
const annotations = dashboards.flatMap((dashboard) =>
  dashboard.annotations.list.map((annotation) => [dashboard.uid, annotation.name, dashboard, annotation] as const),
);

describe('over the day every panel has rows, in columns that its kind can draw', () => {
  test.each(panels)('%s: %s', async (_uid, name, dashboard, panel) => {
    for (const target of panel.targets) {
      const answer = await askPanel(server.reader, panel, target, valuesOf.get(dashboard) as Values, day);
      checkShape(panel, answer);
      expect(answer.rows.length, `rows of ${name}\n${answer.sql}`).toBeGreaterThan(0);
    }
    coverageOf(dashboard).panels++;
  });
});

describe('before the story every panel answers too, with nothing or with what holds at any time', () => {
  test.each(panels)('%s: %s', async (_uid, _name, dashboard, panel) => {
    const before = { fromMs: story.beginMs - 3 * 86_400_000, toMs: story.beginMs - 2 * 86_400_000 };
    for (const target of panel.targets)
      checkShape(panel, await askPanel(server.reader, panel, target, valuesOf.get(dashboard) as Values, before));
  });
});

describe('variables', () => {
  test.each(dashboards.map((dashboard) => [dashboard.uid, dashboard] as const))('%s', (_uid, dashboard) => {
    const values = valuesOf.get(dashboard) as Values;
    for (const variable of dashboard.templating.list) {
      if (variableSql(variable) === undefined) continue;
      expect(values.get(variable.name)?.length, variable.name).toBeGreaterThan(0);
      coverageOf(dashboard).variables++;
    }
    expect(values.get('database')).toBe(database);
    if (values.has('kind')) expect(values.get('kind')).toBe('zone');
    if (values.has('domain')) expect(values.get('domain')).toContain(story.mesh.lostZone);
    if (values.has('policy')) expect(values.get('policy')).toEqual(['25-of-100', '3-of-10']);
    if (values.has('peer')) expect(story.mesh.peers.map(({ id }) => id as string)).toContain(values.get('peer'));
  });
});

describe('annotations', () => {
  test.each(annotations)('%s: %s', async (_uid, _name, dashboard, { target }) => {
    const range = { ...day, intervalMs: 60_000 };
    const answer = await ask(server.reader, expand(target.rawSql, valuesOf.get(dashboard) as Values, range));
    expect(answer.columns.map(({ name }) => name)).toEqual(expect.arrayContaining(['time', 'title', 'text', 'tags']));
    expect(answer.rows.length).toBeGreaterThan(0);
    coverageOf(dashboard).annotations++;
  });
});

test('outages that are not over are those of the peers that are down, and those only had their grace run out', async () => {
  const damage = dashboards.find(({ uid }) => uid === 'meshward-damage') as PlainDashboard;
  const panel = panelsOf(damage).find(({ title }) => title === 'Outages') as PlainPanel;
  const { rows, columns } = await askPanel(
    server.reader,
    panel,
    panel.targets[0] as Target,
    valuesOf.get(damage) as Values,
    day,
  );
  const at = (name: string): number => columns.findIndex((column) => column.name === name);
  const open = rows.filter((row) => row[at('over')] === 'no').map((row) => row[at('peer')]);
  const down = story.mesh.peers.filter(({ state }) => state === 'down').map(({ name }) => name);
  expect(open.toSorted()).toEqual(down.toSorted());
  const ranOut = rows.filter((row) => row[at('grace ran out')] === 'yes').map((row) => row[at('peer')]);
  expect(ranOut.toSorted()).toEqual([...down, story.mesh.peers[60]?.name].toSorted());
  const brief = story.mesh.peers[70]?.name;
  expect(rows.filter((row) => row[at('peer')] === brief).map((row) => row[at('for')])).toEqual([0]);
});

test('an alert leads to the runbook that sinks lead to', async () => {
  const keys = [...Object.keys(alertKinds), 'domain-lost:zone alder'];
  const { rows } = await ask(
    server.reader,
    keys.map((key) => `SELECT '${key}' AS key, ${runbookOf('key')} AS runbook`).join(' UNION ALL '),
  );
  expect(new Map(rows as [string, string][])).toEqual(new Map(keys.map((key) => [key, kindOf(key).name])));
});
