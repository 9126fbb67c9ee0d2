import { describe, expect, it } from 'vitest';
import { emptyTotals } from './share-map/totals.ts';
import { WaitingHistory } from './waiting-history.ts';

describe('what waits for the store', () => {
  it('is given out once, in its order', () => {
    const history = new WaitingHistory(() => undefined);
    for (const atMs of [1, 2]) history.addSweep({ totals: emptyTotals(), atMs });
    expect(history.take().sweeps.map(({ atMs }) => atMs)).toEqual([1, 2]);
    expect(history.take()).toEqual({ sweeps: [], exposure: [], alertChanges: [] });
    expect(history.takeStateChanges()).toEqual([]);
  });

  it('loses its oldest beyond a limit, and counts them', () => {
    let dropped = 0;
    const history = new WaitingHistory((rows) => (dropped += rows));
    for (let atMs = 0; atMs < 1500; atMs++) history.addSweep({ totals: emptyTotals(), atMs });
    const { sweeps } = history.take();
    expect([sweeps.length, sweeps[0]?.atMs, sweeps.at(-1)?.atMs, dropped]).toEqual([1000, 500, 1499, 500]);
  });
});
