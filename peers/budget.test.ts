import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PeerId } from '#mesh/peer-id.ts';
import { ManualClock, settle } from '#mesh/testing/manual-clock.ts';
import { createBudget } from './budget.ts';

const peerId = Buffer.alloc(32, 1).toString('base64url') as PeerId;
const other = Buffer.alloc(32, 2).toString('base64url') as PeerId;

describe('the budget', () => {
  it('never lets more through than a second of burst and the rate since, whatever is asked', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 3_000 }), pauseMs: fc.nat(900) }), {
          minLength: 1,
          maxLength: 20,
        }),
        async (requests) => {
          const clock = new ManualClock();
          const budget = createBudget({ bytesPerSecond: 1_000 }, clock);
          let spent = 0;
          let last = 0;
          for (const { bytes, pauseMs } of requests) {
            void budget.spend({ bytes, peerId, domains: {}, urgent: false }).then(() => {
              spent += bytes;
              last = bytes;
              // The request that is let through may end in debt, by no more than itself.
              expect(spent - last).toBeLessThanOrEqual(1_000 + clock.monotonicMs() + 1);
            });
            await clock.advance(pauseMs);
          }
          await clock.advance(100_000);
          expect(spent).toBe(requests.reduce((sum, request) => sum + request.bytes, 0));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('lets critical work through at once, on the account of the others', async () => {
    const clock = new ManualClock();
    const budget = createBudget({ bytesPerSecond: 100 }, clock);
    await budget.spend({ bytes: 1_000, peerId, domains: {}, urgent: true });
    let through = false;
    void budget.spend({ bytes: 10, peerId, domains: {}, urgent: false }).then(() => {
      through = true;
    });
    await clock.advance(9_000);
    expect(through).toBe(false);
    await clock.advance(200);
    expect(through).toBe(true);
  });

  it('limits a peer and a domain by themselves', async () => {
    const clock = new ManualClock();
    const budget = createBudget({ bytesPerSecond: 0, peerBytesPerSecond: 100, domainBytesPerSecond: 150 }, clock);
    const through: string[] = [];
    const spend = (name: string, id: PeerId, zone: string): void => {
      void budget.spend({ bytes: 100, peerId: id, domains: { zone }, urgent: false }).then(() => through.push(name));
    };
    spend('first', peerId, 'a');
    spend('same peer', peerId, 'b');
    spend('same zone', other, 'a');
    await settle();
    expect(through).toEqual(['first']);
    await clock.advance(400);
    expect(through).toEqual(['first', 'same zone']);
    await clock.advance(700);
    expect(through).toEqual(['first', 'same zone', 'same peer']);
  });

  it('gives back what was not spent because the work was called off', async () => {
    const clock = new ManualClock();
    const budget = createBudget({ bytesPerSecond: 100 }, clock);
    await budget.spend({ bytes: 100, peerId, domains: {}, urgent: false });
    const stop = new AbortController();
    const waiting = budget.spend({ bytes: 1_000_000, peerId, domains: {}, urgent: false, signal: stop.signal });
    stop.abort(new Error('stopping'));
    await expect(waiting).rejects.toThrow('stopping');
    let through = false;
    void budget.spend({ bytes: 100, peerId, domains: {}, urgent: false }).then(() => {
      through = true;
    });
    await clock.advance(1_100);
    expect(through).toBe(true);
    expect(clock.pendingDelaysMs).toEqual([]);
  });
});
