/** Both ends of the talk between a supervisor and a service that it started: ready, and stop. */
import { MeshwardError } from '#mesh/errors.ts';

/** Facts of a service that is ready: where it listens. */
export type ReadyFacts = Readonly<Record<string, string | number>>;

export interface ReadyMessage {
  readonly kind: 'ready';
  readonly facts: ReadyFacts;
}

export interface FailedMessage {
  readonly kind: 'failed';
  readonly code: string;
  readonly message: string;
  readonly next: string;
  readonly retryable: boolean;
}

export function reportReady(facts: ReadyFacts): void {
  tell({ kind: 'ready', facts } satisfies ReadyMessage);
}

export function reportFailed(error: unknown): void {
  if (!(error instanceof MeshwardError)) return;
  const { code, message, next, retryable } = error;
  tell({ kind: 'failed', code, message, next, retryable } satisfies FailedMessage);
}

function tell(message: ReadyMessage | FailedMessage): void {
  if (process.connected) process.send?.(message);
}

/**
 * Resolves when the process is asked to end: SIGINT, SIGTERM, or its supervisor gone, so that no service outlives it.
 * A second signal ends the process at once.
 */
export function stopRequested(): Promise<string> {
  return new Promise((resolve) => {
    let asked = false;
    const ask = (reason: string): void => {
      if (asked && reason !== 'supervisor gone') process.exit(130);
      asked = true;
      resolve(reason);
    };
    process.on('SIGINT', () => ask('SIGINT'));
    process.on('SIGTERM', () => ask('SIGTERM'));
    if (process.send === undefined) return;
    process.once('disconnect', () => ask('supervisor gone'));
    // A supervisor that went while this process was still loading its modules was not heard to go.
    if (!process.connected) ask('supervisor gone');
  });
}
