/** Many files asked of, a few hundred at a time; a collector that limits is waited for. */

import type { CollectorClient } from '#collector/gateway/client.ts';
import { CollectorError } from '#collector/gateway/collector-error.ts';
import { type AskedFile, maxAskedFiles } from '#mesh/asking.ts';
import { type Clock, sleep, systemClock } from '#mesh/clock.ts';
import { isRetryable } from '#mesh/errors.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';

/** In a row, without an answer in between. */
const maxWaits = 10;
const leastWaitMs = 500;

/** By storage index. @throws what the collector refuses with, once waiting has not helped. */
export async function askInBulk(
  collector: Pick<CollectorClient, 'ask'>,
  asked: readonly StorageIndex[],
  onAnswered: (count: number) => void,
  clock: Clock = systemClock,
): Promise<Map<string, AskedFile>> {
  const files = new Map<string, AskedFile>();
  let waits = 0;
  for (let at = 0; at < asked.length; ) {
    const part = asked.slice(at, at + maxAskedFiles);
    try {
      for (const file of (await collector.ask(part)).files) files.set(file.storageIndex, file);
      at += part.length;
      waits = 0;
      onAnswered(at);
    } catch (error) {
      // A single question says at once that it was not answered; a script that has asked of thousands goes on.
      const waitMs = error instanceof CollectorError ? error.retryAfterMs : 0;
      const isLimited = error instanceof CollectorError && error.status === 429;
      if (!isRetryable(error) || waits >= maxWaits || (!isLimited && asked.length <= maxAskedFiles)) throw error;
      waits += 1;
      await sleep(clock, Math.max(leastWaitMs, waitMs));
    }
  }
  return files;
}
