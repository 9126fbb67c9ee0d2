/**
 * Runs services as child processes and keeps them running: a service that ends is started again, sooner at first and
 * slower when it keeps failing. Children end with their supervisor, even when it is killed.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Backoff, backoffMs } from '#mesh/backoff.ts';
import { type Clock, sleep } from '#mesh/clock.ts';
import { type ErrorCode, MeshwardError } from '#mesh/errors.ts';
import type { FailedMessage, ReadyFacts, ReadyMessage } from './child.ts';

export interface ServiceSpec {
  readonly name: string;
  /** Arguments of `meshward`; ports are given, so that it comes back where it was. */
  readonly arguments: readonly string[];
}

export interface ServiceState {
  readonly name: string;
  readonly pid: number | null;
  readonly state: 'starting' | 'ready' | 'restarting' | 'stopped';
  readonly restarts: number;
  readonly facts: ReadyFacts | null;
}

export interface SupervisorOptions {
  readonly clock: Clock;
  readonly note: (line: string) => void;
  readonly stopTimeoutMs?: number;
  /** What is given a service's arguments. @default the command `meshward` */
  readonly program?: string;
}

const mainFile = fileURLToPath(new URL('./main.ts', import.meta.url));
const restarts: Backoff = { firstMs: 100, longestMs: 10_000 };
/**
 * A service that was ready this long starts over with short delays: it ends no more often than it would with the longest. How long it
 * took to get ready does not count, since one that never does may take any time for it.
 */
const steadyMs = restarts.longestMs;

interface Managed {
  readonly spec: ServiceSpec;
  child: ChildProcess | null;
  state: ServiceState['state'];
  restarts: number;
  facts: ReadyFacts | null;
  failure: MeshwardError | null;
  /** Since when this run is ready, in the clock's monotonic time. */
  readySinceMs: number | null;
  /** Endings in a row of runs that were not ready for long. */
  quickEndings: number;
  run: Promise<void>;
  /** Settles when the service is ready for the first time, or cannot be started at all. */
  readonly first: {
    promise: Promise<ReadyFacts>;
    resolve: (facts: ReadyFacts) => void;
    reject: (error: unknown) => void;
  };
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #services = new Map<string, Managed>();
  readonly #stopping = new AbortController();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Resolves when the service is ready for the first time. @throws what the service said where its first start fails for good. */
  start(spec: ServiceSpec): Promise<ReadyFacts> {
    const first = Promise.withResolvers<ReadyFacts>();
    const managed: Managed = {
      spec,
      child: null,
      state: 'starting',
      restarts: 0,
      facts: null,
      failure: null,
      readySinceMs: null,
      quickEndings: 0,
      run: Promise.resolve(),
      first,
    };
    this.#services.set(spec.name, managed);
    managed.run = this.#keep(managed);
    return first.promise;
  }

  states(): readonly ServiceState[] {
    return [...this.#services.values()].map(({ spec, child, state, restarts, facts }) => ({
      name: spec.name,
      pid: child?.pid ?? null,
      state,
      restarts,
      facts,
    }));
  }

  /** Services end in the reverse order of their start. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const managed of [...this.#services.values()].reverse()) {
      managed.child?.kill('SIGTERM');
      const callOff = this.#options.clock.after(this.#options.stopTimeoutMs ?? 15_000, () =>
        managed.child?.kill('SIGKILL'),
      );
      await managed.run;
      callOff();
    }
  }

  async #keep(managed: Managed): Promise<void> {
    const { clock, note } = this.#options;
    while (!this.#stopping.signal.aborted) {
      const ending = await this.#runOnce(managed);
      if (this.#stopping.signal.aborted) break;
      if (managed.facts === null && managed.failure !== null && !managed.failure.retryable) {
        managed.state = 'stopped';
        managed.first.reject(managed.failure);
        return;
      }
      if (managed.readySinceMs !== null && clock.monotonicMs() - managed.readySinceMs >= steadyMs)
        managed.quickEndings = 0;
      managed.state = 'restarting';
      managed.restarts++;
      note(`${managed.spec.name} ended (${ending}); it starts again`);
      const delayMs = backoffMs(restarts, managed.quickEndings++);
      await sleep(clock, delayMs, this.#stopping.signal).catch(() => undefined);
    }
    managed.state = 'stopped';
    managed.first.reject(
      new MeshwardError('cancelled', `${managed.spec.name} was stopped before it was ready`, {
        next: 'Start it again.',
      }),
    );
    managed.first.promise.catch(() => undefined);
  }

  #runOnce(managed: Managed): Promise<string> {
    return new Promise((resolve) => {
      const child = fork(this.#options.program ?? mainFile, [...managed.spec.arguments], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      managed.child = child;
      managed.failure = null;
      managed.readySinceMs = null;
      child.on('message', (message: ReadyMessage | FailedMessage) => {
        if (message.kind === 'failed') {
          managed.failure = new MeshwardError(message.code as ErrorCode, message.message, {
            next: message.next,
            retryable: message.retryable,
          });
          return;
        }
        managed.facts = message.facts;
        managed.state = 'ready';
        managed.readySinceMs = this.#options.clock.monotonicMs();
        managed.first.resolve(message.facts);
      });
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => {
        managed.child = null;
        resolve(signal ?? `exit code ${code}`);
      });
    });
  }
}
