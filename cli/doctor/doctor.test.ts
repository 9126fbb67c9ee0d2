import { describe, expect, test } from 'vitest';
import { MeshwardError } from '#mesh/errors.ts';
import { describeCheck } from '../commands/doctor.ts';
import { passed, runCheck } from './check.ts';
import { judgeClock } from './clock-checks.ts';
import { machineChecks } from './machine-checks.ts';
import { judgeRepairer } from './service-checks.ts';
import { lagOf } from './storage-checks.ts';

const now = Date.UTC(2026, 5, 1);

describe('the clock', () => {
  test('is believed within seconds of the analyzer’s, whose date has whole seconds', () => {
    expect(judgeClock(now + 900, now).state).toBe('ok');
    expect(judgeClock(now + 5900, now).state).toBe('ok');
    expect(judgeClock(now - 4000, now).state).toBe('ok');
    expect(judgeClock(now, null).state).toBe('ok');
  });

  test('is doubted where it is far off, or older than the program', () => {
    expect(judgeClock(now + 60_000, now).detail).toContain('ahead of');
    expect(judgeClock(now - 60_000, now)).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('behind') as string,
    });
    expect(judgeClock(0, null).state).toBe('failed');
  });
});

describe('a repairer', () => {
  const state = { running: [], brake: null, queued: {}, peersAgeMs: 900 };

  test('is in order while it knows the peers and fails at nothing', () => {
    expect(judgeRepairer(state, 'http://r', 15_000)).toMatchObject({
      state: 'ok',
      detail: 'http://r has 0 repairs under way',
    });
    const { peersAgeMs: _age, ...older } = state;
    expect(judgeRepairer(older, 'http://r', 15_000).state).toBe('ok');
  });

  test('is not while what it holds of the peers is old, or repairs of its files fail', () => {
    expect(judgeRepairer({ ...state, peersAgeMs: 16_000 }, 'http://r', 15_000).state).toBe('failed');
    expect(judgeRepairer({ ...state, peersAgeMs: -1 }, 'http://r', 15_000).state).toBe('failed');
    const file = {
      storageIndex: 'x',
      tries: 3,
      errorCode: 'repair-no-target',
      errorMessage: '',
      failedAtMs: 1,
      nextTryAtMs: null,
    };
    expect(judgeRepairer({ ...state, failing: [file] }, 'http://r', 15_000)).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('1 files that it could not repair') as string,
    });
  });
});

describe('lag', () => {
  const log = (bounds: [number, number][], committed: (number | null)[]) => ({
    bounds: () =>
      Promise.resolve(bounds.map(([firstOffset, nextOffset], partition) => ({ partition, firstOffset, nextOffset }))),
    committed: () => Promise.resolve(committed),
  });

  test('counts what the group has not dealt with, over all partitions', async () => {
    const of = log(
      [
        [0, 10],
        [5, 20],
        [7, 7],
      ],
      [4, 20, null],
    );
    expect(await lagOf(of, 'g', 't')).toBe(6);
  });

  test('counts from the first record that is kept where nothing was committed, or what was is gone', async () => {
    expect(await lagOf(log([[5, 20]], [null]), 'g', 't')).toBe(15);
    expect(await lagOf(log([[5, 20]], [2]), 'g', 't')).toBe(15);
  });
});

describe('a check', () => {
  test('that throws has failed, with the advice of its error', async () => {
    const error = new MeshwardError('service-unavailable', 'it is away', { next: 'Start it.' });
    const result = await runCheck({ name: 'x', kind: 'service', run: () => Promise.reject(error) });
    expect(result).toEqual({ name: 'x', kind: 'service', state: 'failed', detail: 'it is away', next: 'Start it.' });
    expect(describeCheck(result)).toBe('FAILED   x: it is away\n         what to do: Start it.');
  });

  test('that passes has nothing to do', async () => {
    const result = await runCheck({ name: 'x', kind: 'machine', run: () => Promise.resolve(passed('fine')) });
    expect(describeCheck(result)).toBe('ok       x: fine');
  });

  test('finds this machine’s Node and native core in order', async () => {
    for (const check of machineChecks()) expect(await runCheck(check)).toMatchObject({ state: 'ok', next: '' });
  });
});
