import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '#mesh/logger.ts';
import { parsePeerId } from '#mesh/peer-id.ts';
import { openKeptPins } from './kept-pins.ts';

const [a, b, c] = ['A', 'B', 'C'].map((letter) => parsePeerId(`${letter.repeat(42)}A`)) as [string, string, string] &
  ReturnType<typeof parsePeerId>[];

test('what a collector has told counts over restarts, until a person configures another pin', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'meshward-pins-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const open = (...configured: string[]) => openKeptPins(folder, configured.map(parsePeerId), silentLogger);
  const first = await open(a);
  expect(first.accepted).toEqual([a]);
  first.told(`${a}, ${b}`);
  await expect.poll(async () => (await open(a)).accepted).toEqual([a, b]);
  expect((await open(c)).accepted).toEqual([c]);
});
