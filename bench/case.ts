/** One measured case: our figure, and what others reach at the same work in the same run. */
export interface BenchCase {
  readonly case: string;
  readonly unit: string;
  readonly ours: number;
  readonly peers: Readonly<Record<string, number>>;
  /** Largest over smallest of our repeated figures, minus one. */
  readonly spread: number;
  /** What else was measured, each with its unit in its name. */
  readonly details?: Readonly<Record<string, number>>;
  /** Where the time went, taken in a round of its own. */
  readonly breakdown?: Breakdown;
}

/** By table, row and column, the unit in the column's name. */
export type Breakdown = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, number>>>>>>;

export interface BenchOptions {
  /** Words after the bench's name, for the bench itself. */
  readonly arguments: readonly string[];
  /** Progress for people, on standard error. */
  readonly note: (line: string) => void;
}

export type Bench = (options: BenchOptions) => AsyncIterable<BenchCase>;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

export function spreadOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : Math.max(...values) / Math.min(...values) - 1;
}

/** Medians of rounds that every one of `measured` went through in the same run; the first of them is ours. */
export function comparedCase<T extends { readonly name: string }>(
  title: string,
  unit: string,
  measured: readonly T[],
  of: (one: T) => readonly number[],
): BenchCase {
  const [ours, ...others] = measured as [T, ...T[]];
  return {
    case: title,
    unit,
    ours: median(of(ours)),
    peers: Object.fromEntries(others.map((other) => [other.name, median(of(other))])),
    spread: spreadOf(of(ours)),
  };
}
