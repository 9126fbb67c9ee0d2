/**
 * Pictures of the dashboards for the documentation, out of the very JSON and the real answers to its queries, drawn by Grafana's own
 * visualisations in Chromium: at noon of the story, and in the middle of the lost zone.
 *
 *     npm --prefix dashboards/renderer install && npm --prefix dashboards/renderer run build
 *     node test/dashboards/pictures.ts [--into docs/images/dashboards] [--only mesh] [--moment lost]
 */
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Browser, chromium } from 'playwright-core';
import { dashboards } from '#dashboards/grafana/boards/all.ts';
import type { PlainDashboard } from '#dashboards/grafana/build/plain.ts';
import { choiceOf, panelsOf, type Span, variableSql } from '#dashboards/grafana/query/questions.ts';
import { installChromium } from '../setup/chromium.ts';
import { ask, askPanel, expand, fillVariables, type Reader, type Values } from './grafana.ts';
import { startDashboardServer } from './server.ts';
import { minuteMs, moments } from './story-mesh.ts';
import { type ToldStory, tellStory } from './story-rows.ts';

const { values: flags } = parseArgs({
  options: {
    into: { type: 'string', default: 'docs/images/dashboards' },
    only: { type: 'string', default: '' },
    moment: { type: 'string', default: '' },
  },
});

/** How much of the day has passed, and how much of it is shown. */
const pictures = [
  { moment: 'noon', minutes: 721, shownMinutes: 720 },
  { moment: 'lost', minutes: moments.zoneLost + 45, shownMinutes: 360 },
] as const;

const renderer = new URL('../../dashboards/renderer/dist/', import.meta.url);
const widthPx = 1632;
const origin = 'http://dashboards.test';
const html =
  '<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/app.css"><style>body{margin:0}</style><body><script src="/app.js"></script>';

await mkdir(flags.into, { recursive: true });
await using server = await startDashboardServer(pictures.map(({ moment }) => `mesh_${moment}`));
const browser = await chromium.launch({ executablePath: installChromium() });
try {
  for (const { moment, minutes, shownMinutes } of pictures) {
    if (flags.moment !== '' && flags.moment !== moment) continue;
    const endMs = Math.floor(Date.now() / minuteMs) * minuteMs;
    const story = await tellStory(await server.openDatabase(`mesh_${moment}`), endMs, minutes);
    const chosen = new Map([
      ['database', `mesh_${moment}`],
      ['file', someFile(story)],
      ['peer', story.mesh.peers.find(({ name }) => name === 'birch-01')?.id ?? ''],
    ]);
    for (const dashboard of dashboards) {
      const name = dashboard.uid.replace('meshward-', '');
      if (flags.only !== '' && flags.only !== name) continue;
      const span = { fromMs: endMs - shownMinutes * minuteMs, toMs: endMs + 1000 };
      await draw(browser, server.reader, dashboard, span, chosen, `${flags.into}/${name}-${moment}.png`);
    }
  }
} finally {
  await browser.close();
}

/** One with many shares that was repaired, or the first. */
function someFile({ mesh }: ToldStory): string {
  const repaired = [...mesh.repaired].find(({ holders }) => holders.length > 10);
  return (repaired ?? mesh.files[20])?.index ?? '';
}

async function draw(
  chromiumBrowser: Browser,
  reader: Reader,
  dashboard: PlainDashboard,
  span: Span,
  chosen: Values,
  path: string,
): Promise<void> {
  const values = await fillVariables(reader, dashboard, span, chosen);
  const answers: Record<number, unknown> = {};
  for (const panel of panelsOf(dashboard))
    answers[panel.id] = await Promise.all(panel.targets.map((target) => askPanel(reader, panel, target, values, span)));
  const given = {
    dashboard,
    answers,
    range: span,
    variables: await shownVariables(reader, dashboard, values, span),
    annotations: await annotationsOf(reader, dashboard, values, span),
  };
  const page = await chromiumBrowser.newPage({ viewport: { width: widthPx, height: 1200 } });
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  // The renderer wants an origin, for storage that it may use; nothing is fetched from anywhere.
  await page.route(`${origin}/**`, (route) => {
    const path = new URL(route.request().url()).pathname.slice(1);
    return path === ''
      ? route.fulfill({ contentType: 'text/html', body: html })
      : path.startsWith('app.')
        ? route.fulfill({ path: fileURLToPath(new URL(path, renderer)) })
        : route.abort();
  });
  await page.goto(`${origin}/`);
  await page.evaluate(
    (all) => (globalThis as unknown as { drawDashboard(all: unknown): void }).drawDashboard(all),
    given,
  );
  await page.locator('main > div').first().waitFor();
  await page.waitForTimeout(1500);
  await page.screenshot({ path, fullPage: true });
  await page.close();
  console.log(path, faults.length === 0 ? '' : [...new Set(faults)].join('\n').slice(0, 1500));
}

async function shownVariables(
  reader: Reader,
  { templating }: PlainDashboard,
  values: Values,
  span: Span,
): Promise<{ label: string; value: string }[]> {
  const shown: { label: string; value: string }[] = [];
  for (const variable of templating.list) {
    const { name, label = '', multi, regex = '' } = variable;
    const sql = variableSql(variable);
    if (sql === undefined && variable.type !== 'textbox') continue;
    let value = multi === true ? 'All' : String(values.get(name) ?? '');
    if (sql !== undefined && regex !== '') {
      const { rows } = await ask(reader, expand(sql, values, { ...span, intervalMs: minuteMs }));
      value =
        rows.map(([row]) => choiceOf(variable, String(row))).find((choice) => choice?.value === value)?.text ?? value;
    }
    shown.push({ label, value });
  }
  return shown;
}

async function annotationsOf(reader: Reader, dashboard: PlainDashboard, values: Values, span: Span) {
  const answers = await Promise.all(
    dashboard.annotations.list.map(({ target }) =>
      ask(reader, expand(target.rawSql, values, { ...span, intervalMs: minuteMs })),
    ),
  );
  return answers.flatMap(({ columns, rows }) => {
    const at = columns.findIndex(({ name }) => name === 'time');
    const tags = columns.findIndex(({ name }) => name === 'tags');
    return rows.map((row) => ({
      atMs: Date.parse(`${String(row[at]).replace(' ', 'T')}Z`),
      kind: /^(alert|campaign)/.exec(String(row[tags]))?.[1] ?? 'version',
    }));
  });
}
