/** Ctrl-C in a command: work is called off in good order; a second time ends the process at once. */
import { MeshwardError } from '#mesh/errors.ts';
import { exitCodes } from './exit-codes.ts';

/** @param run given a signal that is aborted with MeshwardError `cancelled`. */
export async function interruptible<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const onSignal = (): void => {
    if (abort.signal.aborted) process.exit(exitCodes.interrupted);
    abort.abort(new MeshwardError('cancelled', 'interrupted', { next: 'Run the command again.' }));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    return await run(abort.signal);
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
