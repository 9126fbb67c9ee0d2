import { describe, expect, it } from 'vitest';
import { type StaleCause, staleReasonsInWords, staleReasonWords } from './stale-reason.ts';

describe('why health is stale, in words', () => {
  it.each<[StaleCause, string]>([
    [{ kind: 'failed', error: 'the database refuses the rows' }, 'the database refuses the rows'],
    [{ kind: 'nothing-owned' }, 'no partition is owned yet'],
    [{ kind: 'no-tick' }, 'the log has had no tick yet: is a collector running?'],
    [
      { kind: 'old-tick', ageMs: 12_400 },
      "the log's newest tick is 12 s old: collectors are away, or this analyzer lags",
    ],
    [{ kind: 'rebuilding', partitions: 1 }, '1 partition is being rebuilt'],
    [{ kind: 'rebuilding', partitions: 3 }, '3 partitions are being rebuilt'],
    [{ kind: 'store-waiting', waitedMs: 9000 }, 'ClickHouse has not taken anything for 9 s: events wait in the log'],
    [{ kind: 'inventories-owed', peers: 2 }, 'records of the log were never read: 2 peers owe an inventory since'],
    [{ kind: 'unreported', partitions: 1 }, 'no analyzer has told of 1 partition'],
    [{ kind: 'reported', words: 'as it came' }, 'as it came'],
  ])('%j', (cause, words) => {
    expect(staleReasonWords(cause)).toBe(words);
    expect(staleReasonWords({ ...cause, analyzer: 'b' })).toBe(`b: ${words}`);
  });

  it('say once what another analyzer reports too', () => {
    const reasons = staleReasonsInWords([
      { kind: 'no-tick' },
      { kind: 'reported', words: staleReasonWords({ kind: 'no-tick' }), analyzer: 'b' },
      { kind: 'reported', words: 'slow', analyzer: 'b' },
      { kind: 'reported', words: 'slow', analyzer: 'c' },
    ]);
    expect(reasons).toEqual([staleReasonWords({ kind: 'no-tick' }), 'b: slow', 'c: slow']);
  });
});
