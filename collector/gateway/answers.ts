/** What is answered when a request is not taken: a status, a body in the one shape of our interfaces, and when to come again. */
import type { FastifyReply } from 'fastify';
import type { ApiError } from '#mesh/api-error.ts';
import { toApiError } from '#mesh/api-error.ts';
import { type ErrorCode, MeshwardError } from '#mesh/errors.ts';

/** A refusal that says more than its code does: its own status, or when to come again. */
export class Refusal extends MeshwardError {
  readonly status: number;
  /** 0 where coming again does not help. */
  readonly retryAfterMs: number;

  constructor(
    status: number,
    code: ErrorCode,
    message: string,
    options: { next: string; retryAfterMs?: number; cause?: unknown },
  ) {
    super(code, message, {
      next: options.next,
      retryable: options.retryAfterMs !== undefined,
      ...(options.cause === undefined ? {} : { cause: options.cause }),
    });
    this.status = status;
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }
}

export interface Answer {
  readonly status: number;
  readonly body: ApiError;
  readonly retryAfterMs: number;
}

const statusOfCode: Partial<Record<ErrorCode, number>> = {
  'bad-input': 400,
  'bad-cap': 400,
  'bad-coding': 400,
  'batch-malformed': 400,
  'event-unknown': 400,
  'batch-too-large': 413,
  'peer-unknown': 401,
  'peer-revoked': 403,
  'peer-impersonation': 403,
  'peer-outdated': 409,
  'operator-unknown': 403,
  'token-invalid': 403,
  'file-unknown': 404,
  'campaign-unknown': 404,
  'campaign-state': 409,
  'campaign-changed': 409,
  'campaign-stale': 409,
  'campaign-unapproved': 403,
  'peer-limit': 429,
  'service-busy': 503,
  'service-unavailable': 503,
  'log-full': 503,
  'log-closed': 503,
  'log-unavailable': 503,
  'log-fenced': 503,
  'log-truncated': 503,
  'log-corrupt': 503,
};

/** How long a caller waits after a 503 that does not say so itself. */
const unavailableRetryMs = 2000;

/** The answer to anything that was thrown. What we did not foresee is not told to the caller: it may hold a secret. */
export function answerOf(error: unknown): Answer {
  if (error instanceof Refusal) {
    return { status: error.status, body: toApiError(error), retryAfterMs: error.retryAfterMs };
  }
  if (error instanceof MeshwardError) {
    const status = statusOfCode[error.code];
    if (status !== undefined) {
      const body = toApiError(error);
      if (status !== 503) return { status, body, retryAfterMs: 0 };
      return { status, body: { error: { ...body.error, retryable: true } }, retryAfterMs: unavailableRetryMs };
    }
  }
  return refusedByFramework(error) ?? internalAnswer;
}

const internalAnswer: Answer = {
  status: 500,
  body: toApiError(
    new MeshwardError('internal', 'the collector could not deal with this request', {
      next: 'Look into the log of the collector.',
    }),
  ),
  retryAfterMs: 0,
};

function refusedByFramework(error: unknown): Answer | null {
  if (!(error instanceof Error)) return null;
  const { code, statusCode, message } = error as Error & { code?: string; statusCode?: number };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const tooLarge = new MeshwardError('batch-too-large', 'the body is larger than the collector takes', {
      next: 'Send it in smaller parts.',
    });
    return { status: 413, body: toApiError(tooLarge), retryAfterMs: 0 };
  }
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode > 499) return null;
  const refusal = new MeshwardError('bad-input', message, { next: 'Mend the request and send it again.' });
  return { status: statusCode, body: toApiError(refusal), retryAfterMs: 0 };
}

/**
 * Writes the answer. Those who are told to come again are spread over a little more time than they were told, so that a
 * collector that was busy does not get all of them back in one instant.
 */
export function sendAnswer(reply: FastifyReply, answer: Answer, random: () => number): FastifyReply {
  if (answer.retryAfterMs > 0) {
    const spreadMs = answer.status === 503 ? answer.retryAfterMs * random() : 0;
    reply.header('retry-after', String(Math.max(1, Math.ceil((answer.retryAfterMs + spreadMs) / 1000))));
  }
  return reply.code(answer.status).header('content-type', 'application/json; charset=utf-8').send(answer.body);
}
