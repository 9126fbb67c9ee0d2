import { describe, expect, it } from 'vitest';
import { settle } from '#mesh/testing/manual-clock.ts';
import { Rebuilds } from './rebuilds.ts';

const assigned = (partition: number, generation = 1) => {
  return { topic: 't', partition, generation, committedOffset: null };
};
const neverFails = (error: unknown): void => expect.fail(`failed: ${String(error)}`);

describe('partitions on their way', () => {
  it('are rebuilt one after the other', async () => {
    const rebuilds = new Rebuilds();
    const begun: number[] = [];
    const firstDone = Promise.withResolvers<void>();
    const rebuild = ({ partition }: { partition: number }): Promise<void> => {
      begun.push(partition);
      return partition === 1 ? firstDone.promise : Promise.resolve();
    };
    rebuilds.begin(assigned(1), rebuild, neverFails);
    rebuilds.begin(assigned(2), rebuild, neverFails);
    await settle();
    expect([begun, rebuilds.count]).toEqual([[1], 2]);
    firstDone.resolve();
    await rebuilds.ended(assigned(2));
    expect([begun, rebuilds.count]).toEqual([[1, 2], 0]);
  });

  it('are left where they are when they go again, whatever the database does, and the next one begins', async () => {
    const rebuilds = new Rebuilds();
    let signal: AbortSignal | undefined;
    const hanging = (_assigned: unknown, given: AbortSignal): Promise<void> => {
      signal = given;
      return new Promise(() => undefined);
    };
    rebuilds.begin(assigned(1), hanging, neverFails);
    rebuilds.begin(assigned(2), () => Promise.resolve(), neverFails);
    await settle();
    rebuilds.leave(assigned(1, 99));
    expect(signal?.aborted).toBe(false);
    rebuilds.leave(assigned(1));
    await rebuilds.ended(assigned(1));
    await rebuilds.ended(assigned(2));
    expect([signal?.aborted, rebuilds.count]).toEqual([true, 0]);
  });

  it('that waited and were left are not begun', async () => {
    const rebuilds = new Rebuilds();
    const firstDone = Promise.withResolvers<void>();
    rebuilds.begin(assigned(1), () => firstDone.promise, neverFails);
    rebuilds.begin(assigned(2), () => expect.fail('begun'), neverFails);
    rebuilds.leave(assigned(2));
    firstDone.resolve();
    await rebuilds.ended(assigned(2));
  });

  it('say what they fail with', async () => {
    const rebuilds = new Rebuilds();
    const failures: unknown[] = [];
    rebuilds.begin(
      assigned(1),
      () => Promise.reject(new Error('another log')),
      (error) => failures.push(error),
    );
    await rebuilds.ended(assigned(1));
    expect(failures).toEqual([new Error('another log')]);
  });
});
