import { describe, expect, it } from 'vitest';
import type { Grade } from '#mesh/grade.ts';
import type { PeerState } from '#mesh/peer-state.ts';
import { emptyTotals } from '../files/share-map/totals.ts';
import { type AlertInput, recoverabilityAlerts } from './recoverability.ts';
import { type AlertPeer } from './silent-domains.ts';

type Files = Partial<Record<Grade, number>>;

/** @param input `countedFiles` are those that would need repair were every announced peer up; null where nobody says. */
function alertsOf(input: Partial<Omit<AlertInput, 'totals'>> & { files?: Files; countedFiles?: Files | null }) {
  const { files = {}, countedFiles = {}, ...rest } = input;
  const counts = (of: Files) =>
    new Map(Object.entries(of).map(([grade, count]) => [grade as Grade, { files: count, bytes: 0 }]));
  const byGrade = counts(files);
  const byCountedGrade = countedFiles === null ? undefined : counts(countedFiles);
  return recoverabilityAlerts({
    totals: { ...emptyTotals(), byGrade, byCountedGrade },
    peers: [],
    staleReasons: [],
    lostDomainRatio: 0.8,
    refusedEvents: 0,
    truncatedRecords: 0,
    owedInventories: 0,
    unwatchedFiles: 0,
    ...rest,
  });
}

function peers(
  count: number,
  state: PeerState,
  domains: AlertPeer['domains'],
  silenceMs: number | null = 1000,
): AlertPeer[] {
  return Array.from({ length: count }, () => ({ state, domains, silenceMs }));
}

const pages = (alerts: ReturnType<typeof alertsOf>) =>
  alerts.filter(({ severity }) => severity === 'page').map(({ key }) => key);

