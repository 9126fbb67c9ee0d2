import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { isGone, ownIdentity } from './process-identity.ts';

test('a process that lives is not gone; one that ended is, also when its pid is used again', async () => {
  const own = ownIdentity();
  expect(isGone(own, own)).toBe(false);
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await once(child, 'spawn');
  const alive = { ...own, pid: child.pid as number, startedAt: '' };
  expect(isGone(alive, own)).toBe(false);
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  expect(isGone(alive, own)).toBe(true);
  if (own.startedAt !== '') expect(isGone({ ...own, startedAt: '1' }, own)).toBe(true);
});

test('nothing is said about a process of another machine or container', () => {
  const own = ownIdentity();
  expect(isGone({ scope: 'elsewhere', pid: 2 ** 22, startedAt: '1' }, own)).toBe(false);
});
