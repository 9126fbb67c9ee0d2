import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { configSchema } from '#mesh/config/schema.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import { enrolAgent } from './enrol.ts';
import { FakeCollector } from './testing/fake-collector.ts';
import { RecordingLog, runAgent } from './testing/running-agent.ts';

let directory: string;
let log: RecordingLog;
let spent: number;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'meshward-enrol-'));
  log = new RecordingLog();
  spent = 0;
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function enrol(shares: string, refusal?: Error) {
  const identity = await (identities ??= createPeerIdentity());
  return enrolAgent({
    config: configSchema.shape.agent.parse({ shares }),
    identity,
    collector: {
      enrol: () => {
        if (refusal !== undefined) return Promise.reject(refusal);
        spent++;
        const settings = {
          heartbeatMs: 1,
          inventoryIntervalS: 1,
          verifyBytesPerSecond: 0,
          serveBytesPerSecond: 0,
          version: 1,
        };
        return Promise.resolve({ peerId: identity.peerId, domains: { zone: 'bound' }, settings });
      },
    },
    token: 'mwt_once',
    domains: {},
    clock: systemClock,
    log,
  });
}
let identities: ReturnType<typeof createPeerIdentity> | undefined;

test('no token is spent on a folder that is not there, is a file, or is the folder of another peer', async () => {
  await expect(enrol(join(directory, 'mistyped'))).rejects.toMatchObject({
    code: 'config-invalid',
    message: expect.stringContaining('there is no such folder'),
  });
  await writeFile(join(directory, 'file'), '');
  await expect(enrol(join(directory, 'file'))).rejects.toMatchObject({ message: expect.stringContaining('is a file') });
  await enrol(directory);
  expect(spent).toBe(1);
  await writeFile(
    join(directory, 'shares', '.meshward-peer'),
    JSON.stringify({ peerId: 'x', incarnation: 1, generation: 1 }),
  );
  await expect(enrol(directory)).rejects.toMatchObject({ message: expect.stringContaining('another peer') });
  expect(spent).toBe(1);
});

test('the domains are those that the mesh bound, and a token that is used up stops no peer that is enrolled', async () => {
  const used = new MeshwardError('token-invalid', 'used', { next: 'Ask for another.' });
  await expect(enrol(directory, used)).rejects.toBe(used);
  expect((await enrol(directory)).domains).toEqual({ zone: 'bound' });
  expect((await enrol(directory, used)).domains).toEqual({ zone: 'bound' });
  expect(log.lines.map(({ message }) => message)).toEqual([
    'the token cannot be used any more; this peer is enrolled already and goes on',
  ]);
});

test('a second agent on a folder is told that one runs there, until that one has stopped', async () => {
  const first = await runAgent();
  const second = runAgent({ folder: first.folder, collector: new FakeCollector() });
  await expect(second).rejects.toMatchObject({
    code: 'config-invalid',
    message: expect.stringContaining('an agent already runs on'),
  });
  await first.restart();
  await first.agent.settled();
  await first.end();
});
