/** The shapes of requests and answers in JSON. One schema for each: fastify checks by it, and the types come from it. */
import { z } from 'zod';
import { MeshwardError } from '#mesh/errors.ts';
import { maxManifestsPerBatch, maxTextLength } from '#mesh/limits.ts';
import { peerIdPattern } from '#mesh/peer-id.ts';
import { storageIndexPattern } from '#mesh/storage-index.ts';
import { domainKindPattern, isPrintable, maxDomains } from './check-post.ts';

const text = z.string().max(maxTextLength);
const whole = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const peerId = z.string().regex(new RegExp(peerIdPattern));
const domains = z.record(z.string().regex(domainKindPattern), text.min(1)).meta({ maxProperties: maxDomains });

export const enrolBody = z.strictObject({
  token: z.string().min(1).max(maxTextLength),
  name: text,
  domains,
  nurl: z.string().min(1).max(1000),
  capacityBytes: whole,
});
export type EnrolBody = z.infer<typeof enrolBody>;

export const settings = z.strictObject({
  heartbeatMs: whole,
  inventoryIntervalS: whole,
  verifyBytesPerSecond: whole,
  /** 0 is unlimited. */
  serveBytesPerSecond: whole,
  version: whole,
  /** Counts the inventories that operators asked for; collectors of earlier releases do not say it. */
  inventoryRequest: whole.exactOptional(),
  /** The highest incarnation that the peer was heard under; 0 for none. Collectors of earlier releases do not say it. */
  lastIncarnation: whole.exactOptional(),
});
export type SettingsAnswer = z.infer<typeof settings>;

export const enrolAnswer = z.strictObject({ peerId, domains, settings });
export type EnrolAnswer = z.infer<typeof enrolAnswer>;

/** Where the peer's shares are served; holds the secret to do so. */
export const addressBody = z.strictObject({ nurl: z.string().min(1).max(1000) });
export type AddressBody = z.infer<typeof addressBody>;
export const addressAnswer = z.strictObject({ changed: z.boolean() });
export type AddressAnswer = z.infer<typeof addressAnswer>;

export const postAnswer = z.strictObject({ accepted: whole, duplicate: z.boolean().exactOptional() });
export type PostAnswer = z.infer<typeof postAnswer>;

const maxTokenLifetimeMs = 90 * 24 * 3_600_000;
export const tokenBody = z.strictObject({
  domains: domains.exactOptional(),
  lifetimeMs: z.number().int().min(1000).max(maxTokenLifetimeMs).exactOptional(),
  replacesPeerId: peerId.exactOptional(),
});
export type TokenBody = z.infer<typeof tokenBody>;

export const tokenAnswer = z.strictObject({ token: z.string(), expiresAtMs: whole, collectorPin: peerId });
export type TokenAnswer = z.infer<typeof tokenAnswer>;

export const directoryPeer = z.strictObject({
  peerId,
  name: z.string(),
  domains: z.record(z.string(), z.string()),
  nurl: z.string(),
  capacityBytes: whole,
  enrolledAtMs: whole,
  revoked: z.boolean(),
  revokedReason: z.string(),
  settings: settings,
  /** When a post under an earlier incarnation than was heard was refused; 0 where none was since. Collectors of earlier releases do not say it. */
  outdatedAtMs: whole.exactOptional(),
});
export const directoryAnswer = z.strictObject({
  peers: z.array(directoryPeer),
  /** Ask again with `after` set to this for the rest; null at the end. */
  next: peerId.nullable(),
});
export type DirectoryPeer = z.infer<typeof directoryPeer>;
export type DirectoryAnswer = z.infer<typeof directoryAnswer>;

export const directoryQuery = z.strictObject({
  after: peerId.exactOptional(),
  limit: z
    .string()
    .regex(/^[1-9]\d{0,4}$/)
    .exactOptional(),
});

export const filesBody = z.strictObject({
  files: z
    .array(z.strictObject({ cap: z.string().min(1).max(300), tag: text.exactOptional() }))
    .min(1)
    .max(maxManifestsPerBatch),
});
export type FilesBody = z.infer<typeof filesBody>;

/** What a reader found not to be what its peer says. */
export const findingsBody = z.strictObject({
  findings: z
    .array(
      z.strictObject({
        storageIndex: z.string().regex(/^[a-z2-7]{26}$/),
        peerId,
        shareNumber: z.number().int().min(0).max(255),
        reason: text,
      }),
    )
    .min(1)
    .max(1000),
});
export type FindingsBody = z.infer<typeof findingsBody>;

export const reasonBody = z.strictObject({ reason: text });
export const drainBody = z.strictObject({ draining: z.boolean() });
/** `untilMs` 0 ends the window. */
export const maintenanceBody = z.strictObject({ untilMs: whole.max(8_640_000_000_000_000), reason: text });
const uint32 = z.number().int().max(0xffff_ffff);
export const settingsBody = z.strictObject({
  heartbeatMs: uint32.min(100).exactOptional(),
  inventoryIntervalS: uint32.min(1).exactOptional(),
  verifyBytesPerSecond: whole.exactOptional(),
  serveBytesPerSecond: whole.exactOptional(),
});
export type SettingsBody = z.infer<typeof settingsBody>;
export type MaintenanceBody = z.infer<typeof maintenanceBody>;

export const peerParams = z.strictObject({ peerId });
export const fileParams = z.strictObject({ storageIndex: z.string().regex(new RegExp(storageIndexPattern)) });

/** As fastify takes it. */
export function jsonSchema(schema: z.ZodType): Record<string, unknown> {
  return z.toJSONSchema(schema, { target: 'draft-7' }) as Record<string, unknown>;
}

/** For what is shown to people; a JSON schema cannot say that. @throws MeshwardError `bad-input`. */
export function requirePrintable(body: unknown): void {
  if (hasPrintableTexts(body)) return;
  throw new MeshwardError('bad-input', 'a text has control characters', {
    next: 'Send names and reasons as plain text.',
  });
}

function hasPrintableTexts(value: unknown): boolean {
  if (typeof value === 'string') return isPrintable(value);
  if (Array.isArray(value)) return value.every(hasPrintableTexts);
  return typeof value !== 'object' || value === null || Object.values(value).every(hasPrintableTexts);
}

const until = whole.max(8_640_000_000_000_000);
export const silenceBody = z.strictObject({ selector: text.min(1), untilMs: until, why: text.min(1) });
export type SilenceBody = z.infer<typeof silenceBody>;
export const silenceAnswer = z.strictObject({ id: z.string() });
export type SilenceCreated = z.infer<typeof silenceAnswer>;
export const silenceParams = z.strictObject({ id: z.string().regex(/^[0-9a-f-]{36}$/) });
export const acknowledgementBody = z.strictObject({
  alertKey: text.min(1),
  alertId: z.string().min(1).max(64),
  untilMs: until,
  why: text,
});
export type AcknowledgementBody = z.infer<typeof acknowledgementBody>;
