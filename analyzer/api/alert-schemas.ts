/** What the HTTP API answers of alerts. Times are milliseconds since the epoch. */
import { z } from 'zod';

const count = z.number().int().min(0);
const severity = z.enum(['page', 'warning']);

export const alertDetail = z
  .object({
    id: z.string().meta({ description: 'This occurrence of the alert.' }),
    key: z.string().meta({ description: 'The condition: the same whenever it holds.' }),
    alert: z.string().meta({ description: 'Its name, as sinks, rules and runbooks call it.' }),
    severity,
    labels: z.record(z.string(), z.string()).meta({ description: 'What a selector may ask for.' }),
    summary: z.string(),
    meaning: z.string(),
    next: z.string(),
    command: z.string(),
    files: count,
    bytes: count,
    timeLeft: z.string(),
    repair: z.string(),
    sinceMs: count,
    silenced: z.string().meta({ description: 'Why nobody is told of it; empty where they are.' }),
    acknowledged: z.string().meta({ description: 'Who has taken it on; empty where nobody has.' }),
    runbookUrl: z.string(),
    dashboardUrl: z.string(),
    told: z.array(z.object({ sink: z.string(), state: z.string(), severity: z.string(), atMs: count })),
  })
  .meta({ description: 'An open alert, and who was told of it.' });

export const alertListAnswer = z.object({
  alerts: z.array(alertDetail),
  isTeller: z.boolean().meta({ description: 'Whether this analyzer is the one that tells alerts.' }),
});

export const alertChange = z
  .object({
    id: z.string(),
    key: z.string(),
    alert: z.string(),
    severity,
    state: z.enum(['firing', 'resolved']),
    summary: z.string(),
    files: count,
    sinceMs: count,
    atMs: count,
  })
  .meta({ description: 'An alert that began, changed or ended.' });

export const alertHistoryAnswer = z.object({ changes: z.array(alertChange) });

export const silence = z
  .object({
    id: z.string(),
    selector: z.string(),
    createdAtMs: count,
    untilMs: count,
    why: z.string(),
    by: z.string(),
    isActive: z.boolean(),
    endedAtMs: count.nullable(),
    endedBy: z.string(),
  })
  .meta({ description: 'Alerts that the selector fits are told to nobody while it is active.' });

export const silenceListAnswer = z.object({ silences: z.array(silence) });

export const sinkListAnswer = z
  .object({
    isTeller: z.boolean(),
    sinks: z.array(
      z.object({
        sink: z.string(),
        kind: z.string(),
        waiting: count,
        failingSinceMs: count.nullable(),
        lastError: z.string(),
        lastSentAtMs: count.nullable(),
      }),
    ),
  })
  .meta({ description: 'Those who are told of alerts; their figures are of the analyzer that tells.' });

export const objectiveAnswer = z
  .object({
    windowMs: count,
    objectives: z.array(
      z.object({
        objective: z.string(),
        wantedRatio: z.number(),
        ratioNow: z.number(),
        budgetLeftRatio: z.number(),
        burnRates: z.array(
          z.object({
            shortMs: count,
            longMs: count,
            limit: z.number(),
            severity,
            shortRate: z.number(),
            longRate: z.number(),
          }),
        ),
      }),
    ),
  })
  .meta({
    description:
      'The recoverability objective, and what is left of its error budget: 1 is untouched, below 0 is overdrawn.',
  });

export type AlertDetail = z.infer<typeof alertDetail>;
export type AlertListAnswer = z.infer<typeof alertListAnswer>;
export type AlertChangeAnswer = z.infer<typeof alertChange>;
export type SilenceAnswer = z.infer<typeof silence>;
export type SinkListAnswer = z.infer<typeof sinkListAnswer>;
export type ObjectiveAnswer = z.infer<typeof objectiveAnswer>;

export const alertAnswers = {
  AlertDetail: alertDetail,
  AlertList: alertListAnswer,
  AlertChange: alertChange,
  AlertHistory: alertHistoryAnswer,
  Silence: silence,
  SilenceList: silenceListAnswer,
  SinkList: sinkListAnswer,
  Objective: objectiveAnswer,
} as const;
