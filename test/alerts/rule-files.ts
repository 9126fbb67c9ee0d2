/** The rules for Prometheus, as they stand in their files. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export const rulesFolder = fileURLToPath(new URL('../../dashboards/prometheus/', import.meta.url));

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

export interface RuleTest {
  readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[];
}

function read(name: string): unknown {
  return parse(readFileSync(`${rulesFolder}${name}`, 'utf8')) as unknown;
}

export function alertRules(): readonly AlertRule[] {
  return (read('alerts.yaml') as { groups: readonly { rules: readonly AlertRule[] }[] }).groups.flatMap(
    ({ rules }) => rules,
  );
}

export function recordingRules(): readonly RecordingRule[] {
  const { groups } = read('recording.yaml') as { groups: readonly { rules: readonly RecordingRule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

export function ruleTests(): readonly RuleTest[] {
  return (read('alerts.test.yaml') as { tests: readonly RuleTest[] }).tests;
}
