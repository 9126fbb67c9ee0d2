/**
 * Every failure that a person or a program can meet, as one type.
 *
 * `code` is stable (documented in docs/errors.md), `next` says what the reader can do, `retryable` says whether the same
 * call may succeed later without anybody doing anything.
 */
export class MeshwardError extends Error {
  readonly code: ErrorCode;
  readonly next: string;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { next: string; retryable?: boolean; cause?: unknown; details?: Record<string, unknown> },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MeshwardError';
    this.code = code;
    this.next = options.next;
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? {};
  }
}

/** The families of errors; the part before the first dash names the folder or subject. */
export const errorCodes = [
  'bad-input',
  'bad-cap',
  'bad-coding',
  'config-invalid',
  'native-unavailable',
  'codec-failed',
  'share-malformed',
  'share-truncated',
  'share-foreign',
  'share-corrupt',
  'share-mismatch',
  'not-enough-shares',
  'file-irrecoverable',
  'file-unknown',
  'gbs-unreachable',
  'gbs-pin-mismatch',
  'gbs-unauthorized',
  'gbs-refused',
  'gbs-protocol',
  'peer-unknown',
  'peer-revoked',
  'peer-impersonation',
  'peer-outdated',
  'peer-limit',
  'operator-unknown',
  'token-invalid',
  'access-unknown',
  'access-refused',
  'access-limited',
  'access-token-unknown',
  'batch-malformed',
  'event-unknown',
  'letter-unknown',
  'batch-too-large',
  'log-full',
  'log-closed',
  'log-corrupt',
  'log-fenced',
  'log-forbidden',
  'log-topics',
  'log-truncated',
  'log-unavailable',
  'store-unavailable',
  'store-schema',
  'store-refused',
  'clickhouse-start',
  'spool-full',
  'disk-full',
  'disk-failed',
  'campaign-unknown',
  'campaign-state',
  'campaign-changed',
  'campaign-stale',
  'campaign-unapproved',
  'repair-stale',
  'repair-no-target',
  'repair-unconfirmed',
  'alert-unknown',
  'alert-undelivered',
  'service-unavailable',
  'service-busy',
  'grafana-unreachable',
  'grafana-refused',
  'cancelled',
  'promise-broken',
  'internal',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** The error's message and the messages of what caused it, in one line. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  while (current !== undefined && current !== null && parts.length < 5) {
    const message = current instanceof Error ? current.message || current.name : textOf(current);
    if (message !== '' && !parts.includes(message)) parts.push(message);
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.join(': ');
}

/** Whether the same call may succeed later by itself. Unknown errors are not retryable. */
export function isRetryable(error: unknown): boolean {
  return error instanceof MeshwardError && error.retryable;
}

export function hasCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof MeshwardError && error.code === code;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    return typeof value;
  }
}
