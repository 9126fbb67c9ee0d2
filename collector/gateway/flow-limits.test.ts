import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Admission } from './admission.ts';
import { Refusal } from './answers.ts';
import { PostOrder } from './post-order.ts';

describe('admission', () => {
  test('bounds requests and bytes, and keeps a quarter of both for small bodies', () => {
    const admission = new Admission({ maxRequests: 8, maxBodyBytes: 1000, smallBodyBytes: 10 });
    const large = Array.from({ length: 6 }, () => admission.admit(100));
    expect(() => admission.admit(100)).toThrow(Refusal);
    const small = [admission.admit(10), admission.admit(10)];
    expect(() => admission.admit(10)).toThrow(Refusal);
    for (const admitted of [...large, ...small]) {
      admitted.release();
      admitted.release();
    }
    expect([admission.requests, admission.bodyBytes]).toEqual([0, 0]);
  });

  test('one caller has no more than its part of the places', () => {
    const admission = new Admission({
      maxRequests: 8,
      maxBodyBytes: 1000,
      smallBodyBytes: 10,
      maxRequestsPerCaller: 2,
    });
    const [first] = [admission.admit(1, 'a'), admission.admit(1, 'a')];
    expect(() => admission.admit(1, 'a')).toThrow(expect.objectContaining({ status: 429, retryAfterMs: 1000 }));
    admission.admit(1, 'b');
    first?.release();
    first?.release();
    admission.admit(1, 'a');
    expect(() => admission.admit(1, 'a')).toThrow(Refusal);
  });

  test('with place for one, a large body is still taken', () => {
    const admission = new Admission({ maxRequests: 1, maxBodyBytes: 1000, smallBodyBytes: 10 });
    admission.admit(500);
    expect(() => admission.admit(1)).toThrow(Refusal);
  });
});

describe('the order of posts', () => {
  test('appends exactly those that are above all that were acknowledged before', async () => {
    const order = fc.record({ incarnation: fc.integer({ min: 1, max: 3 }), sequence: fc.integer({ min: 1, max: 5 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.record({ order, fails: fc.boolean() }), { maxLength: 40 }), async (posts) => {
        const lanes = new PostOrder(10);
        let highest = 0;
        for (const { order, fails } of posts) {
          const rank = order.incarnation * 100 + order.sequence;
          let appended = false;
          const run = lanes.run('lane', order, () => {
            appended = true;
            return fails ? Promise.reject(new Error('log')) : Promise.resolve();
          });
          if (rank <= highest) expect(await run).toEqual({ duplicate: true });
          else if (fails) await expect(run).rejects.toThrow('log');
          else expect(await run).toEqual({ duplicate: false });
          expect(appended).toBe(rank > highest);
          if (rank > highest && !fails) highest = rank;
        }
      }),
    );
  });

  test('a retry waits for the post under way and is then a duplicate; a third one is turned away', async () => {
    const lanes = new PostOrder(10);
    const durable = Promise.withResolvers<void>();
    const first = lanes.run('lane', { incarnation: 1, sequence: 1 }, () => durable.promise);
    const retry = lanes.run('lane', { incarnation: 1, sequence: 1 }, () => Promise.reject(new Error('appended twice')));
    await expect(lanes.run('lane', { incarnation: 1, sequence: 2 }, () => Promise.resolve())).rejects.toMatchObject({
      status: 429,
    });
    expect(await lanes.run('other', { incarnation: 1, sequence: 1 }, () => Promise.resolve())).toEqual({
      duplicate: false,
    });
    durable.resolve();
    expect(await first).toEqual({ duplicate: false });
    expect(await retry).toEqual({ duplicate: true });
  });

  test('one post is under way at a time, also where another comes in the moment that the last one ends', async () => {
    for (let turns = 0; turns < 12; turns++) {
      const lanes = new PostOrder(10);
      let underWay = 0;
      const append = async (): Promise<void> => {
        expect(++underWay).toBe(1);
        await new Promise((resolve) => setImmediate(resolve));
        underWay--;
      };
      const durable = Promise.withResolvers<void>();
      const first = lanes.run('lane', { incarnation: 1, sequence: 1 }, () => durable.promise);
      const second = lanes.run('lane', { incarnation: 1, sequence: 2 }, append);
      durable.resolve();
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      const third = lanes.run('lane', { incarnation: 1, sequence: 3 }, append).catch(() => undefined);
      await Promise.all([first, second, third]);
    }
  });

  test('memory is bounded, and a lane in use is never forgotten', async () => {
    const lanes = new PostOrder(3);
    const durable = Promise.withResolvers<void>();
    const busy = lanes.run('busy', { incarnation: 1, sequence: 7 }, () => durable.promise);
    for (let i = 0; i < 50; i++) await lanes.run(`lane ${i}`, { incarnation: 1, sequence: 1 }, () => Promise.resolve());
    expect(lanes.size).toBeLessThanOrEqual(3);
    durable.resolve();
    await busy;
    expect(await lanes.run('busy', { incarnation: 1, sequence: 7 }, () => Promise.resolve())).toEqual({
      duplicate: true,
    });
  });
});
