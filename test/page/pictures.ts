/**
 * Pictures of the page, light, dark and on a phone, of a mesh at noon and one that has lost a zone.
 *
 *     node test/page/pictures.ts [--into docs/images/page] [--only mesh]
 */
import { mkdir } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type Browser, chromium } from 'playwright-core';
import { installChromium } from '../setup/chromium.ts';
import { meshes } from './meshes.ts';
import { openStage } from './stage.ts';

const { values: flags } = parseArgs({
  options: {
    into: { type: 'string', default: 'docs/images/page' },
    only: { type: 'string', default: '' },
    all: { type: 'boolean', default: false },
  },
});

const views = ['/', '/alerts', '/files', '/repairs', '/campaigns', '/exposure', '/resilience', '/peers'] as const;
const looks = [
  { name: 'light', colorScheme: 'light', width: 1360, height: 850 },
  { name: 'dark', colorScheme: 'dark', width: 1360, height: 850 },
  { name: 'phone', colorScheme: 'light', width: 390, height: 844 },
] as const;

await mkdir(flags.into, { recursive: true });
const browser = await chromium.launch({ executablePath: installChromium(), args: ['--no-sandbox', '--disable-gpu'] });
try {
  for (const moment of ['noon', 'lost'] as const) {
    await using stage = await openStage({ mesh: meshes[moment](), guide: true });
    const file = stage.mesh.listed[0]?.health.storageIndex ?? stage.mesh.files[30]?.health.storageIndex ?? '';
    for (const look of looks) {
      for (const view of [...views, `/files?file=${file}`, '/campaigns/birch'])
        await draw(browser, stage.url, view, moment, look);
    }
  }
} finally {
  await browser.close();
}

async function draw(
  from: Browser,
  url: string,
  view: string,
  moment: string,
  look: (typeof looks)[number],
): Promise<void> {
  const word = view === '/' ? 'mesh' : view.includes('file=') ? 'file' : view.slice(1).replace('/', '-');
  if (flags.only !== '' && flags.only !== word) return;
  const page = await from.newPage({ viewport: look, colorScheme: look.colorScheme });
  page.on('console', (message) => message.type() === 'error' && console.log(word, message.text()));
  page.on('pageerror', (error) => console.log(word, error.message));
  await page.goto(`${url}${view}`);
  await page.waitForSelector('h1');
  await page.waitForTimeout(900);
  const path = `${flags.into}/${word}-${moment}-${look.name}.png`;
  await page.screenshot({ path, fullPage: !view.includes('file=') && look.name !== 'phone' });
  await page.close();
  console.log(path);
}
