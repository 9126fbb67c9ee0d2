/**
 * Pictures of the page for the documentation, of a mesh at noon and of one that has lost zones. With --all every view, light, dark and
 * on a phone: to be looked at whenever the page has changed.
 *
 *     node test/page/pictures.ts [--into docs/images/page] [--all] [--only mesh]
 */
import { mkdir } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Browser } from 'playwright-core';
import { openBoardStage } from './board-stage.ts';
import { openPage, startBrowser } from './browser.ts';
import { meshes } from './meshes.ts';
import { openStage } from './stage.ts';

const { values: flags } = parseArgs({
  options: {
    into: { type: 'string', default: 'docs/images/page' },
    only: { type: 'string', default: '' },
    all: { type: 'boolean', default: false },
  },
});

/** Those that the documentation shows. */
const kept = [
  'mesh-noon-light',
  'mesh-lost-light',
  'mesh-lost-dark',
  'mesh-lost-phone',
  'file-lost-light',
  'alerts-lost-light',
  'exposure-noon-light',
  'resilience-noon-light',
  'campaigns-birch-noon-dark',
  'dashboards-lost-light',
  'dashboards-lost-dark',
];
const looks = [
  { name: 'light', colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  { name: 'dark', colorScheme: 'dark', viewport: { width: 1280, height: 800 } },
  { name: 'phone', colorScheme: 'light', viewport: { width: 390, height: 844 } },
] as const;
const views = [
  '/',
  '/alerts',
  '/files',
  '/repairs',
  '/campaigns',
  '/campaigns/birch',
  '/exposure',
  '/resilience',
  '/peers',
] as const;

await mkdir(flags.into, { recursive: true });
const browser = await startBrowser();
try {
  for (const moment of ['noon', 'lost'] as const) {
    await using stage = await openStage({ mesh: meshes[moment](), guide: true });
    const file = (stage.mesh.listed[14] ?? stage.mesh.files[30])?.health.storageIndex ?? '';
    for (const view of [...views, `/files?file=${file}`]) await drawAll(browser, stage.url, view, moment);
  }
  await using staged = await openBoardStage();
  await drawAll(browser, staged.stage.url, '/dashboards?from=now-6h', 'lost');
} finally {
  await browser.close();
}

function wordOf(view: string): string {
  if (view === '/') return 'mesh';
  return view.includes('file=') ? 'file' : (view.slice(1).split('?')[0] ?? '').replace('/', '-');
}

async function drawAll(from: Browser, url: string, view: string, moment: string): Promise<void> {
  const word = wordOf(view);
  for (const { name: look, ...options } of looks) {
    const name = `${word}-${moment}-${look}`;
    if (flags.only !== '' && flags.only !== word) continue;
    if (flags.all || kept.includes(name)) await draw(from, `${url}${view}`, name, options);
  }
}

async function draw(
  from: Browser,
  address: string,
  name: string,
  options: Omit<(typeof looks)[number], 'name'>,
): Promise<void> {
  const { page, faults } = await openPage(from, options);
  await page.goto(address);
  await page.locator('#freshness[data-state=fresh]').waitFor();
  if (name.startsWith('dashboards')) await page.locator('.panel canvas').first().waitFor();
  else await page.locator('.waiting').first().waitFor({ state: 'detached' });
  await page.waitForTimeout(name.startsWith('dashboards') ? 4000 : 900);
  const path = `${flags.into}/${name}.png`;
  await page.screenshot({ path });
  await page.close();
  console.log(path, ...faults);
}
