import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

test('a service whose supervisor went before it could listen for that is asked to end', async () => {
  const service = fileURLToPath(new URL('./testing/late-listener.ts', import.meta.url));
  const child = fork(service, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  child.disconnect();
  const ended = once(child, 'exit');
  expect(await text(child.stdout as Readable)).toBe('supervisor gone\n');
  expect(await ended).toEqual([0, null]);
});