describe('recoverability alerts', () => {
  it('are none where all is well', () => {
    expect(alertsOf({ files: { healthy: 10, degraded: 3 }, peers: peers(5, 'up', { zone: 'a' }) })).toEqual([]);
  });

  it('page for lost and critical files, and warn of files at risk, each with the count and what to do', () => {
    const alerts = alertsOf({ files: { lost: 1, critical: 2, 'at-risk': 3 } });
    expect(alerts.map(({ key, severity, files }) => [key, severity, files])).toEqual([
      ['files-lost', 'page', 1],
      ['files-critical', 'page', 2],
      ['files-at-risk', 'warning', 3],
    ]);
    expect(alerts[0]?.summary).toBe('1 file cannot be recovered now');
    for (const { next } of alerts) expect(next).toMatch(/meshward /);
  });

  it('page once for a lost zone with everything in it: region beside it up, its racks no news, files as warnings', () => {
    const inZone = (zone: string, rack: string) => ({ region: 'eu', zone, rack });
    const alerts = alertsOf({
      files: { lost: 2, critical: 5, 'at-risk': 40 },
      peers: [
        ...peers(3, 'down', inZone('a', 'a1')),
        ...peers(3, 'down', inZone('a', 'a2')),
        ...peers(6, 'up', inZone('b', 'b1')),
      ],
    });
    expect(pages(alerts)).toEqual(['domain-lost:zone a']);
    const page = alerts.find(({ severity }) => severity === 'page');
    expect(page?.summary).toBe(
      'zone a is gone: 6 of 6 peers are silent; 2 files cannot be recovered now, 5 files critical, 40 files at risk',
    );
    expect(page?.files).toBe(47);
    expect(alerts.find(({ key }) => key === 'files-lost')?.summary).toContain('after the loss of zone a (6 peers)');
  });

  it('name the zone where a region holds the same peers, and the region where it holds more lost zones', () => {
    const one = alertsOf({ peers: peers(4, 'down', { region: 'eu', zone: 'a' }) });
    expect(pages(one)).toEqual(['domain-lost:zone a']);
    const two = alertsOf({
      peers: [...peers(2, 'down', { region: 'eu', zone: 'a' }), ...peers(2, 'down', { region: 'eu', zone: 'b' })],
    });
    expect(pages(two)).toEqual(['domain-lost:region eu']);
  });

  it('page for a zone in grace only once files are at stake by it', () => {
    const silent = peers(4, 'suspect', { zone: 'a' });
    expect(alertsOf({ peers: silent, files: { 'at-risk': 9 } }).map(({ key }) => key)).toEqual(['files-at-risk']);
    const grave = alertsOf({ peers: silent, files: { critical: 1 } });
    expect(pages(grave)).toEqual(['domain-lost:zone a']);
    expect(grave[0]?.summary).toContain('4 of 4 peers are silent (4 still in grace)');
  });

  it('do not fire for peers that were never heard, nor for departed ones, nor for a domain of one', () => {
    expect(alertsOf({ peers: peers(5, 'down', { zone: 'a' }, null) })).toEqual([]);
    expect(alertsOf({ peers: peers(5, 'departed', { zone: 'a' }) })).toEqual([]);
    expect(alertsOf({ peers: peers(1, 'down', { zone: 'a' }) })).toEqual([]);
    expect(alertsOf({ peers: [...peers(3, 'down', { zone: 'a' }), ...peers(2, 'up', { zone: 'a' })] })).toEqual([]);
  });

  it('say why health is stale, that files are refused, and that records were lost unread', () => {
    const alerts = alertsOf({
      staleReasons: [
        { kind: 'reported', words: 'one' },
        { kind: 'reported', words: 'two', analyzer: 'b' },
      ],
      refusedEvents: 3,
      truncatedRecords: 4,
      owedInventories: 2,
      unwatchedFiles: 1,
    });
    expect(alerts.map(({ key, severity }) => [key, severity])).toEqual([
      ['health-stale', 'page'],
      ['files-refused', 'page'],
      ['events-truncated', 'page'],
      ['files-unwatched', 'warning'],
    ]);
    expect(alerts[0]?.summary).toBe('health is stale: one; b: two');
    expect(alerts[2]?.next).toContain('are asked for one by collectors');
  });

  describe('and a maintenance window', () => {
    const away = peers(3, 'maintenance', { zone: 'a' });
    const explained = 'explained by 3 peers in maintenance';
    const wordsOf = (input: Parameters<typeof alertsOf>[0]) =>
      Object.fromEntries(alertsOf({ peers: away, ...input }).map(({ key, details }) => [key, details['explainedBy']]));

    it('are explained by it where no file would need repair were its peers up', () => {
      expect(wordsOf({ files: { lost: 1, 'at-risk': 2 } })).toEqual({
        'files-lost': explained,
        'files-at-risk': explained,
      });
    });

    it('are explained though another peer has long been down: what its absence does is repaired, and counts for nothing here', () => {
      const others = [...away, ...peers(1, 'down', { zone: 'b' })];
      expect(wordsOf({ peers: others, files: { 'at-risk': 2 } })).toEqual({ 'files-at-risk': explained });
    });

    it('are not explained where files would be as bad without it, such as after a disk was wiped meanwhile', () => {
      expect(wordsOf({ files: { critical: 5, 'at-risk': 2 }, countedFiles: { critical: 1 } })).toEqual({
        'files-critical': undefined,
        'files-at-risk': undefined,
      });
      // One that is only lost by the window would be critical without it: somebody is paged.
      expect(wordsOf({ files: { lost: 1 }, countedFiles: { critical: 1 } })).toEqual({ 'files-lost': undefined });
    });

    it('are explained each by itself: the page may be, where the ticket is not', () => {
      expect(wordsOf({ files: { critical: 5, 'at-risk': 2 }, countedFiles: { 'at-risk': 2 } })).toEqual({
        'files-critical': explained,
        'files-at-risk': undefined,
      });
    });

    it('are not explained while a peer is silent that nobody announced', () => {
      const others = [...away, ...peers(1, 'suspect', { zone: 'b' })];
      expect(wordsOf({ peers: others, files: { 'at-risk': 2 } })).toEqual({ 'files-at-risk': undefined });
    });

    it('of an analyzer that does not say what would be are explained only where no other peer is away', () => {
      const unknown = { files: { 'at-risk': 2 }, countedFiles: null };
      expect(wordsOf(unknown)).toEqual({ 'files-at-risk': explained });
      const others = [...away, ...peers(1, 'down', { zone: 'b' })];
      expect(wordsOf({ ...unknown, peers: others })).toEqual({ 'files-at-risk': undefined });
    });

    it('do not explain what is no matter of files', () => {
      expect(wordsOf({ staleReasons: [{ kind: 'no-tick' }] })).toEqual({ 'health-stale': undefined });
    });
  });
});
