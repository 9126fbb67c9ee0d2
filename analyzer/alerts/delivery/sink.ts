/** Somebody who is told of alerts. */
import { MeshwardError } from '#mesh/errors.ts';
import type { Notice } from './notice.ts';

export interface AlertSink {
  /** As the configuration calls it. */
  readonly name: string;
  readonly kind: string;
  /** Whether it is there for pages. */
  readonly isForPages: boolean;
  /** Whether it is to be told of this one. */
  takes(notice: Notice): boolean;
  /** How often an open notice is sent again: null where it is not forgotten. */
  readonly resendMs: number | null;
  /**
   * Resolves once the sink has taken it. The same notice may come again after any failure: its `dedupKey` makes it one.
   * @throws SinkError; nothing in it tells an address or a secret.
   */
  send(notice: Notice, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export class SinkError extends MeshwardError {
  /** Whether the sink as a whole takes nothing now, or only this notice is not taken. */
  readonly scope: 'sink' | 'notice';
  /** When it asked to be tried again; 0 where it did not. */
  readonly retryAfterMs: number;

  constructor(
    scope: 'sink' | 'notice',
    message: string,
    options: { next: string; retryAfterMs?: number; cause?: unknown },
  ) {
    super('alert-undelivered', message, { next: options.next, retryable: true, cause: options.cause });
    this.scope = scope;
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }
}
