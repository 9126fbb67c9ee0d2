/** What every service command does around its service: telemetry, readiness, and an orderly end. */
import { type Clock, sleep, systemClock } from '#mesh/clock.ts';
import type { Config } from '#mesh/config/schema.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import { type ReadyFacts, reportFailed, reportReady, stopRequested } from '../child.ts';
import type { Context } from '../context.ts';
import { inWords } from '../system-errors.ts';
import { startTelemetry, type Telemetry } from '../telemetry.ts';

export interface RunningService {
  readonly facts: ReadyFacts;
  /** Rejects when the service can go on no more. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

export interface ServiceStart {
  readonly context: Context;
  readonly telemetry: Telemetry;
  readonly logger: Logger;
  /** Aborted when the process is to end: a start that waits gives up. */
  readonly signal: AbortSignal;
}

/** Runs until it is asked to end or fails; a failure ends the process with its exit code, and the supervisor starts it again. */
export async function runService(
  name: string,
  context: Context,
  start: (by: ServiceStart) => Promise<RunningService>,
): Promise<void> {
  const telemetry = startTelemetry(name, context.config);
  const { logger } = telemetry;
  const abort = new AbortController();
  const stop = stopRequested().then((reason) => {
    abort.abort(new Error(reason));
    return reason;
  });
  let service: RunningService;
  try {
    service = await start({ context, telemetry, logger, signal: abort.signal });
  } catch (thrown) {
    if (abort.signal.aborted) return;
    const error = inWords(thrown);
    reportFailed(error);
    throw error;
  }
  logger.info(service.facts, `${name} has started`);
  reportReady(service.facts);
  try {
    const reason = await Promise.race([stop, service.failed]);
    await end(name, context.config.shutdown, service, reason, logger);
  } catch (error) {
    logger.error({ error: describeError(error) }, `${name} failed`);
    throw error;
  } finally {
    await telemetry.shutdown().catch(() => undefined);
    // The channel to the supervisor would keep the process alive.
    if (process.connected) process.disconnect();
  }
}

/** Goes on for a while as one that is not ready, then ends in good order; what hangs is left behind. */
export async function end(
  name: string,
  { lingerMs, timeoutMs }: Config['shutdown'],
  service: Pick<RunningService, 'stop' | 'failed'>,
  reason: string,
  logger: Logger,
  clock: Clock = systemClock,
): Promise<void> {
  if (lingerMs > 0) {
    logger.info({ reason, lingerMs }, `${name} is to end, and goes on until balancers know`);
    await Promise.race([sleep(clock, lingerMs), service.failed]);
  }
  logger.info({ reason }, `${name} stops`);
  const late = Promise.withResolvers<never>();
  const callOff = clock.after(timeoutMs, () =>
    late.reject(
      new MeshwardError(
        'service-unavailable',
        `${name} did not end within ${timeoutMs} ms: what hangs is left behind`,
        {
          next: 'Nothing is lost: what was not committed comes again from the log. Raise shutdown.timeoutMs where it is too short.',
        },
      ),
    ),
  );
  try {
    await Promise.race([service.stop(), late.promise]);
  } finally {
    callOff();
  }
}

/** A promise that is rejected from outside. */
export function failure(): { readonly promise: Promise<never>; readonly fail: (error: unknown) => void } {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => undefined);
  return { promise, fail: reject };
}
