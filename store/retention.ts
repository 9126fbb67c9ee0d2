/** How long rows are kept, in days. Time series thin out like a round-robin archive: raw, a minute, an hour, a day. */

export interface Retention {
  /** Each sweep, each heartbeat. */
  readonly rawDays: number;
  readonly minuteDays: number;
  readonly hourDays: number;
  readonly dayDays: number;
  readonly gradeChangesDays: number;
  readonly peerStatesDays: number;
  /** Repairs, proofs, and what campaigns did. */
  readonly auditDays: number;
  readonly alertsDays: number;
}

/** What the migrations set; `applyRetention` brings tables to what is configured. */
export const defaultRetention: Retention = {
  rawDays: 3,
  minuteDays: 14,
  hourDays: 400,
  dayDays: 3650,
  gradeChangesDays: 400,
  peerStatesDays: 730,
  auditDays: 1095,
  alertsDays: 400,
};

/** Rows of a level fall out of one bucket into the next coarser one; the finest are the raw rows. */
export const levels = ['raw', 'minute', 'hour', 'day'] as const;
export type Level = (typeof levels)[number];

export function daysOf(retention: Retention, level: Level): number {
  return { raw: retention.rawDays, minute: retention.minuteDays, hour: retention.hourDays, day: retention.dayDays }[
    level
  ];
}

export interface LifeTime {
  readonly table: string;
  /** Expression of the moment from which a row's life counts. */
  readonly since: string;
  readonly days: number;
}

/** Of every table whose rows have an end. */
export function lifeTimes(retention: Retention, seriesNames: readonly string[]): readonly LifeTime[] {
  const series = seriesNames.flatMap((name) =>
    levels.map((level) => ({
      table: level === 'raw' ? name : `${name}_${level}`,
      since: level === 'raw' ? 'toDateTime(at)' : 'at',
      days: daysOf(retention, level),
    })),
  );
  return [
    ...series,
    { table: 'grade_changes', since: 'toDateTime(at)', days: retention.gradeChangesDays },
    { table: 'peer_states', since: 'toDateTime(at)', days: retention.peerStatesDays },
    { table: 'repairs', since: 'toDateTime(started_at)', days: retention.auditDays },
    { table: 'proofs', since: 'toDateTime(at)', days: retention.auditDays },
    { table: 'campaign_files', since: 'toDateTime(at)', days: retention.auditDays },
    { table: 'campaign_progress', since: 'toDateTime(at)', days: retention.auditDays },
    { table: 'alerts', since: 'toDateTime(at)', days: retention.alertsDays },
  ];
}

export function renderTtl({ since, days }: Omit<LifeTime, 'table'>): string {
  return `${since} + INTERVAL ${days} DAY`;
}
