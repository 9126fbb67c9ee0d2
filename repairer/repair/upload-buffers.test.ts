import { describe, expect, it } from 'vitest';
import { UploadBuffers } from './upload-buffers.ts';

const never = { urgent: false, signal: new AbortController().signal };

/** What has been let through, in order. */
function waitAll(buffers: UploadBuffers, amounts: readonly number[]): number[] {
  const through: number[] = [];
  for (const bytes of amounts) void buffers.reserve(bytes, never).then(() => through.push(bytes));
  return through;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('memory for uploads', () => {
  it('is given in turn, whole or not at all, and more than there is to one alone', async () => {
    const buffers = new UploadBuffers(100);
    const through = waitAll(buffers, [60, 30, 20, 500, 10]);
    await turn();
    expect([through, buffers.takenBytes, buffers.waiting]).toEqual([[60, 30], 90, 3]);
    buffers.giveBack(60);
    await turn();
    expect(through).toEqual([60, 30, 20]);
    buffers.giveBack(30);
    await turn();
    expect(through).toEqual([60, 30, 20]);
    buffers.giveBack(20);
    await turn();
    expect(through).toEqual([60, 30, 20, 500]);
    buffers.giveBack(500);
    await turn();
    expect([through.at(-1), buffers.takenBytes, buffers.waiting]).toEqual([10, 10, 0]);
  });

  it('lets what is urgent through, and forgets who gives up', async () => {
    const buffers = new UploadBuffers(100);
    await buffers.reserve(100, never);
    await buffers.reserve(70, { ...never, urgent: true });
    const stop = new AbortController();
    const given = buffers.reserve(10, { urgent: false, signal: stop.signal });
    const through = waitAll(buffers, [5]);
    stop.abort(new Error('called off'));
    await expect(given).rejects.toThrow('called off');
    buffers.giveBack(170);
    await turn();
    expect([through, buffers.takenBytes]).toEqual([[5], 5]);
  });

  it('is used again, by those who want as much, and kept to half of the limit', async () => {
    const buffers = new UploadBuffers(100);
    await buffers.reserve(60, never);
    const [first, second] = [buffers.take(20), buffers.take(20)];
    buffers.giveBack(40, first);
    buffers.giveBack(20);
    expect(buffers.take(20)).toBe(first);
    expect(buffers.take(20)).not.toBe(second);
    await buffers.reserve(90, never);
    const large = buffers.take(40);
    buffers.giveBack(45, second);
    buffers.giveBack(45, large);
    expect(buffers.take(40)).toBe(large);
    expect(second).toHaveLength(0); // freed, and not left for the collector of garbage
    expect(buffers.take(20)).toHaveLength(20);
  });
});
