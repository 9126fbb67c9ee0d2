/** What a failed post means for the lane it came from. A total function: anything unforeseen is tried again for a while. */
import { type ErrorCode, MeshwardError } from '#mesh/errors.ts';

export type PostFailure =
  /** The same post may be taken later. */
  | { readonly kind: 'later'; readonly atLeastMs: number }
  /** The collector does not take anything from this peer until an operator does something. */
  | { readonly kind: 'unwelcome' }
  /** The collector will never take this post. */
  | { readonly kind: 'refused' }
  /** Neither is said: worth some tries, not worth holding up the lane for ever. */
  | { readonly kind: 'unclear' };

const unwelcomeCodes: ReadonlySet<ErrorCode> = new Set([
  'peer-unknown',
  'peer-revoked',
  'peer-impersonation',
  'peer-outdated',
]);
const refusedCodes: ReadonlySet<ErrorCode> = new Set(['batch-malformed', 'event-unknown', 'batch-too-large']);

export function classifyPostFailure(error: unknown): PostFailure {
  if (!(error instanceof MeshwardError)) return { kind: 'later', atLeastMs: 0 };
  if (error.retryable) return { kind: 'later', atLeastMs: retryAfterMsOf(error) };
  if (unwelcomeCodes.has(error.code)) return { kind: 'unwelcome' };
  if (refusedCodes.has(error.code)) return { kind: 'refused' };
  return { kind: 'unclear' };
}

/** No collector holds a peer back for longer than this, whatever it says. */
const longestRetryAfterMs = 10 * 60_000;

function retryAfterMsOf(error: MeshwardError): number {
  const stated = error.details['retryAfterMs'] ?? (error as { retryAfterMs?: unknown }).retryAfterMs;
  return typeof stated === 'number' && stated > 0 ? Math.min(stated, longestRetryAfterMs) : 0;
}
