import { describe, expect, test } from 'vitest';
import type { MeshAnswer, RepairAnswer } from '#analyzer/api/schemas.ts';
import { samplePeer } from '../testing/sample-answers.ts';
import { judgeAlerts, judgeFiles, judgeLetters, judgePeers, judgeRepairs } from './mesh-checks.ts';

const now = Date.UTC(2026, 5, 1);

const mesh = (counts: Readonly<Record<string, number>>, alerts: MeshAnswer['alerts'] = []): MeshAnswer => ({
  freshness: { state: 'fresh', asOfMs: now, reasons: [] },
  files: 100,
  bytes: 1,
  filesWithoutManifest: 0,
  settlingFiles: 0,
  byGrade: Object.entries(counts).map(([grade, files]) => ({ grade: grade as 'lost', files, bytes: files })),
  byMargin: [],
  peersByState: [],
  sweptAtMs: now,
  ownedPartitions: 1,
  partitions: 1,
  alerts,
});

const alert = (key: string, severity: 'page' | 'warning', summary: string) =>
  ({ key, severity, summary, next: `mend ${key}`, files: 1, sinceMs: now }) as const;

describe('the files', () => {
  test('are in order where none is at risk, whatever is only degraded', () => {
    expect(judgeFiles(mesh({ healthy: 90, degraded: 10 })).state).toBe('ok');
  });

  test('are not known where nobody knows them, and judged as they were while health is stale', () => {
    const freshness = { state: 'stale' as const, asOfMs: 0, reasons: ['the log cannot be opened'] };
    expect(judgeFiles({ ...mesh({}), files: null, freshness })).toMatchObject({
      state: 'skipped',
      detail: 'no file is known yet: the log cannot be opened',
    });
    const old = '; so the sweep of 2026-06-01T00:00:00.000Z found them';
    expect(judgeFiles({ ...mesh({ healthy: 100 }), freshness })).toMatchObject({
      state: 'ok',
      detail: `100 files, none of them at risk${old}`,
    });
    expect(judgeFiles({ ...mesh({ lost: 1 }), freshness })).toMatchObject({
      state: 'failed',
      detail: `of 100 files 1 cannot be recovered now${old}`,
    });
  });

  test.each([
    [{ 'at-risk': 2 }, '2 are at risk'],
    [{ critical: 1, 'at-risk': 2 }, '1 are critical, 2 are at risk'],
    [{ lost: 3 }, '3 cannot be recovered now'],
  ])('are not where %j', (counts, words) => {
    expect(judgeFiles(mesh(counts))).toMatchObject({ state: 'failed', detail: `of 100 files ${words}` });
  });
});

test('alerts that no other check tells are told, a page first', () => {
  expect(judgeAlerts(mesh({}, [alert('files-lost', 'page', 'x'), alert('health-stale', 'page', 'y')])).state).toBe(
    'ok',
  );
  const two = [alert('a', 'warning', 'a is odd'), alert('domain-lost:zone=b', 'page', 'zone b is gone')];
  expect(judgeAlerts(mesh({}, two))).toEqual({
    state: 'failed',
    detail: 'a is odd; zone b is gone',
    next: 'mend domain-lost:zone=b',
  });
});

describe('repairs', () => {
  const repair = (storageIndex: string, outcome: string, minutesAgo: number, errorCode = ''): RepairAnswer => ({
    id: `${storageIndex}-${minutesAgo}`,
    storageIndex,
    outcome,
    errorCode,
    startedAtMs: now - minutesAgo * 60_000 - 1000,
    endedAtMs: now - minutesAgo * 60_000,
    k: 3,
    n: 10,
    availableBefore: 4,
    availableAfter: 4,
    sharesPlaced: 0,
    bytesRead: 0,
    bytesWritten: 0,
    cause: '',
  });

  test('that failed are told by the newest try of each file, with the reason and what helps', () => {
    const finding = judgeRepairs(
      [
        repair('a', 'failed', 5, 'repair-no-target'),
        repair('a', 'repaired', 20),
        repair('b', 'failed', 30, 'repair-no-target'),
        repair('c', 'failed', 40, 'internal'),
        repair('d', 'repaired', 10),
      ],
      now,
    );
    expect(finding.detail).toBe(
      'the last repairs of 3 files failed (2 repair-no-target, 1 internal); 1 were mended in the last hour',
    );
    expect(finding).toMatchObject({ state: 'failed', next: expect.stringContaining('Add peers') as string });
  });

  test('that failed and were made good, or long ago, are in order', () => {
    const good = [repair('a', 'failed', 9, 'internal'), repair('a', 'repaired', 3), repair('b', 'failed', 61)];
    expect(judgeRepairs(good, now).state).toBe('ok');
    expect(judgeRepairs([], now).state).toBe('ok');
  });
});

test('peers that are refused as outdated are named', () => {
  expect(judgePeers([samplePeer('a')]).state).toBe('ok');
  const finding = judgePeers([samplePeer('a'), samplePeer('alder-07', { outdatedAtMs: 5 })]);
  expect(finding).toMatchObject({ state: 'failed', detail: expect.stringContaining('alder-07') as string });
});

test('dead letters are told by their reasons until they are replayed', () => {
  const letter = (code: string, replayed: boolean) => ({
    number: 1,
    appendedAtMs: now,
    code,
    reason: '',
    source: '',
    peerId: null,
    contentType: '',
    payloadBytes: 0,
    keptBytes: 0,
    replayed: replayed ? { atMs: now, topic: 't', records: 1 } : null,
  });
  expect(judgeLetters([]).state).toBe('ok');
  expect(judgeLetters([letter('batch-malformed', true)]).state).toBe('ok');
  const open = [letter('log-corrupt', false), letter('batch-malformed', false), letter('batch-malformed', false)];
  expect(judgeLetters(open)).toMatchObject({
    state: 'failed',
    detail: '3 in the last 24 h: 2 batch-malformed, 1 log-corrupt',
  });
});
