/** Every dashboard on the page, live on a real ClickHouse that holds a day in which a zone is lost. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dashboards } from '#dashboards/grafana/boards/all.ts';
import { panelsOf } from '#dashboards/grafana/query/questions.ts';
import { type BoardStage, openBoardStage } from './board-stage.ts';
import { expectAccessible, openPage, startBrowser } from './browser.ts';
import { meshes } from './meshes.ts';
import { openStage } from './stage.ts';

let browser: Browser;
let staged: BoardStage;

beforeAll(async () => {
  browser = await startBrowser();
  staged = await openBoardStage();
});
afterAll(async () => {
  await browser.close();
  await staged[Symbol.asyncDispose]();
});

/** Panels ask when they are seen. */
async function seeAll(page: Page): Promise<void> {
  const panels = page.locator('.panel');
  const count = await panels.count();
  for (let i = 0; i < count; i++) {
    const panel = panels.nth(i);
    await panel.scrollIntoViewIfNeeded();
    await panel.locator('.waiting').waitFor({ state: 'detached' });
  }
}

describe.each(dashboards.map((dashboard) => [dashboard.uid, dashboard] as const))('%s', (uid, dashboard) => {
  it('draws each panel of its JSON, with what the story has of it', async () => {
    const { page, faults, origins } = await openPage(browser, { viewport: { width: 1500, height: 1000 } });
    const { files, repaired } = staged.story.mesh;
    const file = files.slice(10, 40).find((each) => repaired.has(each))?.index ?? '';
    await page.goto(`${staged.stage.url}/dashboards/${uid}?from=now-6h&var-file=${file}`);
    await page.locator('.panel').first().waitFor();
    await seeAll(page);
    const panels = panelsOf(dashboard);
    expect(await page.locator('.panel').count()).toBe(panels.length);
    expect(await page.locator('[role=alert]').allTextContents()).toEqual([]);
    const drawn = await page.locator('.panel').evaluateAll((all) =>
      all.map((panel) => ({
        title: panel.querySelector('h3')?.textContent ?? '',
        isDrawn: panel.querySelector('canvas, table, .stats li, .timeline') !== null,
        isEmpty: panel.querySelector('.empty') !== null,
      })),
    );
    expect(drawn.filter(({ isDrawn, isEmpty }) => !isDrawn && !isEmpty)).toEqual([]);
    expect(drawn.filter(({ isDrawn }) => isDrawn).length / drawn.length).toBeGreaterThan(0.6);
    await expectAccessible(page, uid);
    expect(await page.evaluate('document.querySelectorAll("*").length')).toBeLessThan(6000);
    expect(faults).toEqual([]);
    expect([...origins]).toEqual([staged.stage.url]);
    await page.close();
  });
});

describe('a dashboard', () => {
  it('is led by its span, its variables and its links, which stand in the address', async () => {
    const { page, faults } = await openPage(browser, { viewport: { width: 1500, height: 1000 } });
    await page.goto(`${staged.stage.url}/dashboards?from=now-6h`);
    await page.locator('.panel table a', { hasText: 'domain-lost' }).waitFor();
    expect(await page.locator('.panel table a', { hasText: 'domain-lost' }).getAttribute('href')).toBe(
      '/runbooks/MeshwardDomainLost.md',
    );
    await page.getByRole('combobox', { name: 'Policy' }).selectOption('3-of-10');
    await page.waitForURL(/var-policy=3-of-10/);
    await page.locator('#span').selectOption('24 hours');
    await page.waitForURL(/from=now-24h/);
    await page.locator('.panel table a', { hasText: 'south' }).first().click();
    await page.waitForURL(/dashboards\/meshward-damage\?.*var-kind=region/);
    await page.locator('h1', { hasText: 'Damage' }).waitFor();
    expect(await page.getByRole('combobox', { name: 'Domain kind' }).inputValue()).toBe('region');
    expect(faults).toEqual([]);
    await page.close();
  });

  it('fits a phone', async () => {
    const { page } = await openPage(browser, { viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
    await page.goto(`${staged.stage.url}/dashboards?from=now-6h`);
    await page.locator('.panel .stats li').first().waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    await expectAccessible(page, 'a dashboard on a phone');
    await page.close();
  });

  it('says how to have them where no user who only reads is named', async () => {
    await using stage = await openStage({ mesh: meshes.noon() });
    const { page, faults } = await openPage(browser);
    await page.goto(`${stage.url}/dashboards`);
    await page.getByText('clickhouse.readerUsername').waitFor();
    await expectAccessible(page, 'without a reader');
    expect(faults).toEqual([]);
    await page.close();
  });
});

describe('the user that it asks as', () => {
  const ask = async (path: string, body: unknown): Promise<Response> =>
    fetch(`${staged.stage.url}/page/dashboards/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  it('answers what the JSON asks, and nothing else can be asked', async () => {
    const question = { from: 'now-6h', to: 'now', variables: {} };
    expect((await ask('meshward-mesh/variables', question)).status).toBe(200);
    expect((await ask('meshward-mesh/variables', { ...question, sql: 'SELECT 1' })).status).toBe(200);
    for (const [path, body] of [
      ['meshward-mesh/variables', { ...question, from: 'now-6h) OR 1' }],
      ['meshward-mesh/panels/9999', question],
      ['other/variables', question],
      ['meshward-mesh/variables', { from: 'now-6h' }],
    ] as const)
      expect([path, (await ask(path, body)).status]).toEqual([path, 400]);
  });
});
