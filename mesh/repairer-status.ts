/** What a repairer answers at `/v1/state`: what it is doing at this moment. One schema for who serves it and who asks. */
import { z } from 'zod';

const runningRepair = z.object({
  storageIndex: z.string(),
  grade: z.string(),
  /** Shares that this repair adds. */
  shares: z.number(),
  /** 0 … 1 */
  progress: z.number(),
  bytes: z.number(),
});

const failingFile = z.object({
  storageIndex: z.string(),
  /** In a row. */
  tries: z.number(),
  errorCode: z.string(),
  errorMessage: z.string(),
  failedAtMs: z.number(),
  /** Null where it is being tried or waits for its turn. */
  nextTryAtMs: z.number().nullable(),
});

export type FailingFileStatus = z.infer<typeof failingFile>;

export const repairerStatus = z.object({
  running: z.array(runningRepair),
  /** Why bulk repair holds, or null. */
  brake: z.string().nullable(),
  queued: z.record(z.string(), z.number()),
  /** Files whose last repair did not end well, the newest first. */
  failing: z.array(failingFile).optional(),
  /** What is being moved off draining peers; left out by releases that do not do so. */
  drain: z
    .object({
      peers: z.array(z.string()),
      sharesLeft: z.number().nullable(),
      sharesMoved: z.number(),
      failingFiles: z.number(),
    })
    .optional(),
  /** Limits in effect, a second; 0 is unlimited. Repairers of earlier releases do not say them. */
  rates: z.record(z.string(), z.number()).optional(),
  used: z.object({ bytesPerSecond: z.number(), requestsPerSecond: z.number() }).optional(),
  /** Which repairer answers. Repairers of earlier releases do not say it. */
  instance: z.string().optional(),
  /** How old what it holds of the peers is; -1 where nothing was ever heard. */
  peersAgeMs: z.number().optional(),
});

export type RepairerStatus = z.infer<typeof repairerStatus>;
