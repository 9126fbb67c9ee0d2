import { describe, expect, it } from 'vitest';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import type { DisputedProofs } from '#store/queries/disputed-proofs.ts';
import { DisputeWatch } from './proof-alerts.ts';

const disputed: DisputedProofs = { files: 4, bytes: 400, examples: ['a', 'b', 'c', 'd'] };
const none: DisputedProofs = { files: 0, bytes: 0, examples: [] };

describe('proofs that disagree with the margin', () => {
  it('page with the files at stake, and end when nothing is disputed any more', async () => {
    const clock = new ManualClock();
    const answers = [disputed, none];
    const watch = new DisputeWatch({
      ask: () => Promise.resolve(answers.shift() ?? none),
      clock,
      complain: () => undefined,
    });
    expect(watch.alerts()).toEqual([]);
    expect(watch.isKnown).toBe(false);
    await Promise.resolve();
    expect(watch.isKnown).toBe(true);
    const [alert] = watch.alerts();
    expect(alert).toMatchObject({ key: 'proof-disagrees', severity: 'page', files: 4, bytes: 400 });
    expect(alert?.summary).toContain('a, b, c and more');
    await clock.advance(60_000);
    watch.alerts();
    await Promise.resolve();
    expect(watch.alerts()).toEqual([]);
  });

  it('stay as they are while the store does not answer', async () => {
    const clock = new ManualClock();
    const complaints: string[] = [];
    const answers = [() => Promise.resolve(disputed), () => Promise.reject(new Error('away'))];
    const watch = new DisputeWatch({
      ask: () => answers.shift()?.() ?? Promise.resolve(none),
      clock,
      complain: (_error, message) => void complaints.push(message),
    });
    watch.alerts();
    await Promise.resolve();
    await clock.advance(60_000);
    watch.alerts();
    await new Promise((resolve) => setImmediate(resolve));
    expect(watch.alerts()).toHaveLength(1);
    expect(complaints).toHaveLength(1);
  });
});
