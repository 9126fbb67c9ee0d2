/** Which byte ranges of an upload are there: sorted, disjoint, never touching. Ends are exclusive. */
export interface ByteRange {
  readonly begin: number;
  readonly end: number;
}

export class RangeSet {
  #ranges: ByteRange[] = [];

  get count(): number {
    return this.#ranges.length;
  }

  /** Bytes covered. */
  get sizeBytes(): number {
    return this.#ranges.reduce((sum, range) => sum + range.end - range.begin, 0);
  }

  add(begin: number, end: number): void {
    if (end <= begin) return;
    const before = this.#ranges.filter((range) => range.end < begin);
    const after = this.#ranges.filter((range) => range.begin > end);
    const touching = this.#ranges.slice(before.length, this.#ranges.length - after.length);
    const merged = {
      begin: Math.min(begin, touching[0]?.begin ?? begin),
      end: Math.max(end, touching.at(-1)?.end ?? end),
    };
    this.#ranges = [...before, merged, ...after];
  }

  /** The parts of begin…end that are there. */
  overlaps(begin: number, end: number): ByteRange[] {
    return this.#ranges
      .filter((range) => range.begin < end && range.end > begin)
      .map((range) => ({ begin: Math.max(begin, range.begin), end: Math.min(end, range.end) }));
  }

  /** The parts of begin…end that are not there. */
  missing(begin: number, end: number): ByteRange[] {
    const gaps: ByteRange[] = [];
    let position = begin;
    for (const range of this.overlaps(begin, end)) {
      if (range.begin > position) gaps.push({ begin: position, end: range.begin });
      position = range.end;
    }
    if (position < end) gaps.push({ begin: position, end });
    return gaps;
  }
}
