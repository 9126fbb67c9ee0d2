import { expect, onTestFinished, test } from 'vitest';
import { reserveBlock, reservePeerPorts } from './ports.ts';

async function reserved(count: number): Promise<readonly number[]> {
  const block = await reservePeerPorts(count);
  onTestFinished(() => block.release());
  return block.ports;
}

test('demonstrations with different numbers of peers have ports of their own, though nobody listens on them yet', async () => {
  const counts = [100, 120, 3, 300];
  const blocks: (readonly number[])[] = [];
  for (const count of counts) blocks.push(await reserved(count));
  expect(blocks.map((ports) => ports.length)).toEqual(counts);
  expect(new Set(blocks.flat()).size).toBe(523);
});

test('ports that are given back are taken again, and where there are none left that is told', async () => {
  const [first, last] = [32_100, 32_110];
  const one = await reserveBlock(first, last, 4);
  const other = await reserveBlock(first, last, 4);
  onTestFinished(() => other.release());
  await expect(reserveBlock(first, last, 4)).rejects.toMatchObject({ code: 'service-unavailable' });
  await one.release();
  const again = await reserveBlock(first, last, 4);
  onTestFinished(() => again.release());
  expect(again.ports).toEqual(one.ports);
});
