/** How long to wait before another try: the one rule of the house. */
import type { Random } from './clock.ts';

export interface Backoff {
  /** After the first failure; doubles with each further one. */
  readonly firstMs: number;
  readonly longestMs: number;
}

/** @param failures in a row before this one, from 0. */
export function backoffMs({ firstMs, longestMs }: Backoff, failures: number): number {
  return Math.min(longestMs, firstMs * 2 ** Math.min(30, failures));
}

/** Half of it is random, so that those who failed together do not come back together. */
export function spreadBackoffMs(backoff: Backoff, failures: number, random: Random): number {
  return backoffMs(backoff, failures) * (0.5 + random() / 2);
}
