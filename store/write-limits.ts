/** What bounds the batches of the store's writer, and all that waits in it. */

export interface WriterLimits {
  /** @default 200 000 */
  readonly maxBatchRows: number;
  /** @default 16 MiB */
  readonly maxBatchBytes: number;
  /** Longest that a row waits for others. @default 1000 */
  readonly maxBatchDelayMs: number;
  /** All rows that are not acknowledged, in bytes; when they are more, `enqueue` waits. One table takes three quarters at most. @default 64 MiB */
  readonly maxQueuedBytes: number;
  /** No table takes all of them, where there is more than one: a few rows never wait behind many of another table. @default 3 */
  readonly maxInFlight: number;
  /** Rest after a first failure; doubles. @default 100 */
  readonly retryMinMs: number;
  /** @default 15 000 */
  readonly retryMaxMs: number;
}

export const defaultLimits: WriterLimits = {
  maxBatchRows: 200_000,
  maxBatchBytes: 16 * 1024 * 1024,
  maxBatchDelayMs: 1000,
  maxQueuedBytes: 64 * 1024 * 1024,
  maxInFlight: 3,
  retryMinMs: 100,
  retryMaxMs: 15_000,
};

/** What one table may take of the queue: the rest is left to others. */
export const tableShare = 3 / 4;
