import { describeError, MeshwardError } from './errors.ts';

/** The body of every answer that is not a success, on every HTTP interface of ours. */
export interface ApiError {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly next: string;
    readonly retryable: boolean;
  };
}

export function toApiError(error: unknown): ApiError {
  if (error instanceof MeshwardError) {
    return { error: { code: error.code, message: error.message, next: error.next, retryable: error.retryable } };
  }
  return {
    error: {
      code: 'internal',
      message: describeError(error),
      next: 'Look into the log of the service.',
      retryable: false,
    },
  };
}
