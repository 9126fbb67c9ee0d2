import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noteRecord } from '#mesh/events/alert-notes.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { peerOf } from '#mesh/testing/share-events.ts';
import { RecordingSink } from './testing/recording-sink.ts';
import { alertOf, DeliveryStage, topic } from './testing/stage.ts';

const minuteMs = 60_000;
const zone = alertOf('domain-lost:zone a');
const files = alertOf('files-critical', { severity: 'warning' });
const ann = { id: peerOf(9) as PeerId, name: 'ann' };

describe('the telling of alerts', () => {
  let stage: DeliveryStage;
  let pager: RecordingSink;
  beforeEach(() => {
    stage = new DeliveryStage();
    pager = new RecordingSink();
  });
  afterEach(() => stage.close());

  it('tells that an alert began and that it is over, once each, pages first', async () => {
    const telling = await stage.telling([pager]);
    await telling.sweep([files, zone]);
    await telling.sweep([files, zone]);
    await telling.sweep([files]);
    expect(pager.said()).toEqual([
      'firing domain-lost:zone a page',
      'firing files-critical warning',
      'resolved domain-lost:zone a page',
    ]);
  });

  it('names cause, stake, time left, repair, command and links', async () => {
    const telling = await stage.telling([pager]);
    await telling.sweep([zone]);
    expect(pager.taken[0]).toMatchObject({
      dedupKey: 'meshward/meshward/domain-lost:zone a',
      alertId: 'id of domain-lost:zone a',
      name: 'MeshwardDomainLost',
      cause: { zone: 'a' },
      facts: {
        files: 12,
        bytes: 4096,
        timeLeft: '5 min until a file reaches k at the present rate of decline (the smallest margin is 7 shares)',
        repair: '40 files need repair; 4 repairs are under way; done in about 20 min',
        command: 'meshward peers --state down',
        next: 'Look at it.',
      },
      links: {
        runbook: 'http://mesh.example/runbooks/MeshwardDomainLost.md',
        dashboard: 'http://grafana.example/d/mesh',
        source: 'http://mesh.example/v1/alerts/id%20of%20domain-lost%3Azone%20a',
      },
    });
  });

  it('tries again with growing rests while a sink is away, and holds no other sink up', async () => {
    const slack = new RecordingSink({ name: 'slack' });
    pager.fault = 'away';
    const telling = await stage.telling([pager, slack]);
    await telling.sweep([zone], 5 * minuteMs);
    expect(slack.said()).toEqual(['firing domain-lost:zone a page']);
    expect(pager.taken).toEqual([]);
    // 1, 2, 4, … up to 60 s between them, less a quarter.
    expect(pager.tries).toBe(12);
    expect(telling.delivery.status()[0]).toMatchObject({ waiting: 1, lastError: 'the sink is away' });
    pager.fault = 'none';
    await telling.sweep([zone], minuteMs);
    expect(pager.said()).toEqual(['firing domain-lost:zone a page']);
    expect(telling.delivery.status()[0]).toMatchObject({ waiting: 0, failingSinceMs: null });
  });

  it('gives up waiting for a sink that hangs, and tries again', async () => {
    pager.fault = 'hanging';
    const telling = await stage.telling([pager], { sendTimeoutMs: 5000 });
    await telling.sweep([zone], 4999);
    expect(telling.delivery.status()[0]?.failingSinceMs).toBeNull();
    await stage.clock.advance(1);
    expect(telling.delivery.status()[0]?.failingSinceMs).not.toBeNull();
    pager.fault = 'none';
    await stage.clock.advance(2000);
    expect(pager.said()).toEqual(['firing domain-lost:zone a page']);
  });

  it('lets one notice that a sink refuses keep no other back', async () => {
    const telling = await stage.telling([pager]);
    pager.fault = 'refusing';
    await telling.sweep([zone]);
    pager.fault = 'none';
    await telling.sweep([zone, files]);
    expect(pager.said()).toEqual(['firing files-critical warning']);
    await stage.clock.advance(2000);
    expect(pager.said()).toContain('firing domain-lost:zone a page');
  });

  it('tells the other sinks of one that takes nothing, and that it is back', async () => {
    const slack = new RecordingSink({ name: 'slack' });
    pager.fault = 'away';
    const telling = await stage.telling([pager, slack], { sinkFailingAfterMs: 2 * minuteMs });
    await telling.sweep([zone], minuteMs);
    expect(telling.delivery.alerts()).toEqual([]);
    await stage.clock.advance(minuteMs);
    const [alert] = telling.delivery.alerts();
    expect(alert).toMatchObject({ key: 'sink-failing:sink pager', severity: 'page' });
    await telling.sweep([zone, ...telling.delivery.alerts()]);
    expect(slack.said()).toEqual(['firing domain-lost:zone a page', 'firing sink-failing:sink pager page']);
    pager.fault = 'none';
    await telling.sweep([zone, ...telling.delivery.alerts()], minuteMs);
    expect(telling.delivery.alerts()).toEqual([]);
    await telling.sweep([zone]);
    expect(slack.said().at(-1)).toBe('resolved sink-failing:sink pager page');
    expect(pager.said()).toEqual(['firing domain-lost:zone a page']);
  });

  it('keeps only the newest wish of an alert while a sink is away', async () => {
    pager.fault = 'away';
    const telling = await stage.telling([pager]);
    for (let i = 0; i < 50; i++) await telling.sweep(i % 2 === 0 ? [zone] : [], 1000);
    expect(telling.delivery.status()[0]?.waiting).toBeLessThanOrEqual(1);
    await telling.sweep([zone]);
    pager.fault = 'none';
    await stage.clock.advance(minuteMs + 20_000);
    expect(pager.said()).toEqual(['firing domain-lost:zone a page']);
  });

  it('pages once for what comes and goes within the delay', async () => {
    const telling = await stage.telling([pager], { resolveDelayMs: minuteMs });
    await telling.sweep([zone], 1000);
    for (let i = 0; i < 5; i++) {
      await telling.sweep([], 30_000);
      await telling.sweep([zone], 30_000);
    }
    expect(pager.said()).toEqual(['firing domain-lost:zone a page']);
    await telling.sweep([], minuteMs - 1);
    expect(pager.taken).toHaveLength(1);
    await telling.sweep([], 1);
    expect(pager.said().at(-1)).toBe('resolved domain-lost:zone a page');
  });

  it('says that a warning became a page, with what it was told as before', async () => {
    const telling = await stage.telling([pager]);
    await telling.sweep([alertOf('files-lost', { severity: 'warning' })]);
    await telling.sweep([alertOf('files-lost')]);
    expect(pager.taken[1]).toMatchObject({ severity: 'page', toldSeverity: 'warning', state: 'firing' });
    await telling.sweep([]);
    expect(pager.taken[2]).toMatchObject({ severity: 'page', state: 'resolved' });
  });

  it('reminds a sink that forgets, and the watchdog only while sweeps go on', async () => {
    const manager = new RecordingSink({ severities: ['page', 'none'], resendMs: minuteMs });
    const telling = await stage.telling([manager]);
    for (let i = 0; i < 10; i++) await telling.sweep([zone], minuteMs);
    const times = (key: string): number => manager.taken.filter(({ alertKey }) => alertKey === key).length;
    expect(times(zone.key)).toBe(11);
    expect(times('watchdog')).toBe(11);
    const [first, second] = manager.taken.filter(({ alertKey }) => alertKey === zone.key);
    expect((second?.validUntilMs ?? 0) - (first?.validUntilMs ?? 0)).toBe(minuteMs);
    expect((first?.validUntilMs ?? 0) - (first?.sentAtMs ?? 0)).toBe(5 * minuteMs);
    await stage.clock.advance(10 * minuteMs);
    expect(times(zone.key)).toBe(21);
    expect(times('watchdog')).toBe(13);
  });

  it('goes on where another analyzer stopped, under the same key', async () => {
    const one = await stage.telling([pager]);
    await one.sweep([zone, files]);
    one.delivery.release();
    const two = await stage.telling([pager]);
    // Nothing is known of the files yet; the zone is judged, and is back.
    await two.sweep([], 0, (key) => key === zone.key);
    expect(pager.said().slice(2)).toEqual(['resolved domain-lost:zone a page']);
    await two.sweep([{ id: 'another id', alert: files, sinceMs: stage.clock.nowMs() }]);
    expect(pager.taken).toHaveLength(3);
    await two.sweep([]);
    expect(pager.said()[3]).toBe('resolved files-critical warning');
    expect(new Set(pager.taken.map(({ dedupKey }) => dedupKey)).size).toBe(2);
    two.delivery.release();
    const three = await stage.telling([pager]);
    await three.sweep([], 10 * minuteMs);
    expect(pager.taken).toHaveLength(4);
  });

  it('says nothing any more once another analyzer tells', async () => {
    pager.fault = 'away';
    const one = await stage.telling([pager]);
    await one.sweep([zone]);
    one.delivery.release();
    pager.fault = 'none';
    await stage.clock.advance(10 * minuteMs);
    expect(pager.taken).toEqual([]);
    expect(one.delivery.alerts()).toEqual([]);
    await one.sweep([zone]);
    expect(pager.said()).toEqual(['firing domain-lost:zone a page']);
  });

  it('holds back what a person has silenced, and tells it when the silence ends', async () => {
    const telling = await stage.telling([pager]);
    await telling.sweep([zone]);
    const nowMs = stage.clock.nowMs();
    const silence = {
      id: 's1',
      selector: 'zone=a',
      createdAtMs: nowMs,
      untilMs: nowMs + 120 * minuteMs,
      why: 'planned',
      by: ann,
    };
    await stage.log.append(topic, [noteRecord({ kind: 'silence', silence })]);
    await telling.sweep([zone, files], 0);
    await telling.sweep([zone, files], 0);
    expect(pager.said().slice(1)).toEqual(['resolved domain-lost:zone a page', 'firing files-critical warning']);
    expect(pager.taken[1]?.why).toBe('silenced by ann for 2 h more: planned');
    await stage.log.append(topic, [
      noteRecord({ kind: 'silence-end', end: { silenceId: 's1', atMs: stage.clock.nowMs(), by: ann } }),
    ]);
    await stage.clock.advance(0);
    await telling.sweep([zone, files]);
    expect(pager.said()[3]).toBe('firing domain-lost:zone a page');
  });

  it('lets a silence expire by itself', async () => {
    const telling = await stage.telling([pager]);
    const nowMs = stage.clock.nowMs();
    const silence = {
      id: 's',
      selector: 'DomainLost',
      createdAtMs: nowMs,
      untilMs: nowMs + minuteMs,
      why: '',
      by: ann,
    };
    await stage.log.append(topic, [noteRecord({ kind: 'silence', silence })]);
    await telling.sweep([zone], minuteMs - 1);
    await telling.sweep([zone], 1);
    expect(pager.taken).toEqual([]);
    await telling.sweep([zone]);
    expect(pager.said()).toEqual(['firing domain-lost:zone a page']);
  });

  it('tells that somebody has taken an alert on, and tells it anew when that has expired', async () => {
    const telling = await stage.telling([pager]);
    const open = { id: 'one', alert: zone, sinceMs: stage.clock.nowMs() };
    await telling.sweep([open]);
    const atMs = stage.clock.nowMs();
    const ack = { alertKey: zone.key, alertId: 'one', atMs, untilMs: atMs + minuteMs, why: 'on it', by: ann };
    await stage.log.append(topic, [noteRecord({ kind: 'ack', ack })]);
    await stage.clock.advance(0);
    await telling.sweep([open], minuteMs);
    expect(pager.said()[1]).toBe('acknowledged domain-lost:zone a page');
    await telling.sweep([open]);
    expect(pager.said().slice(2)).toEqual(['firing domain-lost:zone a page']);
    // An acknowledgement is of one occurrence: the next one pages.
    const next = { ...open, id: 'two' };
    await telling.sweep([]);
    await telling.sweep([next]);
    expect(pager.said().at(-1)).toBe('firing domain-lost:zone a page');
  });

  it('keeps to itself what a maintenance window explains', async () => {
    const telling = await stage.telling([pager]);
    await telling.sweep([alertOf('files-critical', { details: { explainedBy: '3 peers are in maintenance' } })]);
    expect(pager.taken).toEqual([]);
    await telling.sweep([alertOf('files-critical')]);
    expect(pager.said()).toEqual(['firing files-critical page']);
  });
});
