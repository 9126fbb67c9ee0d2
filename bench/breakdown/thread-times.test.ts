import { expect, test } from 'vitest';
import { timesOf, timesSince } from './thread-times.ts';

const facts = (loopNs: number) => [
  { id: 40, name: 'MainThread', schedstat: `${loopNs} 500000000 12` },
  { id: 41, name: 'DelayedTaskSche', schedstat: '1000000 0 1' },
  { id: 42, name: 'V8Worker', schedstat: '3000000 0 1' },
  { id: 43, name: 'libuv-worker', schedstat: '5000000 7000000 1' },
  { id: 44, name: 'MainThread', schedstat: '2000000000 1000000000 9\n' },
  { id: 45, name: 'SignalInspector', schedstat: '9000000 0 1' },
];

test('threads are told apart by name, and those of the addon have the name of the one that started them', () => {
  const times = timesOf(facts(3e9), 40);
  expect(times['event loop']).toEqual({ cpuSeconds: 3, readySeconds: 0.5 });
  expect(times.addon).toEqual({ cpuSeconds: 2, readySeconds: 1 });
  expect(times.libuv.readySeconds).toBeCloseTo(0.007);
  expect(times.v8.cpuSeconds).toBeCloseTo(0.004);
  expect(times.others.cpuSeconds).toBeCloseTo(0.009);
});

test('what was used since is the difference', () => {
  const since = timesSince(timesOf(facts(1e9), 40), timesOf(facts(4e9), 40));
  expect(since['event loop']).toEqual({ cpuSeconds: 3, readySeconds: 0 });
  expect(since.addon.cpuSeconds).toBe(0);
});
