import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { Supervisor } from './supervisor.ts';

const program = fileURLToPath(new URL('./testing/still-service.ts', import.meta.url));
const waits = { timeout: 60_000 };
const longestMs = 10_000;

class Stage implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly supervisor = new Supervisor({ clock: this.clock, note: () => undefined, program });

  constructor(...words: readonly string[]) {
    this.supervisor.start({ name: 'still', arguments: words }).catch(() => undefined);
  }

  get #state() {
    return this.supervisor.states()[0];
  }

  async isReady(): Promise<void> {
    await expect.poll(() => this.#state?.state, waits).toBe('ready');
  }

  /** @returns how long it waits until it is started again. */
  async delayAfterKill(): Promise<number | undefined> {
    process.kill(this.#state?.pid as number, 'SIGKILL');
    await expect.poll(() => this.clock.pendingDelaysMs.length, waits).toBe(1);
    return this.clock.pendingDelaysMs[0];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.supervisor.stop();
  }
}

test('a service that ends again and again waits longer each time, until it was ready for as long as it waits at most', async () => {
  await using stage = new Stage();
  for (const delayMs of [100, 200, 400]) {
    await stage.isReady();
    await stage.clock.advance(longestMs - 1);
    expect(await stage.delayAfterKill()).toBe(delayMs);
    await stage.clock.advance(delayMs);
  }
  await stage.isReady();
  await stage.clock.advance(longestMs);
  expect(await stage.delayAfterKill()).toBe(100);
});

test('one that never gets ready waits longer each time, however long it tries', async () => {
  await using stage = new Stage('unready');
  for (const delayMs of [100, 200, 400]) {
    await stage.clock.advance(10 * longestMs);
    expect(await stage.delayAfterKill()).toBe(delayMs);
    await stage.clock.advance(delayMs);
  }
});
