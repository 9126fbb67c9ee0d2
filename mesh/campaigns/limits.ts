/** Limits of repair that operators set while it runs, over those of the configuration. JSON in the log; parsed once here. */
import { z } from 'zod';
import { MeshwardError } from '../errors.ts';
import type { AuditStep } from './campaign.ts';

const limit = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** A second, of one repairer. 0 is unlimited. As a source a peer is read from, as a target it is written to. */
export const rateNames = [
  'bytes',
  'requests',
  'peerReadBytes',
  'peerWriteBytes',
  'peerRequests',
  'domainReadBytes',
  'domainWriteBytes',
  'domainRequests',
] as const;
export type RateName = (typeof rateNames)[number];
export type Rates = Readonly<Record<RateName, number>>;

export const limitsSchema = z.strictObject({
  /** What is not named is as the configuration says. */
  rates: z.partialRecord(z.enum(rateNames), limit),
  /** `hold` stops bulk repair and campaigns, `release` lets them run though the brake would hold them; until then. */
  brake: z
    .strictObject({
      says: z.enum(['hold', 'release']),
      untilMs: limit,
      why: z.string().max(200),
      by: z.string().max(200),
    })
    .nullable(),
});
export type LimitsSettings = z.infer<typeof limitsSchema>;

export interface RepairLimits {
  readonly revision: number;
  readonly settings: LimitsSettings;
  readonly steps: readonly AuditStep[];
}

export const noLimits: RepairLimits = { revision: 0, settings: { rates: {}, brake: null }, steps: [] };

/** @throws MeshwardError `bad-input`. */
export function parseLimits(value: unknown): LimitsSettings {
  const parsed = limitsSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new MeshwardError(
    'bad-input',
    `the limits cannot be understood: ${[issue?.path.join('.'), issue?.message].filter(Boolean).join(': ')}`,
    { next: '`meshward repair limits --help` shows what can be limited.' },
  );
}

export function ratesOf(configured: Partial<Rates>, { settings }: RepairLimits): Rates {
  const none = Object.fromEntries(rateNames.map((name) => [name, 0])) as Record<RateName, number>;
  return { ...none, ...configured, ...settings.rates };
}

/** What an operator says of the brake at this moment; null where nobody says anything, or not any more. */
export function brakeWordOf({ settings }: RepairLimits, nowMs: number): LimitsSettings['brake'] {
  return settings.brake !== null && settings.brake.untilMs > nowMs ? settings.brake : null;
}
