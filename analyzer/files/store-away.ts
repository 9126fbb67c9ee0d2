import { type Backoff, backoffMs } from '#mesh/backoff.ts';
import { sleep } from '#mesh/clock.ts';
import { describeError, hasCode } from '#mesh/errors.ts';
import type { AnalyzerOptions } from '../options.ts';

const retries: Backoff = { firstMs: 250, longestMs: 5000 };

/** Tries again while the store is away. @throws what `load` throws else, and the signal's reason. */
export async function whileStoreIsAway<T>(
  { clock, logger }: Pick<AnalyzerOptions, 'clock' | 'logger'>,
  signal: AbortSignal,
  what: string,
  load: () => Promise<T>,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await load();
    } catch (error) {
      if (!hasCode(error, 'store-unavailable')) throw error;
      logger.warn({ error: describeError(error), attempt }, `ClickHouse is away: ${what} cannot be loaded yet`);
      await sleep(clock, backoffMs(retries, attempt), signal);
    }
  }
}
