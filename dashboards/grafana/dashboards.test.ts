/** What every dashboard must have, whatever it shows; and that the files are those that the code makes. */
import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { dashboards } from './boards/all.ts';
import type { PlainDashboard, PlainPanel } from './build/plain.ts';
import { clickhousePlugin } from './build/target.ts';
import { dashboardFiles } from './generate.ts';
import { panelsOf, variableSql } from './query/questions.ts';

test('the files are what `node dashboards/grafana/generate.ts` writes, and there are no others', async () => {
  const made = dashboardFiles();
  for (const { name, text } of made)
    expect(await readFile(new URL(`./${name}`, import.meta.url), 'utf8'), `${name} is stale`).toBe(text);
  const there = (await readdir(new URL('.', import.meta.url))).filter((name) => name.endsWith('.json'));
  expect(there.sort()).toEqual(made.map(({ name }) => name).sort());
});

test('names are unique', () => {
  for (const of of [dashboards.map(({ uid }) => uid), dashboards.map(({ title }) => title)])
    expect(new Set(of).size).toBe(of.length);
});

const boards = dashboards.map((dashboard) => [dashboard.uid, dashboard] as const);
const panels = dashboards.flatMap((dashboard) =>
  panelsOf(dashboard).map((panel) => [dashboard.uid, panel.title ?? '', dashboard, panel] as const),
);

describe.each(boards)('%s', (_uid, dashboard) => {
  test('is a classic dashboard of schema 42 that provisioning takes', () => {
    expect(dashboard).toMatchObject({ id: null, schemaVersion: 42, editable: true });
    expect(dashboard.uid).toMatch(/^meshward-[a-z]+$/);
    expect(dashboard.description?.length).toBeGreaterThan(30);
    expect(dashboard.panels[0]?.type).toBe('row');
  });

  test('has ids of its own and titles that are told apart', () => {
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const titles = dashboard.panels.map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
  });

  test('has no panel over another or beyond the edge', () => {
    const cells = new Map<string, string>();
    for (const { gridPos, title } of dashboard.panels) {
      const { x, y, w, h } = gridPos as { x: number; y: number; w: number; h: number };
      expect(x + w, title).toBeLessThanOrEqual(24);
      for (let row = y; row < y + h; row++)
        for (let column = x; column < x + w; column++) {
          expect(cells.get(`${column} ${row}`), `${title} lies on`).toBeUndefined();
          cells.set(`${column} ${row}`, title ?? '');
        }
    }
  });

  test('asks the chosen data source and database, and uses every variable that it offers', () => {
    const { list } = dashboard.templating;
    expect(list[0]).toMatchObject({ type: 'datasource', query: clickhousePlugin });
    const text = JSON.stringify(dashboard);
    for (const { name } of list)
      expect(text, `a variable that nothing uses: ${name}`).toMatch(new RegExp(`\\$\\{${name}[}:]`));
    const offered = new Set(list.map(({ name }) => name));
    const used = [...text.matchAll(/\$\{([a-z]\w*)[}:]/g)].map((match) => match[1] as string);
    expect(used.filter((name) => !offered.has(name) && !name.startsWith('_'))).toEqual([]);
    for (const sql of statements(dashboard)) {
      expect(sql, 'a table without the database of the variable').not.toMatch(
        /\b(FROM|JOIN)\s+(?!\$\{database\}\.|\(|system\.)\w+\./,
      );
      expect(sql).not.toMatch(/\bmeshward\b(?!_)/);
      // Other modes than the browser know nothing of these.
      expect(sql).not.toMatch(/\$__(conditionalAll|adHocFilters)/);
    }
  });

  test('leads to the others with span and variables', () => {
    expect(dashboard.links).toEqual([
      expect.objectContaining({ tags: ['meshward'], keepTime: true, includeVars: true }),
    ]);
    expect(dashboard.tags).toContain('meshward');
  });
});

describe.each(panels)('%s: %s', (_uid, _title, dashboard, panel) => {
  test('says what it means and what to do, in units, with words for nothing', () => {
    expect(panel.description?.length, 'description').toBeGreaterThan(60);
    expect(panel.title?.length).toBeGreaterThan(2);
    const { unit, noValue } = panel.fieldConfig.defaults;
    expect(unit).toMatch(/^(short|none|bytes|Bps|ops|percentunit|s|ms)$/);
    expect(noValue?.length).toBeGreaterThan(5);
  });

  test('has thresholds in order, and links to dashboards that are there', () => {
    for (const { steps } of thresholdsOf(panel)) {
      expect(steps[0]?.value).toBeNull();
      const values = steps.slice(1).map(({ value }) => Number(value));
      expect(values).toEqual(values.toSorted((a, b) => a - b));
    }
    const uids = dashboards.map(({ uid }) => uid);
    for (const [, uid] of JSON.stringify(panel).matchAll(/"\/d\/([a-z-]+)\?/g)) expect(uids).toContain(uid);
    for (const [, uid, name] of JSON.stringify(panel).matchAll(/"\/d\/([a-z-]+)\?[^"]*?var-(\w+)=/g)) {
      const target = dashboards.find((one) => one.uid === uid);
      expect(
        target?.templating.list.map((variable) => variable.name),
        `${uid} has ${name}`,
      ).toContain(name);
    }
    expect(dashboard.uid).not.toBe('');
  });

  test('has targets that the plugin takes, each with a letter of its own', () => {
    expect(panel.datasource).toEqual({ type: clickhousePlugin, uid: '${datasource}' });
    expect(new Set(panel.targets.map(({ refId }) => refId)).size).toBe(panel.targets.length);
    for (const target of panel.targets) {
      expect(target).toMatchObject({ editorType: 'sql', datasource: panel.datasource });
      expect(target.format).toBe(target.queryType === 'timeseries' ? 0 : 1);
    }
  });
});

function statements(dashboard: PlainDashboard): string[] {
  return [
    ...panelsOf(dashboard).flatMap(({ targets }) => targets.map(({ rawSql }) => rawSql)),
    ...dashboard.annotations.list.map(({ target }) => target.rawSql),
    ...dashboard.templating.list.flatMap((variable) => variableSql(variable) ?? []),
  ];
}

function thresholdsOf({ fieldConfig: { defaults, overrides } }: PlainPanel): { steps: { value: number | null }[] }[] {
  const own = defaults.thresholds === undefined ? [] : [defaults.thresholds];
  const others = overrides.flatMap(({ properties }) =>
    properties
      .filter(({ id }) => id === 'thresholds')
      .map(({ value }) => value as { steps: { value: number | null }[] }),
  );
  return [...(own as { steps: { value: number | null }[] }[]), ...others];
}
