import { expect, test } from 'vitest';
import { silentLogger } from '#mesh/logger.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { end, failure } from './run-service.ts';

const never = new Promise<never>(() => undefined);

test('a service that is to end goes on for as long as balancers need, and then stops', async () => {
  const clock = new ManualClock();
  let stopped = false;
  const service = { failed: failure().promise, stop: () => Promise.resolve(void (stopped = true)) };
  const ended = end('analyzer', { lingerMs: 5000, timeoutMs: 1000 }, service, 'SIGTERM', silentLogger, clock);
  await clock.advance(4999);
  expect(stopped).toBe(false);
  await clock.advance(1);
  await ended;
  expect(stopped).toBe(true);
});

test('what hangs is left behind before the grace of a supervisor is over', async () => {
  const clock = new ManualClock();
  const service = { failed: failure().promise, stop: () => never };
  const ended = end('analyzer', { lingerMs: 0, timeoutMs: 1000 }, service, 'SIGTERM', silentLogger, clock);
  const refused = expect(ended).rejects.toMatchObject({ code: 'service-unavailable' });
  await clock.advance(1000);
  await refused;
});

test('a failure while it goes on ends it at once', async () => {
  const clock = new ManualClock();
  const failed = failure();
  const service = { failed: failed.promise, stop: () => never };
  const ended = end('analyzer', { lingerMs: 5000, timeoutMs: 1000 }, service, 'SIGTERM', silentLogger, clock);
  failed.fail(new Error('the log is gone'));
  await expect(ended).rejects.toThrow('the log is gone');
});
