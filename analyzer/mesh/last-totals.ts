/**
 * What can be told of the mesh's totals while nobody tells of any partition: what was known last, and after a start what the store keeps
 * of the last sweep. A mesh of which nothing is known is no mesh without files.
 */
import type { Grade } from '#mesh/grade.ts';
import type { SweepTotals } from '../files/share-map/share-map.ts';
import { type Count, emptyTotals, mergeCounts } from '../files/share-map/totals.ts';
import type { StoredSweep } from '../ports.ts';
import type { MeshFacts } from './mesh-facts.ts';

type NotStored = 'filesWithoutManifest' | 'settlingFiles';

/** The store keeps nothing of files that are not judged: null where the totals are from there. */
export type KnownTotals = Omit<SweepTotals, NotStored> & Readonly<Record<NotStored, number | null>>;

export interface DatedTotals {
  /** Null where nothing was ever known, or is kept of it. */
  readonly totals: KnownTotals | null;
  readonly sweptAtMs: number;
}

export class LastTotals {
  readonly #facts: Pick<MeshFacts, 'isAnyKnown' | 'areAllJudged' | 'whole'>;
  #last: DatedTotals = { totals: null, sweptAtMs: 0 };
  /** A part of what is owned is not told as the whole while the store knows better. */
  #hasJudgedAll = false;

  constructor(facts: Pick<MeshFacts, 'isAnyKnown' | 'areAllJudged' | 'whole'>) {
    this.#facts = facts;
  }

  resume(stored: StoredSweep | null): void {
    if (stored !== null) this.#last = { totals: totalsOf(stored), sweptAtMs: stored.atMs };
  }

  /** @param sweptAtMs when this analyzer swept last. */
  now(sweptAtMs: number): DatedTotals {
    if (!this.#facts.isAnyKnown) return this.#last;
    this.#hasJudgedAll ||= this.#facts.areAllJudged;
    if (this.#hasJudgedAll || this.#last.totals === null) {
      const { totals } = this.#facts.whole();
      if (!this.#hasJudgedAll) return { totals, sweptAtMs };
      this.#last = { totals, sweptAtMs };
    }
    return this.#last;
  }
}

function totalsOf({ byPolicy, byMargin }: StoredSweep): KnownTotals {
  const byGrade = [...byPolicy.values()].reduce<ReadonlyMap<Grade, Count>>(mergeCounts, emptyTotals().byGrade);
  const sum = (figure: keyof Count): number => [...byGrade.values()].reduce((all, count) => all + count[figure], 0);
  return {
    files: sum('files'),
    bytes: sum('bytes'),
    filesWithoutManifest: null,
    settlingFiles: null,
    byGrade,
    byPolicy,
    byMargin,
  };
}
