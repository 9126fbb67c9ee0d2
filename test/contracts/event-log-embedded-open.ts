/** How a process of the contract tests opens the embedded log. */

import { createEmbeddedLog, type EmbeddedLog } from '#log/embedded-log.ts';
import type { TopicSpec } from '#log/port.ts';
import { systemClock } from '#mesh/clock.ts';

/** Short times, so that what takes days in production is seen in the test. */
export function openLog(config: unknown, topics: readonly TopicSpec[]): Promise<EmbeddedLog> {
  const { directory } = config as { directory: string };
  return createEmbeddedLog({
    directory,
    topics,
    clock: systemClock,
    sessionTimeoutMs: 1500,
    retentionIntervalMs: 50,
    tombstoneRetentionMs: 200,
    closeTimeoutMs: 2000,
  });
}
