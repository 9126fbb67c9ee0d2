/** Notices at a real Alertmanager: taken, grouped, kept while they are sent, and over when they are told to be. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Notice, noticeOf, watchdogNotice } from '#analyzer/alerts/delivery/notice.ts';
import type { AlertSink } from '#analyzer/alerts/delivery/sink.ts';
import { createSinks } from '#analyzer/alerts/delivery/sinks.ts';
import { addresses, alertOf, calm } from '#analyzer/alerts/delivery/testing/stage.ts';
import { configSchema } from '#mesh/config/schema.ts';
import { testConfig } from './alertmanager-config.ts';
import { Alertmanager, OnCall } from './alertmanager-process.ts';

let onCall: OnCall;
let manager: Alertmanager;
let sink: AlertSink;
beforeEach(async () => {
  onCall = await OnCall.open();
  manager = await Alertmanager.start(onCall, testConfig());
  const sinks = [{ kind: 'alertmanager', name: 'main', urls: [manager.url] }];
  [sink] = createSinks(configSchema.shape.alerts.parse({ sinks })) as [AlertSink];
});
afterEach(async () => {
  await sink.close();
  await manager.close();
  await onCall.close();
});

const send = (notice: Notice): Promise<void> => sink.send(notice, new AbortController().signal);
const context = () => ({ mesh: 'm1', addresses, outlook: calm, nowMs: Date.now(), validMs: 300_000 });
const zone = (fields = {}): Notice =>
  noticeOf({ id: 'one', alert: alertOf('domain-lost:zone eu-1', fields), sinceMs: Date.now() }, context(), null);

it('pages once with everything in it, however often it is sent, and says when it is over', async () => {
  const notice = zone();
  for (let times = 0; times < 3; times++) await send(notice);
  await vi.waitFor(() => expect(onCall.paged()).toEqual(['firing MeshwardDomainLost']), { timeout: 20_000 });
  const [alert] = onCall.pages.at(-1)?.alerts ?? [];
  expect(alert?.labels).toEqual({
    alertname: 'MeshwardDomainLost',
    severity: 'page',
    mesh: 'm1',
    service: 'meshward',
    zone: 'eu-1',
  });
  expect(alert?.annotations).toMatchObject({
    summary: 'domain-lost:zone eu-1 holds',
    at_stake: '12 files, 4.0 KiB',
    time_left: expect.stringContaining('5 min until a file reaches k') as string,
    repair: expect.stringContaining('4 repairs are under way; done in about 20 min') as string,
    command: 'meshward peers --state down',
    runbook_url: 'http://mesh.example/runbooks/MeshwardDomainLost.md',
    dashboard_url: 'http://grafana.example/d/mesh',
  });
  expect(alert?.generatorURL).toBe('http://mesh.example/v1/alerts/one');
  await send({ ...notice, state: 'resolved', endedAtMs: Date.now() });
  await vi.waitFor(() => expect(onCall.paged()).toEqual(['firing MeshwardDomainLost', 'resolved MeshwardDomainLost']), {
    timeout: 20_000,
  });
});

it('lets a warning end that became a page', async () => {
  const warning = zone({ severity: 'warning' });
  await send(warning);
  await vi.waitFor(async () => expect(await manager.active()).toHaveLength(1));
  await send({ ...warning, severity: 'page', toldSeverity: 'warning', sentAtMs: Date.now() });
  await vi.waitFor(async () => {
    expect((await manager.active()).map(({ labels }) => labels['severity'])).toEqual(['page']);
  });
});

it('takes the watchdog, and its route for it', async () => {
  await send(watchdogNotice(context(), Date.now()));
  await vi.waitFor(() => expect(onCall.pages.map(({ receiver }) => receiver)).toContain('watchdog'), {
    timeout: 20_000,
  });
  expect(onCall.paged()).toEqual([]);
});

it('is told as away while it is', async () => {
  await manager.stop();
  await expect(send(zone())).rejects.toThrow('cannot be reached: ECONNREFUSED');
});
