/**
 * The question that this mesh was built around, in bulk: *if I wanted this file back right now, could I?* Peers ask a collector, and a
 * collector asks analyzers, in these shapes. Only storage indexes go out, and no word of who holds what comes back.
 */
import { z } from 'zod';
import { grades } from './grade.ts';
import { storageIndexPattern } from './storage-index.ts';

export const maxAskedFiles = 500;

const count = z.number().int().min(0);
const storageIndex = z.string().regex(new RegExp(storageIndexPattern));

export const askBody = z.strictObject({
  storageIndexes: z.array(storageIndex).min(1).max(maxAskedFiles),
});
export type AskBody = z.infer<typeof askBody>;

/** What an analyzer is asked. */
export const analyzerAskBody = askBody.extend({
  /** Whether it answers for partitions of other analyzers too, by what the database has of them. @default false */
  elsewhere: z.boolean().exactOptional(),
});
export type AnalyzerAskBody = z.infer<typeof analyzerAskBody>;

const freshness = z.object({
  state: z.enum(['fresh', 'stale']),
  asOfMs: count,
  reasons: z.array(z.string()),
});

const knownFile = z.object({
  storageIndex,
  answer: z.literal('known'),
  recoverableNow: z.boolean(),
  k: count,
  n: count,
  available: count,
  counted: count,
  retained: count,
  corrupt: count,
  margin: z.number().int(),
  grade: z.enum(grades),
  settling: z.boolean(),
  tolerancePeers: count,
  toleranceDomains: z.record(z.string(), count),
  /** A repair has been asked for. */
  onAtRiskList: z.boolean(),
  freshness,
});

/** Nothing is known of it, and health is fresh; or it was deleted. */
const unknownFile = z.object({ storageIndex, answer: z.literal('unknown'), why: z.string(), freshness });

/** It cannot be told now. */
const unansweredFile = z.object({ storageIndex, answer: z.literal('unanswered'), why: z.string() });

export const askedFile = z.discriminatedUnion('answer', [knownFile, unknownFile, unansweredFile]);
export type AskedFile = z.infer<typeof askedFile>;

export const askAnswer = z.object({ files: z.array(askedFile) });
export type AskAnswer = z.infer<typeof askAnswer>;
