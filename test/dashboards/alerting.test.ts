/** Grafana's own alert rules, asked of a real ClickHouse as a reader: each fires in a story of its kind, and does not on a quiet mesh. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { alertKinds } from '#analyzer/alerts/alert.ts';
import { type AlertingRule, alertingFile, alertingRules, alertingText } from '#dashboards/grafana/alerting.ts';
import { systemClock } from '#mesh/clock.ts';
import type { Store } from '#store/client.ts';
import * as tables from '#store/tables.ts';
import { health } from '#store/test-rows.ts';
import { createStoreWriter, type StoreWriter } from '#store/writer.ts';
import { ask } from './grafana.ts';
import { type DashboardServer, startDashboardServer } from './server.ts';

const names = ['mesh_quiet', 'mesh_hurt'];
let server: DashboardServer;

const alertRow = (kind: string, state: 'firing' | 'resolved', at: number, id: string): tables.AlertRow => {
  return { id, at, kind, severity: 'page', state, summary: '', details: '{}', files: 1 };
};

async function write(store: Store, rows: (writer: StoreWriter, nowMs: number) => Promise<void>): Promise<void> {
  const writer = createStoreWriter({ store, clock: systemClock, random: Math.random });
  await rows(writer, systemClock.nowMs());
  await writer.close();
}

const swept = (at: number): tables.GradeHistoryRow => {
  return { at, analyzer: 'a', policy: '25-of-100', grade: 'healthy', files: 1, bytes: 1 };
};

beforeAll(async () => {
  server = await startDashboardServer(names);
  await write(await server.openDatabase('mesh_quiet'), async (writer, nowMs) => {
    await writer.enqueue(tables.fileHealth, [
      health('one', 'healthy', 70),
      health('gone', 'lost', -1, { deleted: true }),
    ]);
    await writer.enqueue(tables.gradeHistory, [swept(nowMs - 5000)]);
    const [domain, proof] = [randomUUID(), randomUUID()];
    await writer.enqueue(tables.alerts, [
      alertRow('domain-lost:zone alder', 'firing', nowMs - 60_000, domain),
      alertRow('domain-lost:zone alder', 'resolved', nowMs - 30_000, domain),
      alertRow('proof-disagrees', 'firing', nowMs - 60_000, proof),
      alertRow('proof-disagrees', 'resolved', nowMs - 30_000, proof),
    ]);
  });
  await write(await server.openDatabase('mesh_hurt'), async (writer, nowMs) => {
    await writer.enqueue(tables.fileHealth, [
      health('one', 'lost', -1),
      health('two', 'critical', 3),
      health('three', 'at-risk', 20),
    ]);
    await writer.enqueue(tables.gradeHistory, [swept(nowMs - 600_000)]);
    await writer.enqueue(tables.alerts, [
      alertRow('domain-lost:zone alder', 'firing', nowMs - 60_000, randomUUID()),
      alertRow('proof-disagrees', 'firing', nowMs - 60_000, randomUUID()),
    ]);
  });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** As the data source asks: with its database as the one that stands for itself. */
async function fires({ sql, above }: AlertingRule, database: string): Promise<boolean> {
  const answer = await ask({ ...server.reader, database }, sql);
  expect(answer.columns).toHaveLength(1);
  expect(answer.columns[0]?.type).toMatch(/^(U?Int|Float)/);
  expect(answer.rows).toHaveLength(1);
  return Number(answer.rows[0]?.[0]) > above;
}

describe.each(alertingRules.map((rule) => [rule.name, rule] as const))('%s', (name, rule) => {
  test('fires where it should, and not on a quiet mesh', async () => {
    expect(await fires(rule, 'mesh_hurt')).toBe(true);
    expect(await fires(rule, 'mesh_quiet')).toBe(false);
  });

  test('is called as the alert of the same cause, and has words', () => {
    expect(Object.values(alertKinds).map((kind) => kind.name as string)).toContain(name);
    expect(rule.summary.length).toBeGreaterThan(10);
    expect(rule.description.length).toBeGreaterThan(30);
    expect(rule.sql).not.toMatch(/\bmeshward\.|\$\{|\$__/);
  });
});

test('the file is what the code makes, and whole', async () => {
  const file = new URL(`../../dashboards/provisioning/${alertingFile}`, import.meta.url);
  const text = await readFile(file, 'utf8');
  expect(text, 'run `npm run generate`').toBe(alertingText());
  const { groups } = parse(text) as {
    groups: { rules: { uid: string; condition: string; data: { refId: string }[] }[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  expect(new Set(rules.map(({ uid }) => uid)).size).toBe(alertingRules.length);
  for (const { condition, data, uid } of rules) {
    expect(uid.length).toBeLessThanOrEqual(40);
    expect(data.map(({ refId }) => refId)).toContain(condition);
  }
});
