import { describe, expect, it } from 'vitest';
import { defaultPolicy } from '#mesh/policy.ts';
import { registrationOf } from '#mesh/testing/share-events.ts';
import type { FileAnswer } from '../files/file-answer.ts';
import { verdictOf, whyShare } from './explain.ts';
import { nothingRuns, type RunningRepairs } from './running-repairs.ts';

const { manifest } = registrationOf(1);
const fresh = { state: 'fresh', asOfMs: 1, reasons: [] } as const;

function fileWith(counts: { available: number; counted: number }, more: Partial<FileAnswer> = {}): FileAnswer {
  const policy = defaultPolicy(manifest);
  const health = { manifest, policy, ...counts, settling: false, grade: 'at-risk' };
  return {
    health,
    placements: [],
    cause: '',
    log10Loss: -1,
    listed: true,
    freshness: fresh,
    ...more,
  } as unknown as FileAnswer;
}

const answering: RunningRepairs = { ...nothingRuns, repairers: 1 };

describe('why a share counts', () => {
  const sound = { corrupt: false, available: true, counted: true };
  const silent = { corrupt: false, available: false, counted: true };
  const away = { corrupt: false, available: false, counted: false };
  const peer = (
    state: 'up' | 'suspect' | 'down' | 'departed' | 'maintenance' | 'draining',
    unreachableMs: number | null = null,
  ) => {
    return { state, unreachableMs, revoked: false };
  };

  it.each([
    [sound, peer('up'), null, 'counts: its peer is up'],
    [sound, peer('up'), 'alder-01', 'a copy: the one on alder-01 counts'],
    [{ ...sound, counted: false }, peer('draining'), null, 'its peer is draining'],
    [{ ...sound, corrupt: true }, peer('up'), null, 'found damaged'],
    [silent, peer('suspect'), null, 'within its grace'],
    [silent, peer('maintenance'), null, 'in maintenance'],
    [away, peer('down'), null, 'down beyond its grace'],
    [away, peer('departed'), null, 'has departed'],
    [away, peer('up', 5), null, 'cannot reach it'],
    [away, { ...peer('up'), revoked: true }, null, 'revoked'],
    [away, undefined, null, 'nothing is known'],
  ])('%o on %o', (placement, facts, copyOn, words) => {
    expect(whyShare(placement, facts, copyOn)).toContain(words);
  });
});

describe('what repair does about a file', () => {
  const thin = { available: 3, counted: 3 };
  const running = { storageIndex: manifest.storageIndex, grade: 'at-risk', shares: 3, progress: 0.25, bytes: 1 };
  const failing = {
    storageIndex: manifest.storageIndex,
    tries: 2,
    errorCode: 'x',
    errorMessage: 'no room',
    failedAtMs: 1,
    nextTryAtMs: null,
  };

  const told: readonly (readonly [string, FileAnswer, RunningRepairs, string])[] = [
    ['running', fileWith(thin), { ...answering, running: [running] }, '25 %'],
    ['not-needed', fileWith({ available: 4, counted: 5 }), answering, 'not yet'],
    ['impossible', fileWith({ available: 0, counted: 1 }), answering, '2 more shares are needed'],
    [
      'retrying',
      fileWith(thin),
      { ...answering, failing: new Map([[manifest.storageIndex as string, failing]]) },
      '2 tries did not end well: no room',
    ],
    ['held', fileWith(thin), { ...answering, brake: 'too much went silent' }, 'too much went silent'],
    ['held', fileWith(thin), nothingRuns, 'no repairer answers'],
    ['held', fileWith(thin, { listed: false, freshness: { ...fresh, state: 'stale' } }), answering, 'stale'],
    ['waiting', fileWith(thin), answering, 'waits for its turn'],
  ];

  it.each(told)('%s', (state, answer, repairs, words) => {
    const verdict = verdictOf(answer, repairs);
    expect([verdict.repairState, verdict.repairWhy]).toEqual([state, expect.stringContaining(words) as string]);
  });
});
