import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RangeSet } from './range-set.ts';

const range = fc.tuple(fc.nat(60), fc.nat(60)).map(([a, b]) => ({ begin: Math.min(a, b), end: Math.max(a, b) }));

function positions(ranges: readonly { begin: number; end: number }[]): number[] {
  return ranges.flatMap(({ begin, end }) => Array.from({ length: end - begin }, (_, i) => begin + i));
}

describe('a range set', () => {
  it('holds exactly the positions that were added, in the fewest ranges', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 20 }), range, (added, asked) => {
        const set = new RangeSet();
        const model = new Set<number>();
        for (const each of added) {
          set.add(each.begin, each.end);
          for (const position of positions([each])) model.add(position);
        }
        const inside = positions([asked]);
        expect(positions(set.overlaps(asked.begin, asked.end))).toEqual(
          inside.filter((position) => model.has(position)),
        );
        expect(positions(set.missing(asked.begin, asked.end))).toEqual(
          inside.filter((position) => !model.has(position)),
        );
        expect(set.sizeBytes).toBe(model.size);
        expect(set.count).toBe([...model].filter((position) => !model.has(position - 1)).length);
      }),
    );
  });
});
