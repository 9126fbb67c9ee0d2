/** `meshward alerts rules`: the rules for your own Prometheus. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { readRules } from '#dashboards/prometheus/rules.ts';
import { describeUse } from '../command-help.ts';
import { type Context, contextOf } from '../context.ts';

export function addAlertRulesCommand(alerts: Command): void {
  const command = alerts
    .command('rules')
    .argument('<folder>', 'where recording.yaml and alerts.yaml go')
    .description('write recording and alert rules for Prometheus, with the runbook address of this configuration');
  describeUse(command, { examples: ['meshward alerts rules /etc/prometheus/rules/meshward'] });
  command.action((folder: string, _flags: object, command: Command) => writeRules(contextOf(command), folder));
}

async function writeRules({ config, output }: Context, folder: string): Promise<void> {
  const { alertAddresses } = await import('../alerting.ts');
  const rules = await readRules(alertAddresses(config).runbookUrl);
  await mkdir(folder, { recursive: true });
  const paths = [...rules.keys()].map((name) => join(folder, name));
  for (const [name, text] of rules) await writeFile(join(folder, name), text);
  output.result({ paths }, () => paths.join('\n'));
}
