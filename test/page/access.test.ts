/** What the page asks and changes, where it needs a login. */
import { expect, it, onTestFinished } from 'vitest';
import { guardedApp } from '#access/testing/guarded-app.ts';
import { addActionRoutes } from '#dashboards/page/action-routes.ts';
import { addBoardRoutes } from '#dashboards/page/boards/board-routes.ts';
import { defaultRetention } from '#store/retention.ts';
import { expectAccessible, openPage, startBrowser } from './browser.ts';
import { meshes } from './meshes.ts';
import { openStage } from './stage.ts';

it('whoever may look may ask dashboards, and only operators silence', async () => {
  const silenced: string[] = [];
  const { app, tokens } = await guardedApp({
    addRoutes(routes) {
      addActionRoutes(routes, {
        nowMs: () => 0,
        silence: ({ selector }) => {
          silenced.push(selector);
          return Promise.resolve({ id: 'x' });
        },
        endSilence: () => Promise.resolve(),
        acknowledge: () => Promise.resolve(),
      });
      const answer = { columns: [{ name: 'choice', type: 'String' }], rows: [['25-of-100']] };
      const reader = { ask: () => Promise.resolve(answer), close: () => Promise.resolve() };
      addBoardRoutes(routes, { retention: defaultRetention, reader, database: 'mesh', nowMs: () => 1_700_000_000_000 });
    },
  });
  const post = async (url: string, payload: object, token: string | null): Promise<number> => {
    const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
    const headers = { host: '127.0.0.1:7700', origin: 'http://127.0.0.1:7700', ...authorization };
    return (await app.inject({ method: 'POST', url, headers, payload })).statusCode;
  };
  const question = { from: 'now-6h', to: 'now', variables: {} };
  const wish = { selector: 'DomainLost', forMs: 60_000, why: 'switches' };
  const board = '/page/dashboards/meshward-mesh/variables';
  expect(await post(board, question, null)).toBe(401);
  expect(await post(board, question, tokens.viewer)).toBe(200);
  expect(await post('/page/silences', wish, null)).toBe(401);
  expect(await post('/page/silences', wish, tokens.viewer)).toBe(403);
  expect(silenced).toEqual([]);
  expect(await post('/page/silences', wish, tokens.operator)).toBe(200);
  expect(silenced).toEqual(['DomainLost']);
});

it('who logs in sees as whom, and can leave again', async () => {
  const { access, tokens } = await guardedApp();
  const stage = await openStage({ mesh: meshes.noon(), access });
  const browser = await startBrowser();
  onTestFinished(async () => {
    await browser.close();
    await stage.close();
  });
  const { page, faults } = await openPage(browser);
  await page.goto(`${stage.url}/peers`);
  await page.getByLabel('Access token').fill(tokens.viewer);
  await page.getByRole('button').click();
  await page.waitForURL(`${stage.url}/peers`);
  await page.getByText('wanda (viewer)').waitFor();
  await expectAccessible(page, 'logged in');
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.waitForURL(`${stage.url}/login`);
  await page.goto(`${stage.url}/peers`);
  expect(new URL(page.url()).pathname).toBe('/login');
  expect(faults).toEqual([]);
});
