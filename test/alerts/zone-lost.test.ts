/**
 * A zone dies in a mesh: the on-call behind a real Alertmanager hears of it once, with everything in it, whatever happens to the
 * analyzer that tells and to Alertmanager itself meanwhile, and hears when it is over.
 */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createSinks } from '#analyzer/alerts/delivery/sinks.ts';
import { TestAlerting } from '#analyzer/testing/alerting.ts';
import { DurableRows, MemoryStore } from '#analyzer/testing/memory-store.ts';
import { eventually, graceMs, peers, type RunningAnalyzer, suspectAfterMs, TestMesh } from '#analyzer/testing/mesh.ts';
import { testConfig } from './alertmanager-config.ts';
import { Alertmanager, OnCall } from './alertmanager-process.ts';

const files = [1, 2, 3, 4];
/** Peers 3, 4 and 5 are zone b; each file has a share on each of six peers, and k is 2. */
const zoneA = [0, 1, 2];

interface Member extends RunningAnalyzer {
  readonly store: MemoryStore;
  readonly alerting: TestAlerting;
}

let onCall: OnCall;
let manager: Alertmanager;
let mesh: TestMesh;
let rows: DurableRows;
let members: Member[];

beforeEach(async () => {
  onCall = await OnCall.open();
  manager = await Alertmanager.start(onCall, testConfig());
  mesh = await TestMesh.open({
    partitions: 2,
    flags: {
      'alerts.sinks': [{ kind: 'alertmanager', name: 'main', urls: [manager.url] }],
      'alerts.meshName': 'm1',
      'alerts.resendMs': 1000,
      'alerts.resolveDelayMs': 0,
      'alerts.sinkFailingAfterMs': 600_000,
    },
  });
  rows = new DurableRows();
  members = [];
  await mesh.announce();
  await mesh.put(files);
});
afterEach(async () => {
  for (const { alerting } of members) await alerting.close();
  await mesh.close();
  await manager.close();
  await onCall.close();
});

async function join(): Promise<Member> {
  const log = await mesh.openLog();
  const store = new MemoryStore(() => mesh.wallMs, rows);
  const alerting = await TestAlerting.open(mesh, createSinks(mesh.config.alerts), {
    log,
    repairs: { running: 3, brake: null },
  });
  const running = await mesh.start(store, {
    log,
    instance: `host-${members.length}`,
    delivery: alerting.delivery,
    tuning: { stepMs: 2, stopTimeoutMs: 50 },
  });
  const member = { ...running, store, alerting };
  members.push(member);
  return member;
}

/** As kill -9: nothing that is not acknowledged comes after. */
async function fail(member: Member): Promise<void> {
  members.splice(members.indexOf(member), 1);
  member.store.hang();
  await member.kill();
  await member.alerting.close();
}

async function whoTells(): Promise<Member> {
  let teller: Member | undefined;
  await eventually(() => {
    teller = members.find(({ alerting }) => alerting.delivery.isTelling);
    if (teller === undefined) throw new Error('nobody tells');
  });
  return teller as Member;
}

const pages = (): readonly string[] => onCall.paged();
const within = { timeout: 30_000, interval: 50 };

it('pages once, over a failover and an outage of Alertmanager, and resolves', async () => {
  await join();
  await mesh.pass(3000, peers);
  const first = await whoTells();
  await mesh.seenBy(first);

  await mesh.pass(suspectAfterMs + graceMs + 2000, zoneA);
  await mesh.seenBy(first);
  await vi.waitFor(() => expect(pages()).toEqual(['firing MeshwardDomainLost']), within);
  const page = onCall.pages.find(({ receiver }) => receiver === 'on-call')?.alerts[0];
  expect(page?.labels).toEqual({
    alertname: 'MeshwardDomainLost',
    severity: 'page',
    mesh: 'm1',
    service: 'meshward',
    zone: 'b',
  });
  expect(page?.annotations).toMatchObject({
    summary: expect.stringMatching(/^zone b is gone: 3 of 3 peers are silent/) as string,
    at_stake: expect.stringMatching(/^4 files, 3\.9 KiB$/) as string,
    time_left: expect.stringContaining('the smallest margin is 1 share') as string,
    repair: expect.stringContaining('3 repairs are under way') as string,
    command: 'meshward peers --state down',
    next: expect.stringContaining('meshward peers --state down') as string,
    runbook_url: expect.stringContaining('/MeshwardDomainLost.md') as string,
    dashboard_url: expect.stringMatching(/^http/) as string,
  });
  expect(page?.generatorURL).toContain('/v1/alerts/');

  // It has seen every file by itself: what the page says does not hang on when the report of another one comes.
  await join();
  await fail(first);
  const second = await whoTells();
  await mesh.pass(3000, zoneA);
  await mesh.seenBy(second);

  await manager.stop();
  await vi.waitFor(() => expect(second.alerting.delivery.status()[0]?.failingSinceMs).not.toBeNull(), within);
  await mesh.pass(2000, zoneA);
  await mesh.seenBy(second);
  await manager.resume();
  await vi.waitFor(async () => {
    expect((await manager.active()).map(({ labels }) => labels['alertname'])).toContain('MeshwardDomainLost');
  }, within);
  await vi.waitFor(() => expect(second.alerting.delivery.status()[0]?.failingSinceMs).toBeNull(), within);
  expect(pages()).toEqual(['firing MeshwardDomainLost']);

  await mesh.pass(5000, peers);
  await mesh.seenBy(second);
  await vi.waitFor(() => expect(pages()).toEqual(['firing MeshwardDomainLost', 'resolved MeshwardDomainLost']), within);
  await vi.waitFor(
    () => expect(second.alerting.notes.told().map(({ alertKey }) => alertKey)).not.toContain('domain-lost:zone b'),
    within,
  );
});
