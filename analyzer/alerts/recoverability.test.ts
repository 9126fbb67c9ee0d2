import { describe, expect, it } from 'vitest';
import type { Grade } from '#mesh/grade.ts';
import type { PeerState } from '#mesh/peer-state.ts';
import { emptyTotals } from '../files/share-map/totals.ts';
import { type AlertInput, recoverabilityAlerts } from './recoverability.ts';
import { type AlertPeer } from './silent-domains.ts';

function alertsOf(input: Partial<Omit<AlertInput, 'totals'>> & { files?: Partial<Record<Grade, number>> }) {
  const { files = {}, ...rest } = input;
  const byGrade = new Map(Object.entries(files).map(([grade, count]) => [grade as Grade, { files: count, bytes: 0 }]));
  return recoverabilityAlerts({
    totals: { ...emptyTotals(), byGrade },
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

  it('are explained by a maintenance window where no other peer is away', () => {
    const away = peers(3, 'maintenance', { zone: 'a' });
    const explained = alertsOf({ peers: away, files: { lost: 1, 'at-risk': 2 } });
    expect(explained.map(({ details }) => details['explainedBy'])).toEqual([
      'explained by 3 peers in maintenance',
      'explained by 3 peers in maintenance',
    ]);
    const mixed = alertsOf({ peers: [...away, ...peers(1, 'down', { zone: 'b' })], files: { lost: 1 } });
    expect(mixed[0]?.details).toEqual({});
    expect(alertsOf({ peers: away, staleReasons: [{ kind: 'no-tick' }] })[0]?.details).toEqual({});
  });
});
