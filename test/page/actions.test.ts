/** What a person changes on the page, and who may. */
import { request } from 'node:http';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectAccessible, openPage, startBrowser } from './browser.ts';
import { meshes } from './meshes.ts';
import { openStage, type Stage } from './stage.ts';

let browser: Browser;
let stage: Stage;

beforeAll(async () => {
  browser = await startBrowser();
  stage = await openStage({ mesh: meshes.lost() });
});
afterAll(async () => {
  await browser.close();
  await stage.close();
});

describe('on the page', () => {
  it('an alert is taken on, silenced with a reason, and the silence is ended', async () => {
    const { page, faults } = await openPage(browser);
    await page.goto(`${stage.url}/alerts`);
    const alert = page.getByRole('article', { name: /zone alder is gone/ });
    await alert.getByRole('button', { name: 'Acknowledge…' }).click();
    await alert.getByLabel(/Why/).fill('replacing the switch');
    await alert.getByRole('button', { name: 'Acknowledge', exact: true }).click();
    await alert.getByText('ada, for 2 h: replacing the switch').waitFor();

    await alert.getByRole('button', { name: 'Silence…' }).click();
    await alert.getByLabel('For').selectOption('8 hours');
    await alert.getByRole('button', { name: 'Silence DomainLost,zone=alder' }).click();
    expect(stage.alerts.silenced, 'without a reason').toEqual([]);
    await alert.getByLabel(/Why/).fill('new switches');
    await expectAccessible(page, 'the form of a silence');
    await alert.getByRole('button', { name: 'Silence DomainLost,zone=alder' }).click();
    await page.locator('#silences tr', { hasText: 'new switches' }).getByText('active').waitFor();
    expect(stage.alerts.silenced[0]).toMatchObject({ selector: 'DomainLost,zone=alder', why: 'new switches' });
    const leftMs = (stage.alerts.silenced[0]?.untilMs ?? 0) - Date.now();
    expect(Math.round(leftMs / 3_600_000)).toBe(8);

    await page.getByRole('button', { name: 'End it' }).click();
    await page.locator('#silences').getByText('ended by ada').waitFor();
    expect(faults).toEqual([]);
    await page.close();
  });
});

describe('from elsewhere', () => {
  const body = JSON.stringify({ selector: 'DomainLost', forMs: 60_000, why: 'mischief' });

  /** As any program could send it: fetch would not let us name the host. */
  function post(headers: Readonly<Record<string, string>>, path = '/page/silences'): Promise<number> {
    return new Promise((resolve, reject) => {
      const { port } = new URL(stage.url);
      const sent = request({ host: '127.0.0.1', port, path, method: 'POST', headers }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      sent.once('error', reject);
      sent.end(body);
    });
  }

  it.each([
    ['of no page', { origin: '' }],
    ['of a page of another address', { origin: 'http://evil.example' }],
    ['of a page of another port', { origin: 'http://127.0.0.1:1' }],
    ['by a name that somebody made to lead here', { host: 'evil.example', origin: 'http://evil.example' }],
    ['as a form could send it', { 'content-type': 'text/plain' }],
    ['that the browser says is of another site', { 'sec-fetch-site': 'cross-site' }],
  ])('a wish %s is refused', async (_words, odd) => {
    const before = stage.alerts.silenced.length;
    const { host } = new URL(stage.url);
    const own = { host, origin: stage.url, 'content-type': 'application/json' };
    expect(await post({ ...own, ...odd })).toBe(403);
    expect(stage.alerts.silenced).toHaveLength(before);
  });

  it('a wish of this address is taken, and one that makes no sense is not', async () => {
    const { host } = new URL(stage.url);
    const own = { host, origin: stage.url, 'content-type': 'application/json' };
    expect(await post(own)).toBe(200);
    expect(await post(own, '/page/silences/none/end')).toBe(400);
    expect(await post(own, '/page/acknowledgements')).toBe(400);
  });
});
