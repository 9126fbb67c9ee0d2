/** Waiting for the mesh to come into a state, as an outsider sees it: by asking the API, however often services restart. */
import { type Clock, sleep } from '#mesh/clock.ts';
import { describeError, isRetryable, MeshwardError } from '#mesh/errors.ts';

export interface WaitOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** @default 250 */
  readonly everyMs?: number;
}

/**
 * Asks until `found` gives something other than null. Failures that may pass are waited out like any other answer.
 * @throws MeshwardError `promise-broken` after the timeout, with `what` and what was seen last.
 */
export async function until<T>(
  what: string,
  options: WaitOptions,
  found: () => Promise<{ readonly value: T } | { readonly seen: string }>,
): Promise<T> {
  const { clock, signal, timeoutMs } = options;
  const deadline = clock.monotonicMs() + timeoutMs;
  let seen = 'nothing yet';
  for (;;) {
    try {
      const answer = await found();
      if ('value' in answer) return answer.value;
      seen = answer.seen;
    } catch (error) {
      if (!isRetryable(error)) throw error;
      seen = describeError(error);
    }
    if (clock.monotonicMs() > deadline) {
      throw new MeshwardError(
        'promise-broken',
        `${what} did not come within ${Math.round(timeoutMs / 1000)} s; seen last: ${seen}`,
        {
          next: 'Look into the logs of the services above this line. A loaded machine may need more time: --patience 2 doubles it.',
        },
      );
    }
    await sleep(clock, options.everyMs ?? 250, signal);
  }
}
