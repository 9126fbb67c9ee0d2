import { describe, expect, it } from 'vitest';
import { countShares, needsRepair, sharesToRestore } from './share-counts.ts';

describe('the shares of a file', () => {
  it('are counted by number, each in the best state of its peers', () => {
    const shares = [
      { shareNumber: 0, state: 'up' },
      { shareNumber: 0, state: 'down' },
      { shareNumber: 1, state: 'suspect' },
      { shareNumber: 2, state: 'maintenance' },
      { shareNumber: 3, state: 'draining' },
      { shareNumber: 4, state: 'down' },
      { shareNumber: 5, state: 'departed' },
    ] as const;
    expect(countShares(shares)).toEqual({ available: 2, counted: 3, retained: 5 });
  });

  it('need repair below the threshold, and are restored up to the goal', () => {
    const policy = { repairBelow: 6, repairUpTo: 9 };
    expect([needsRepair(5, policy), needsRepair(6, policy)]).toEqual([true, false]);
    expect([sharesToRestore(5, policy), sharesToRestore(9, policy), sharesToRestore(10, policy)]).toEqual([4, 0, 0]);
  });
});
