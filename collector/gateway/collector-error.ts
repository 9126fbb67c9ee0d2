/** What a call to the collector ended with, as one type: refused by it, or not reached. */

import type { ApiError } from '#mesh/api-error.ts';
import { describeError, type ErrorCode, errorCodes, MeshwardError } from '#mesh/errors.ts';
import type { ConnectFailures } from '#tahoe/identity/pinned-connector.ts';

/** What the collector, or the way to it, said no with. */
export class CollectorError extends MeshwardError {
  /** 0 where no answer came. */
  readonly status: number;
  /** How long to wait before the same call; 0 where the collector named no time. */
  readonly retryAfterMs: number;

  constructor(
    status: number,
    said: { code: ErrorCode; message: string; next: string; retryable: boolean; cause?: unknown },
    retryAfterMs: number,
  ) {
    super(said.code, said.message, {
      next: said.next,
      retryable: said.retryable,
      ...(said.cause === undefined ? {} : { cause: said.cause }),
    });
    this.name = 'CollectorError';
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Of a connection; {@link unreachable} makes the first of the two whole. */
export const connectFailures: ConnectFailures = {
  unreachable: (reason, cause) => cause ?? new Error(reason),
  pinMismatch: (shown) =>
    new MeshwardError(
      'gbs-pin-mismatch',
      `the server shows ${shown === null ? 'no readable key' : `the key ${shown}`}, which is not the pinned one; nothing was sent`,
      { next: 'Check the pin: `meshward token` prints it. If the server was set up anew, its pin is new as well.' },
    ),
};

export function unreachable(error: unknown): MeshwardError {
  if (error instanceof MeshwardError) return error;
  const said = {
    code: 'service-unavailable' as const,
    message: `the collector cannot be reached: ${describeError(error)}`,
    next: 'Check that it runs and that its url is right; the same call may be made again.',
    retryable: true,
    cause: error,
  };
  return new CollectorError(0, said, 0);
}

export function refusalOf(status: number, text: string, retryAfter: string | string[] | undefined): CollectorError {
  const seconds = typeof retryAfter === 'string' ? Number(retryAfter) : 0;
  const retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 3600) * 1000 : 0;
  const said = parseApiError(text);
  const code = errorCodes.find((known) => known === said?.code) ?? 'internal';
  return new CollectorError(
    status,
    {
      code,
      message: said?.message ?? `the collector answered ${status}`,
      next: said?.next ?? 'Check that the url is that of a collector.',
      retryable: said?.retryable ?? status >= 500,
    },
    retryAfterMs,
  );
}

function parseApiError(text: string): ApiError['error'] | null {
  try {
    const { error } = JSON.parse(text) as Partial<ApiError>;
    return typeof error?.code === 'string' && typeof error.message === 'string' && typeof error.next === 'string'
      ? error
      : null;
  } catch {
    return null;
  }
}
