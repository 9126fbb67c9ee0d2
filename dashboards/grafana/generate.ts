/** Writes every dashboard beside this file, and Grafana's alert rules into `provisioning/`, as Grafana reads them: `node dashboards/grafana/generate.ts`. A test proves that they are fresh. */
import { writeFile } from 'node:fs/promises';
import { alertingFile, alertingText } from './alerting.ts';
import { dashboards } from './boards/all.ts';
import type { PlainDashboard } from './build/plain.ts';

export interface DashboardFile {
  readonly name: string;
  readonly text: string;
}

export function dashboardFiles(): readonly DashboardFile[] {
  return dashboards.map((dashboard) => ({
    name: fileNameOf(dashboard),
    text: `${JSON.stringify(dashboard, null, 2)}\n`,
  }));
}

export function fileNameOf({ uid }: Pick<PlainDashboard, 'uid'>): string {
  return `${uid}.json`;
}

if (import.meta.main) {
  await writeFile(new URL(`../provisioning/${alertingFile}`, import.meta.url), alertingText());
  for (const { name, text } of dashboardFiles()) await writeFile(new URL(`./${name}`, import.meta.url), text);
}
