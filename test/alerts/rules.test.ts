/** Rules and metrics, by the tools of Prometheus itself. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { listMetrics, meteredServices, metricsTextOf } from '#cli/metrics-list.ts';
import { defaultRunbookUrl, readRules, ruleFiles } from '#dashboards/prometheus/rules.ts';
import { prometheusProgram } from '../setup/prometheus.ts';
import { alertRules, recordingRules, rulesFolder, ruleTests } from './rule-files.ts';

function promtool(argv: readonly string[], input?: string): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync(prometheusProgram('promtool'), argv, {
    cwd: rulesFolder,
    input,
    encoding: 'utf8',
  });
  return { status, said: stdout + stderr };
}

describe('rules', () => {
  test('are read by Prometheus, and hold what their tests say', () => {
    const checked = promtool(['check', 'rules', ...ruleFiles]);
    expect(checked.status, checked.said).toBe(0);
    const tested = promtool(['test', 'rules', 'alerts.test.yaml']);
    expect(tested.status, tested.said).toBe(0);
  });

  test('tests that would fail do', () => {
    const folder = mkdtempSync(join(tmpdir(), 'meshward-rules-'));
    for (const name of [...ruleFiles, 'alerts.test.yaml']) {
      const text = readFileSync(join(rulesFolder, name), 'utf8');
      writeFileSync(join(folder, name), text.replaceAll('grade="lost"', 'grade="healthy"'));
    }
    writeFileSync(join(folder, 'alerts.test.yaml'), readFileSync(join(rulesFolder, 'alerts.test.yaml')));
    expect(promtool(['test', 'rules', join(folder, 'alerts.test.yaml')]).status).not.toBe(0);
    rmSync(folder, { recursive: true });
  });

  test.each(alertRules().map((rule) => [`${rule.alert} ${rule.labels['window'] ?? ''}`, rule] as const))(
    '%s has severity, words and runbook',
    (_name, { alert, labels, annotations }) => {
      expect(['page', 'warning']).toContain(labels['severity']);
      expect(labels['service']).toBe('meshward');
      expect(annotations['summary']?.length).toBeGreaterThan(10);
      expect(annotations['description']?.length).toBeGreaterThan(30);
      expect(annotations['runbook_url']).toBe(`${defaultRunbookUrl}/${alert}.md`);
    },
  );

  test.each([...new Set(alertRules().map(({ alert }) => alert))])('%s is tested to fire, and not to', (name) => {
    const about = ruleTests().flatMap((each) => each.alert_rule_test.filter(({ alertname }) => alertname === name));
    expect(about.some(({ exp_alerts: expected }) => expected.length > 0)).toBe(true);
    expect(about.some(({ exp_alerts: expected }) => expected.length === 0)).toBe(true);
  });

  test('read only metrics that there are', async () => {
    const known = new Set([
      ...(await listMetrics()).map(({ name }) => name),
      ...recordingRules().map(({ record }) => record),
      'up',
    ]);
    const used = [...alertRules(), ...recordingRules()].flatMap(({ expr }) => [
      ...expr.replaceAll(/\{[^}]*\}/g, '').matchAll(/\bmeshward[a-z_:]*[a-z0-9_:]*|\bup\b/g),
    ]);
    expect(used.length).toBeGreaterThan(30);
    expect(used.map(([name]) => name).filter((name) => !known.has(name))).toEqual([]);
  });

  test('lead to the runbooks of an installation', async () => {
    const rules = await readRules('https://wiki.example/meshward');
    expect([...rules.keys()]).toEqual([...ruleFiles]);
    expect(rules.get('alerts.yaml')).toContain('runbook_url: https://wiki.example/meshward/MeshwardFilesLost.md');
    expect(rules.get('alerts.yaml')).not.toContain('127.0.0.1');
  });
});

describe('metrics', () => {
  test.each(meteredServices)('of the %s please promtool', async (service) => {
    const { status, said } = promtool(['check', 'metrics'], await metricsTextOf(service));
    expect(said).toBe('');
    expect(status).toBe(0);
  });

  test('have a meaning, and labels that a mesh does not make many of', async () => {
    const metrics = await listMetrics();
    expect(metrics.length).toBeGreaterThan(80);
    for (const { name, help, labels } of metrics) {
      expect(help, name).not.toBe('');
      expect(name).toMatch(/^meshward_[a-z0-9_]+$/);
      for (const label of labels.keys()) expect(['file', 'storage_index', 'path', 'cap'], name).not.toContain(label);
      if (!name.startsWith('meshward_agent_')) expect([...labels.keys()], name).not.toContain('peer');
    }
  });
});
