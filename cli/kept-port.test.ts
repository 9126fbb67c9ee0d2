import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { keptPort } from './kept-port.ts';

test('a port is found once and kept; one that another program has taken is given up for another that is kept', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'meshward-port-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const path = join(directory, 'made', 'port');
  const first = await keptPort(path);
  expect(first).toBeGreaterThan(0);
  expect(await keptPort(path)).toBe(first);
  expect(await keptPort(path, 7)).toBe(7);
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(first, '127.0.0.1', resolve));
  onTestFinished(() => void other.close());
  const second = await keptPort(path);
  expect(second).not.toBe(first);
  expect(await keptPort(path)).toBe(second);
});
