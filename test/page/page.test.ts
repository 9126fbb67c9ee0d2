/** The page in a real browser, before acted meshes: every view, in every state that it can be in. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectAccessible, openPage, startBrowser } from './browser.ts';
import { meshes } from './meshes.ts';
import { openStage, type Stage } from './stage.ts';

let browser: Browser;
const stages = new Map<string, Stage>();

beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => {
  await browser.close();
  await Promise.all([...stages.values()].map((stage) => stage.close()));
});

async function stageOf(name: keyof typeof meshes): Promise<Stage> {
  const known = stages.get(name) ?? (await openStage({ mesh: meshes[name](), guide: name === 'noon' }));
  stages.set(name, known);
  return known;
}

const views = ['/', '/alerts', '/files', '/repairs', '/campaigns', '/exposure', '/resilience', '/peers'] as const;

describe.each(['noon', 'lost', 'empty', 'stale', 'huge'] as const)('of a mesh at %s', (name) => {
  it.each(views)('%s is drawn, is accessible, and asks nobody else', async (view) => {
    const stage = await stageOf(name);
    const { page, faults, origins } = await openPage(browser);
    await page.goto(`${stage.url}${view}`);
    await page.locator('#freshness[data-state]:not([data-state=unknown])').waitFor();
    await page.locator('.waiting').first().waitFor({ state: 'detached' });
    await expectAccessible(page, `${name} ${view}`);
    expect(await page.locator('[role=alert]').count()).toBe(0);
    expect(await page.evaluate('document.querySelectorAll("*").length')).toBeLessThan(2500);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    expect(faults).toEqual([]);
    expect([...origins]).toEqual([stage.url]);
    await page.close();
  });
});

describe('dark, and as wide as a phone', () => {
  it.each(views)('%s fits and is accessible', async (view) => {
    const stage = await stageOf('lost');
    const { page, faults } = await openPage(browser, { colorScheme: 'dark', viewport: { width: 380, height: 800 } });
    await page.goto(`${stage.url}${view}`);
    await page.locator('.waiting').first().waitFor({ state: 'detached' });
    await page.locator('#freshness[data-state=fresh]').waitFor();
    await expectAccessible(page, view);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    expect(faults).toEqual([]);
    await page.close();
  });
});

describe('the verdict', () => {
  it.each([
    ['noon', 'good', 'All 480 files can be recovered'],
    ['lost', 'bad', '11 of 480 files cannot be recovered now'],
    ['empty', 'quiet', 'No file is known yet'],
    ['stale', 'warn', 'Not known: health is stale'],
  ] as const)('of %s is %s', async (name, tone, words) => {
    const stage = await stageOf(name);
    const { page } = await openPage(browser);
    await page.goto(stage.url);
    await page.locator(`#answer[data-tone=${tone}]`, { hasText: words }).waitFor();
    await page.close();
  });

  it('is withdrawn when the analyzer is lost, and comes back with it', async () => {
    const stage = await openStage({ mesh: meshes.noon() });
    const { page } = await openPage(browser, {}, /Failed to load|ERR_/);
    await page.goto(stage.url);
    await page.locator('#answer[data-tone=good]').waitFor();
    await stage.close();
    await page.locator('#answer', { hasText: 'the page has lost the analyzer' }).waitFor();
    await page.locator('#freshness[data-state=stale]').waitFor();
    await page.close();
  });
});

describe('while the database', () => {
  const asksIt = ['/repairs', '/exposure', '/resilience'] as const;

  it('hangs, views say that they are asking, and live figures are there', async () => {
    await using stage = await openStage({ mesh: meshes.noon(), storeHangs: true });
    const { page, faults } = await openPage(browser);
    for (const view of asksIt) {
      await page.goto(`${stage.url}${view}`);
      await page.locator('.waiting').first().waitFor();
      await page.locator('#answer[data-tone=good]').waitFor();
      await expectAccessible(page, view);
    }
    expect(faults).toEqual([]);
    await page.close();
  });

  it('is away, views say so and what to do, and live figures are there', async () => {
    await using stage = await openStage({ mesh: meshes.noon(), storeIsAway: true });
    const { page, faults } = await openPage(browser, {}, /503/);
    for (const view of asksIt) {
      await page.goto(`${stage.url}${view}`);
      await page.locator('[role=alert]', { hasText: 'ClickHouse does not answer' }).first().waitFor();
      expect(await page.locator('[role=alert]').first().textContent()).toContain('meshward doctor');
      await page.locator('#answer[data-tone=good]').waitFor();
      await expectAccessible(page, view);
    }
    expect(faults).toEqual([]);
    await page.close();
  });
});

describe('by keyboard alone', () => {
  it('one gets past the views to the figures, from view to view, into a file and out of it', async () => {
    const stage = await stageOf('lost');
    const { page } = await openPage(browser);
    await page.goto(stage.url);
    await page.locator('#answer[data-tone=bad]').waitFor();
    const focused = (): Promise<string> =>
      page.evaluate('document.activeElement.textContent.trim()') as Promise<string>;
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('To the figures');
    await page.keyboard.press('Tab');
    for (const name of ['Mesh', 'Alerts', 'Files at risk']) {
      await page.keyboard.press('Tab');
      expect(await focused()).toContain(name);
    }
    await page.keyboard.press('Enter');
    await page.locator('#at-risk tr').first().waitFor();
    expect(await page.evaluate('document.activeElement.id')).toBe('view');
    expect(await page.title()).toBe('Files at risk · Meshward');
    await page.locator('#at-risk a').first().focus();
    await page.keyboard.press('Enter');
    await page.locator('dialog[open] .sharemap li').first().waitFor();
    await expectAccessible(page, 'the drawer of a file');
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    expect(new URL(page.url()).search).toBe('');
    await page.close();
  });
});

describe('a file', () => {
  it('is explained: each share, where it is and why it counts, and what repair does', async () => {
    const stage = await stageOf('lost');
    const [worst] = stage.mesh.listed;
    const { page, faults } = await openPage(browser);
    await page.goto(`${stage.url}/files`);
    await page.getByPlaceholder('storage index').fill(worst?.health.storageIndex ?? '');
    await page.getByRole('button', { name: 'Explain' }).click();
    const drawer = page.locator('dialog[open]');
    await drawer.getByText('It cannot be recovered now: 6 shares short').waitFor();
    await drawer.getByText('6 more shares are needed to rebuild any').waitFor();
    expect(await drawer.locator('.sharemap li').count()).toBe(100);
    expect(await drawer.locator('.sharemap li[data-share=available]').count()).toBe(19);
    expect(await drawer.locator('tbody tr').count()).toBe(worst?.placements.length);
    expect(await drawer.textContent()).toContain('does not count: its peer is down beyond its grace');
    expect(faults).toEqual([]);
    await page.close();
  });

  it('that is none is not asked for, and one that nobody knows is said to be unknown', async () => {
    const stage = await stageOf('lost');
    const { page } = await openPage(browser, {}, /404/);
    await page.goto(`${stage.url}/files`);
    await page.getByPlaceholder('storage index').fill('nonsense');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.getByText('A storage index is 26 characters').waitFor();
    await page.goto(`${stage.url}/files?file=${'a'.repeat(26)}`);
    await page.locator('dialog [role=alert]', { hasText: 'nothing is known of a file' }).waitFor();
    await page.close();
  });

  it('lists are paged', async () => {
    const stage = await stageOf('lost');
    const { page } = await openPage(browser);
    await page.goto(`${stage.url}/files`);
    await page.getByText('1–50 of 229').waitFor();
    await page.getByRole('button', { name: 'After' }).click();
    await page.getByText('51–100 of 229').waitFor();
    await page.goBack();
    await page.getByText('1–50 of 229').waitFor();
    await page.close();
  });
});

describe('what changes', () => {
  it('is drawn by itself', async () => {
    await using stage = await openStage({ mesh: meshes.noon() });
    const { page } = await openPage(browser);
    await page.goto(stage.url);
    await page.locator('#domains [aria-label="14 of 14 peers up"]').first().waitFor();
    stage.mesh.becomes('cedar-03', 'down');
    await page.locator('#domains [aria-label="13 of 14 peers up, 1 down"]').waitFor();
    await page.close();
  });

  it('in what if is answered by the analyzer', async () => {
    const stage = await stageOf('noon');
    const { page } = await openPage(browser);
    await page.goto(`${stage.url}/resilience`);
    await page.locator('#any-peers', { hasText: '43' }).waitFor();
    await page.locator('input[type=range]').nth(1).fill('90');
    await page.locator('#any-peers', { hasText: '68' }).waitFor();
    await page.locator('input[type=range]').first().fill('118');
    await page
      .locator('.figure', { hasText: 'of 480 files lost with 118 peers' })
      .getByText('480', { exact: true })
      .waitFor();
    await page.close();
  });
});

describe('ten thousand peers', () => {
  it('are searched and paged by the analyzer, and the page stays small', async () => {
    const stage = await stageOf('huge');
    const { page, faults } = await openPage(browser);
    let received = 0;
    page.on('response', (response) => {
      void response.body().then(
        (body) => {
          if (new URL(response.url()).pathname.startsWith('/v1/')) received += body.length;
        },
        () => undefined,
      );
    });
    await page.goto(`${stage.url}/peers`);
    await page.getByText('10,000 peers').waitFor();
    expect(await page.locator('#peers tr').count()).toBe(50);
    await page.getByLabel('Name or id').fill('larch-12');
    await page.locator('#peers tr[data-peer^="larch-12"]').first().waitFor();
    await page.getByRole('combobox', { name: 'State' }).selectOption('down');
    await page.locator('#peers tr').first().waitFor();
    expect(await page.evaluate('document.querySelectorAll("*").length')).toBeLessThan(1500);
    expect(received).toBeLessThan(400_000);
    expect(faults).toEqual([]);
    await page.close();
  });
});

it('a newcomer is told what is happening and what to try', async () => {
  const stage = await stageOf('noon');
  const { page } = await openPage(browser);
  await page.goto(stage.url);
  const guide = page.locator('.guide');
  await guide.getByText('2 peers are silent, and no file needs repair for it').waitFor();
  expect(await guide.textContent()).toContain('npx meshward peer kill alder-01');
  await page.close();
});

it('an address that is none of its views says so', async () => {
  const stage = await stageOf('noon');
  const response = await fetch(`${stage.url}/nothing`);
  expect(response.status).toBe(404);
});
