/** That the analyzer is running, is to stop, or can go on no more; and what it says of trouble on the way. */
import type { Clock } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';

const complaintIntervalMs = 10_000;

export class Lifetime {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #stopping = new AbortController();
  readonly #givenUp = Promise.withResolvers<void>();
  #failure: unknown = null;
  #nextComplaintMs = 0;

  constructor({ clock, logger }: { readonly clock: Clock; readonly logger: Logger }) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Aborted when the analyzer is to stop. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  get isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Resolves when stopping has waited for long enough: what hangs is left behind. */
  get givenUp(): Promise<void> {
    return this.#givenUp.promise;
  }

  /** Why the analyzer can go on no more, or null. */
  get failure(): unknown {
    return this.#failure;
  }

  /** @param patienceMs how long what is under way may take. */
  stop(patienceMs: number): void {
    if (this.isStopping) return;
    this.#stopping.abort(
      new MeshwardError('cancelled', 'the analyzer is stopping', { next: 'Start it again: it goes on from the log.' }),
    );
    const callOff = this.#clock.after(patienceMs, () => {
      this.#logger.warn({}, 'the last changes are not stored in time; they come again from the log');
      this.#givenUp.resolve();
    });
    void this.#givenUp.promise.then(callOff);
  }

  /** Everything has ended. */
  ended(): void {
    this.#givenUp.resolve();
  }

  readonly fail = (error: unknown): void => {
    if (error === this.signal.reason) return;
    this.#failure ??= error;
    if (this.isStopping) return;
    this.#logger.error({ error: describeError(error) }, 'the analyzer cannot go on and must be restarted');
  };

  /** The same trouble comes back with every step: it is said now and then. */
  readonly complain = (error: unknown, message: string): void => {
    const now = this.#clock.monotonicMs();
    if (now < this.#nextComplaintMs) return;
    this.#nextComplaintMs = now + complaintIntervalMs;
    this.#logger.error({ error: describeError(error) }, message);
  };
}
