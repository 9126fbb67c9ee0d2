import { beforeEach, describe, expect, it } from 'vitest';
import type { Alert } from './alert.ts';
import { AlertBoard } from './alert-board.ts';

function alert(key: string, summary = key, severity: Alert['severity'] = 'warning'): Alert {
  return { key, severity, summary, next: 'do', files: 1, bytes: 10, details: {} };
}

describe('the alert board', () => {
  let board: AlertBoard;
  let ids: number;
  beforeEach(() => {
    ids = 0;
    board = new AlertBoard(() => `id-${++ids}`);
  });
  const update = (alerts: readonly Alert[], atMs: number, canTell?: (key: string) => boolean) =>
    board.update(alerts, atMs, canTell).map(({ id, alert, state, sinceMs }) => [id, state, alert.summary, sinceMs]);

  it('tells that an alert began and that it ended, once each and under one id', () => {
    expect(update([alert('a')], 1000)).toEqual([['id-1', 'firing', 'a', 1000]]);
    expect(update([alert('a')], 60_000)).toEqual([]);
    expect(board.open()).toEqual([{ id: 'id-1', alert: alert('a'), sinceMs: 1000 }]);
    expect(update([], 70_000)).toEqual([['id-1', 'resolved', 'a', 1000]]);
    expect(board.open()).toEqual([]);
    expect(update([alert('a')], 80_000)).toEqual([['id-2', 'firing', 'a', 80_000]]);
  });

  it('tells changed words at most every ten seconds, and the newest then', () => {
    update([alert('a', '1 file')], 0);
    expect(update([alert('a', '2 files')], 9_999)).toEqual([]);
    expect(board.open()[0]?.alert.summary).toBe('2 files');
    expect(update([alert('a', '3 files')], 10_000)).toEqual([['id-1', 'changed', '3 files', 0]]);
    expect(update([alert('a', '4 files')], 19_999)).toEqual([]);
    expect(update([alert('a', '3 files')], 20_000)).toEqual([]);
    expect(update([], 20_001)).toEqual([['id-1', 'resolved', '3 files', 0]]);
  });

  it('tells at once when a warning becomes a page, and never makes a page less', () => {
    update([alert('a', 'few')], 0);
    expect(update([alert('a', 'many', 'page')], 1)).toEqual([['id-1', 'changed', 'many', 0]]);
    update([alert('a', 'many', 'warning')], 2);
    expect(board.open()[0]?.alert.severity).toBe('page');
  });

  it('says that an alert became a graver one, where its files did, and that it ended, where they are mended', () => {
    const files = (key: string, count: number): Alert => ({ ...alert(key), files: count });
    const ends = (alerts: readonly Alert[], atMs: number) =>
      board
        .update(alerts, atMs)
        .filter(({ state }) => state === 'resolved')
        .map(({ alert: { key }, escalatedTo }) => [key, escalatedTo?.key ?? 'mended']);
    expect(ends([files('files-at-risk', 5)], 0)).toEqual([]);
    expect(ends([files('files-critical', 5)], 1)).toEqual([['files-at-risk', 'files-critical']]);
    expect(ends([files('files-critical', 5), files('files-at-risk', 2)], 2)).toEqual([]);
    expect(ends([files('files-critical', 5)], 3)).toEqual([['files-at-risk', 'mended']]);
    expect(ends([files('files-critical', 5), files('files-at-risk', 2)], 4)).toEqual([]);
    expect(ends([files('files-critical', 7)], 5)).toEqual([['files-at-risk', 'files-critical']]);
    expect(ends([files('files-lost', 7)], 6)).toEqual([['files-critical', 'files-lost']]);
    expect(ends([], 7)).toEqual([['files-lost', 'mended']]);
  });

  it('leaves alerts as they are of which nothing can be told now', () => {
    update([alert('a'), alert('b')], 0);
    expect(update([alert('c')], 1, (key) => key === 'b')).toEqual([['id-2', 'resolved', 'b', 0]]);
    expect(board.open().map(({ alert }) => alert.key)).toEqual(['a']);
  });

  it('goes on from what an earlier run told', () => {
    board.resume([{ id: 'old', alert: alert('a'), sinceMs: 5 }]);
    expect(update([alert('a')], 60_000)).toEqual([]);
    expect(update([], 60_001)).toEqual([['old', 'resolved', 'a', 5]]);
  });
});
