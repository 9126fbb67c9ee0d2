import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readTokenFile } from '#access/token-file.ts';
import { checkToken } from '#access/tokens.ts';
import { systemClock } from '#mesh/clock.ts';
import { loadConfig } from '#mesh/config/load.ts';
import { createKeys, rotateKey, showKeys } from './key-files.ts';
import { firstOperators, openCollectorKey, openLeaseSecret, openOperatorKey } from './service-keys.ts';

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'meshward-keys-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

/** As a service is configured that has them mounted. */
function mounted(folder: string) {
  const config = {
    ...loadConfig({ environment: {} }).config,
    keys: {
      collectorKeyFile: join(folder, 'collector/collector.key.pem'),
      operatorsFile: join(folder, 'collector/operators'),
      operatorKeyFile: join(folder, 'operator/operator.key.pem'),
      leaseSecretFile: join(folder, 'repairer/lease-secret'),
    },
  };
  return { config, dataDir: join(folder, 'nothing-here') };
}

test('keys that are made are what services open, and no service writes beside them', async () => {
  const folder = await newFolder();
  const made = await createKeys(folder);
  const where = mounted(folder);
  const { identity, otherPins } = await openCollectorKey(where);
  expect([identity.peerId, ...otherPins]).toEqual(made.collectorPins);
  expect(await firstOperators(where)).toEqual([{ id: made.operatorId, name: 'first operator' }]);
  expect((await openOperatorKey(where)).peerId).toBe(made.operatorId);
  expect(await openLeaseSecret(where, 'repairer')).toHaveLength(32);
  expect((await stat(join(folder, 'operator/operator.key.pem'))).mode & 0o777).toBe(0o600);
  await expect(stat(where.dataDir)).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(createKeys(folder)).rejects.toMatchObject({ code: 'bad-input' });
});

test('the collector’s key is replaced in three steps, and in each what is shown was taken in the one before', async () => {
  const folder = await newFolder();
  const pins = [(await createKeys(folder)).collectorPins];
  for (let step = 1; step <= 3; step++) {
    expect((await rotateKey(folder, 'collector')).step).toBe(step);
    pins.push((await showKeys(folder)).collectorPins);
  }
  for (let at = 1; at < pins.length; at++) expect(pins[at - 1]).toContain(pins[at]?.[0]);
  expect(pins.at(-1)).toHaveLength(1);
  expect(pins.at(-1)).not.toEqual(pins[0]);
  expect((await rotateKey(folder, 'collector')).step).toBe(1);
});

test('an operator’s key is replaced in two steps: both command between them', async () => {
  const folder = await newFolder();
  const before = await createKeys(folder);
  await rotateKey(folder, 'operator');
  const between = await showKeys(folder);
  expect(between.operatorId).toBe(before.operatorId);
  expect(between.operators).toHaveLength(2);
  const { next } = await rotateKey(folder, 'operator');
  expect(next).toContain(before.operatorId);
  const after = await showKeys(folder);
  expect(after.operators.map(({ id }) => id)).toEqual([after.operatorId]);
  expect(between.operators.map(({ id }) => id)).toContain(after.operatorId);
});

test('the token of services is replaced in one step, and the old one is good besides', async () => {
  const folder = await newFolder();
  await createKeys(folder);
  const token = () => readFile(join(folder, 'access/token'), 'utf8');
  const before = (await token()).trim();
  await rotateKey(folder, 'access');
  const after = (await token()).trim();
  expect(after).not.toBe(before);
  const records = new Map((await readTokenFile(join(folder, 'access/tokens.json'))).map((each) => [each.id, each]));
  for (const text of [before, after])
    expect(checkToken(text, records, systemClock.nowMs())).toMatchObject({ kind: 'good' });
  expect(await readFile(join(folder, 'access/session-key'))).toHaveLength(32);
});

test('a key that others can read is refused; one that the service’s group can read is not', async () => {
  const folder = await newFolder();
  await createKeys(folder);
  const where = mounted(folder);
  const path = where.config.keys.collectorKeyFile;
  await chmod(path, 0o440);
  await openCollectorKey(where);
  await chmod(path, 0o444);
  await expect(openCollectorKey(where)).rejects.toMatchObject({ code: 'config-invalid' });
});

test.each(['', 'no key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'])(
  'a file that holds no key is refused, and not repeated: %j',
  async (text) => {
    const folder = await newFolder();
    await createKeys(folder);
    const where = mounted(folder);
    await writeFile(where.config.keys.collectorKeyFile, text);
    const refused = await openCollectorKey(where).catch((error: Error) => error);
    expect(refused).toBeInstanceOf(Error);
    expect((refused as Error).message).not.toContain('AAAA');
  },
);
