import { expect, test } from 'vitest';
import { otherVersions, VersionWatch, versionsOf } from './version-spread.ts';

const peer = (agentVersion: string, change: { state?: 'up' | 'departed'; revoked?: boolean } = {}) => ({
  life: { agentVersion },
  state: change.state ?? ('up' as const),
  revoked: change.revoked ?? false,
});

test('peers are counted by release, but for those that have left, were revoked or never said', () => {
  const peers = [
    peer('2'),
    peer('1'),
    peer('1'),
    peer(''),
    peer('3', { state: 'departed' }),
    peer('3', { revoked: true }),
  ];
  expect([...versionsOf(peers)]).toEqual([
    ['1', 2],
    ['2', 1],
  ]);
});

test('however many releases peers make up, few are told apart', () => {
  const versions = versionsOf(Array.from({ length: 500 }, (_, i) => peer(`${i}-${'x'.repeat(100)}`)));
  expect(versions.size).toBe(11);
  expect(versions.get(otherVersions)).toBe(490);
  for (const version of versions.keys()) expect(version.length).toBeLessThanOrEqual(40);
});

test('a spread is told once, whoever moves within it, and again when another release comes in', () => {
  const watch = new VersionWatch();
  expect(watch.look([peer('1'), peer('1')])).toBeNull();
  expect(watch.look([peer('1'), peer('2')])?.size).toBe(2);
  expect(watch.look([peer('2'), peer('2'), peer('1')])).toBeNull();
  expect(watch.look([peer('2'), peer('1'), peer('3')])?.size).toBe(3);
  expect(watch.look([peer('3')])).toBeNull();
  expect(watch.look([peer('3'), peer('1')])?.size).toBe(2);
});
