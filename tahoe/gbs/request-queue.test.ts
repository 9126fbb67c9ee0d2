import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { settle } from '#mesh/testing/manual-clock.ts';
import { RequestQueue } from './request-queue.ts';

function started(queue: RequestQueue, peer: string, signal?: AbortSignal): { now: boolean } {
  const state = { now: false };
  void Promise.resolve(queue.acquire(peer, signal)).then(
    () => {
      state.now = true;
    },
    () => undefined,
  );
  return state;
}

describe('the queue of requests', () => {
  it('starts a request when its peer and the whole have room, and holds up no other peer for a full one', async () => {
    const queue = new RequestQueue({ maxRunning: 3, maxRunningPerPeer: 2, maxWaitingPerPeer: 9 });
    const [a1, a2, a3, b1, b2] = ['a', 'a', 'a', 'b', 'b'].map((peer) => started(queue, peer));
    await settle();
    expect([a1, a2, a3, b1, b2].map((each) => each?.now)).toEqual([true, true, false, true, false]);
    queue.release('b');
    await settle();
    // a is full: the room goes to b, although a has waited longer.
    expect([a3?.now, b2?.now]).toEqual([false, true]);
    queue.release('a');
    await settle();
    expect(a3?.now).toBe(true);
  });

  it('lets peers take turns for room in all', async () => {
    const queue = new RequestQueue({ maxRunning: 1, maxRunningPerPeer: 1, maxWaitingPerPeer: 9 });
    started(queue, 'a');
    const [a2, a3, b1] = ['a', 'a', 'b'].map((peer) => started(queue, peer));
    queue.release('a');
    await settle();
    expect([a2?.now, a3?.now, b1?.now]).toEqual([false, false, true]);
    queue.release('b');
    await settle();
    expect([a2?.now, a3?.now]).toEqual([true, false]);
  });

  it('refuses beyond its limit, and lets go of what is given up', async () => {
    const queue = new RequestQueue({ maxRunning: 1, maxRunningPerPeer: 1, maxWaitingPerPeer: 1 });
    const abort = new AbortController();
    started(queue, 'a');
    const waiting = queue.acquire('a', abort.signal);
    expect(() => queue.acquire('a')).toThrow(expect.objectContaining({ code: 'service-busy' }));
    abort.abort(new Error('not needed'));
    await expect(waiting).rejects.toThrow('not needed');
    queue.release('a');
    expect([queue.running, queue.isIdle('a')]).toEqual([0, true]);
  });

  it('keeps its limits and forgets nobody, whatever comes and goes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(3), { maxLength: 60 }), async (peers) => {
        const queue = new RequestQueue({ maxRunning: 4, maxRunningPerPeer: 2, maxWaitingPerPeer: 99 });
        const running = new Map<string, number>();
        let ended = 0;
        const all = peers.map(async (number) => {
          const peer = String(number);
          await queue.acquire(peer);
          running.set(peer, (running.get(peer) ?? 0) + 1);
          expect(running.get(peer)).toBeLessThanOrEqual(2);
          expect(queue.running).toBeLessThanOrEqual(4);
          await new Promise((resolve) => setImmediate(resolve));
          running.set(peer, (running.get(peer) ?? 0) - 1);
          queue.release(peer);
          ended++;
        });
        await Promise.all(all);
        expect([ended, queue.running]).toEqual([peers.length, 0]);
      }),
      { numRuns: 30 },
    );
  });
});
