import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { repairersAt } from './running-repairs.ts';

/** A repairer's state page on an address of loopback. */
async function repairer(host: string, port: number, instance: string | null): Promise<number> {
  const state = { running: [], brake: null, queued: {}, ...(instance === null ? {} : { instance }) };
  const server = createServer((_request, response) => response.end(JSON.stringify(state)));
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function countOf(url: string, addresses: readonly string[]): Promise<number> {
  return (await repairersAt([url], systemClock, () => Promise.resolve(addresses))()).repairers;
}

test('a host name stands for every repairer that it leads to, and each is counted once', async () => {
  const port = await repairer('127.0.0.1', 0, 'one');
  await repairer('127.0.0.2', port, 'two');
  await repairer('127.0.0.3', port, 'one');
  const url = `http://repairers.example:${port}`;
  expect(await countOf(url, ['127.0.0.1', '127.0.0.2'])).toBe(2);
  expect(await countOf(url, ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'])).toBe(2);
  expect(await countOf(`http://127.0.0.1:${port}`, ['127.0.0.2', '127.0.0.3'])).toBe(1);
});

test('repairers of earlier releases do not say who they are, and are counted by their addresses', async () => {
  const port = await repairer('127.0.0.1', 0, null);
  await repairer('127.0.0.2', port, null);
  expect(await countOf(`http://repairers.example:${port}`, ['127.0.0.1', '127.0.0.2'])).toBe(2);
});

test('a name that leads nowhere leads to no repairer', async () => {
  const running = repairersAt(['http://nowhere.example:1'], systemClock, () => Promise.reject(new Error('ENOTFOUND')));
  expect((await running()).repairers).toBe(0);
});
