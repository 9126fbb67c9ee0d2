import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '#mesh/config/load.ts';
import type { Config } from '#mesh/config/schema.ts';
import { openKeyFolder } from '#tahoe/identity/key-folder.ts';
import { type Context, foldersOf } from './context.ts';
import { pageActions } from './page-actions.ts';

async function actsWith(change: (config: Config) => Config, hasKey = true): Promise<boolean> {
  const dataDir = await mkdtemp(join(tmpdir(), 'meshward-page-'));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  const config = change(loadConfig({ environment: {} }).config);
  if (hasKey) await openKeyFolder(foldersOf(dataDir, config).operatorKey, { commonName: 'meshward-operator' });
  return (await pageActions({ config, dataDir } as Context)) !== null;
}

test('the page acts on loopback, where the operator’s key is', async () => {
  expect(await actsWith((config) => config)).toBe(true);
  expect(await actsWith((config) => config, false)).toBe(false);
});

test.each<[string, (config: Config) => Config]>([
  ['where it is switched off', (config) => ({ ...config, api: { ...config.api, pageActions: false } })],
  ['beyond loopback', (config) => ({ ...config, api: { ...config.api, host: '0.0.0.0' } })],
  ['where people log in', (config) => ({ ...config, access: { ...config.access, tokensFile: '/tokens.json' } })],
  [
    'where a proxy logs them in',
    (config) => ({ ...config, access: { ...config.access, trustedProxies: ['127.0.0.1'] } }),
  ],
])('and only shows %s', async (_where, change) => {
  expect(await actsWith(change)).toBe(false);
});
