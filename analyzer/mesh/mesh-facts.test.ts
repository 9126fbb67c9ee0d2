import { beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '#mesh/config/load.ts';
import type { OwnedPartition } from '../files/partition/owned-partition.ts';
import { emptyTotals } from '../files/share-map/totals.ts';
import type { Freshness } from './freshness.ts';
import { MeshFacts } from './mesh-facts.ts';
import { MeshView } from './mesh-view.ts';
import type { StaleReason } from './stale-reason.ts';

const staleAfterMs = 1000;
const { config } = loadConfig({ flags: { 'analyzer.staleAfterMs': staleAfterMs } });
const fresh: Freshness = { state: 'fresh', asOfMs: 5, reasons: [] };
const noTick: Freshness = { state: 'stale', asOfMs: 5, reasons: [{ kind: 'no-tick' }] };

describe('what an analyzer knows of the mesh', () => {
  let now: number;
  let own: Freshness;
  let owned: Map<number, OwnedPartition>;
  let view: MeshView;
  let facts: MeshFacts;
  const partition = (number: number, caughtUp = true) => {
    const map = { refusedFiles: 2, progress: { owing: new Set([1]) } };
    const totals = caughtUp ? { ...emptyTotals(), files: 1 } : null;
    const part = { number, assigned: { generation: 1 }, totals, caughtUp, map, lostRecords: 3 };
    return [number, part as unknown as OwnedPartition] as const;
  };
  const passes = (spanMs: number): void => {
    for (const end = now + spanMs; now < end; now += 100) facts.look();
    facts.look();
  };
  const report = (partitions: readonly number[], staleReasons: readonly StaleReason[] = []): void =>
    view.note(
      {
        analyzer: 'b',
        atMs: now + 3_600_000,
        partitions: partitions.map((each) => ({ partition: each, generation: 1, totals: emptyTotals() })),
        ownedPartitions: partitions.length,
        inventoryAsks: [],
        staleReasons,
        refusedEvents: 0,
        truncatedRecords: 0,
        owedInventories: 0,
      },
      now,
    );

  beforeEach(() => {
    now = 0;
    own = fresh;
    owned = new Map([partition(0)]);
    view = new MeshView({ analyzer: 'me', staleAfterMs: 100_000 });
    const clock = { nowMs: () => now, monotonicMs: () => now, after: () => () => undefined };
    facts = new MeshFacts(
      { clock, config },
      {
        owned,
        partitionCount: 2,
        get reportTimeMs() {
          return now;
        },
        get ownedPartitions() {
          return owned.size;
        },
        get partitionsBehind() {
          return [...owned.values()].filter(({ caughtUp }) => !caughtUp).length;
        },
        freshness: () => own,
        owingPeers: () => [],
        judged: () =>
          [...owned.values()].flatMap(({ number, totals }) =>
            totals === null ? [] : [{ partition: number, generation: 1, totals }],
          ),
      },
      view,
    );
  });

  it('is stale at once by its own reasons, and reports them only once they have lasted', () => {
    report([1]);
    own = noTick;
    facts.look();
    expect(facts.freshness()).toEqual(noTick);
    expect(facts.troubles().staleReasons).toEqual([]);
    passes(staleAfterMs);
    expect(facts.troubles().staleReasons).toEqual([{ kind: 'no-tick' }]);
    own = fresh;
    facts.look();
    own = noTick;
    facts.look();
    expect(facts.troubles().staleReasons).toEqual([]);
  });

  it('is the same however often it is read', () => {
    report([1]);
    own = noTick;
    passes(staleAfterMs - 100);
    own = fresh;
    for (let i = 0; i < 3; i++) {
      facts.whole();
      facts.freshness();
      facts.troubles();
    }
    own = noTick;
    passes(100);
    expect(facts.troubles().staleReasons).toEqual([{ kind: 'no-tick' }]);
  });

  it('is stale by what others report', () => {
    report([1], [{ kind: 'reported', words: 'slow' }]);
    expect(facts.freshness().reasons).toEqual([{ kind: 'reported', words: 'slow', analyzer: 'b' }]);
  });

  it('misses the partitions that nobody tells of, and not those that it rebuilds itself', () => {
    expect(facts.freshness().reasons).toEqual([{ kind: 'unreported', partitions: 1 }]);
    expect(facts.lastingUnreported()).toEqual([]);
    passes(staleAfterMs);
    expect(facts.lastingUnreported()).toEqual([{ kind: 'unreported', partitions: 1 }]);
    owned.set(...partition(1, false));
    expect(facts.freshness()).toEqual(fresh);
    expect(facts.areAllJudged).toBe(false);
  });

  it('says nothing of others before it has judged anything itself', () => {
    owned.delete(0);
    owned.set(...partition(0, false));
    expect(facts.freshness()).toEqual(fresh);
  });

  it('adds up what its own partitions refused and lost', () => {
    owned.set(...partition(1));
    expect(facts.troubles()).toMatchObject({ refusedEvents: 4, truncatedRecords: 6 });
  });
});
