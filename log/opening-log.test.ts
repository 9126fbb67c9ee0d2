import { expect, test } from 'vitest';
import { MeshwardError } from '#mesh/errors.ts';
import { ManualClock, settle } from '#mesh/testing/manual-clock.ts';
import { OpeningLog } from './opening-log.ts';
import { FakeLog } from './testing/fake-log.ts';

const full = new MeshwardError('log-full', 'no room for the log', { next: 'Make room.', retryable: true });

function opening(answers: (FakeLog | MeshwardError)[]) {
  const clock = new ManualClock();
  const away: unknown[] = [];
  const stop = new AbortController();
  const log = new OpeningLog({
    open: () => {
      const answer = answers.shift() ?? full;
      return answer instanceof MeshwardError ? Promise.reject(answer) : Promise.resolve(answer);
    },
    clock,
    signal: stop.signal,
    onAway: (error) => away.push(error),
  });
  return { clock, away, stop, log };
}

const topic = { name: 't', partitions: 3, compacted: false };

test('a log without room is opened as soon as there is some, and what is asked of it waits', async () => {
  const { log, clock, away } = opening([full, full, new FakeLog([topic])]);
  let partitions = 0;
  const asked = log.partitionCount('t').then((count) => {
    partitions = count;
  });
  await settle();
  await log.away;
  expect([log.trouble, partitions]).toEqual([full, 0]);
  await expect(log.append('t', [])).rejects.toBe(full);
  await clock.advance(500);
  expect(partitions).toBe(0);
  await clock.advance(1000);
  await asked;
  expect([partitions, log.trouble, away.length]).toEqual([3, null, 2]);
});

test('what does not pass by itself is told to whoever asks', async () => {
  const wrong = new MeshwardError('log-topics', 'topics are missing', { next: 'Apply them.' });
  const { log, away } = opening([wrong]);
  await expect(log.append('t', [])).rejects.toBe(wrong);
  expect(away).toEqual([]);
});

test('closing gives up', async () => {
  const { log } = opening([]);
  const asked = log.bounds('t');
  asked.catch(() => undefined);
  await settle();
  await log.close();
  await expect(asked).rejects.toMatchObject({ code: 'log-closed' });
});
