/** The dashboards as a mesh of one's own wants them: with its life times of series, and its own address of runbooks. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Retention } from '#store/retention.ts';
import { alertingFile, alertingText } from './alerting.ts';
import { dashboards } from './boards/all.ts';
import type { PlainDashboard, PlainVariable } from './build/plain.ts';
import { fileNameOf } from './generate.ts';
import { stepsClause, stepsClauseOf } from './sql/leveled.ts';

export interface DeliveryOptions {
  readonly retention: Retention;
  /** Address of the folder with the runbooks. */
  readonly runbooksUrl: string;
}

export function ownDashboards({ retention, runbooksUrl }: DeliveryOptions): readonly PlainDashboard[] {
  const clause = stepsClauseOf(retention);
  return dashboards.map((dashboard) => {
    const panels = dashboard.panels.map((panel) =>
      'targets' in panel && panel.type !== 'row'
        ? {
            ...panel,
            targets: panel.targets.map((target) => ({ ...target, rawSql: target.rawSql.replace(stepsClause, clause) })),
          }
        : panel,
    ) as PlainDashboard['panels'];
    const list = dashboard.templating.list.map((variable) => withRunbooks(variable, runbooksUrl));
    return { ...dashboard, panels, templating: { list } };
  });
}

function withRunbooks(variable: PlainVariable, url: string): PlainVariable {
  if (variable.name !== 'runbooks') return variable;
  const value = url.replace(/\/+$/, '');
  return { ...variable, query: value, current: { text: value, value } };
}

const provisioned = ['datasources/meshward.yaml', 'dashboards/meshward.yaml'] as const;

/** @returns the files that were written. @param provisioning Grafana's own files beside the dashboards. */
export async function exportDashboards(
  directory: string,
  options: DeliveryOptions & { readonly provisioning: boolean },
): Promise<readonly string[]> {
  const written: string[] = [];
  const write = async (path: string, text: string): Promise<void> => {
    await writeFile(path, text);
    written.push(path);
  };
  await mkdir(directory, { recursive: true });
  for (const dashboard of ownDashboards(options))
    await write(join(directory, fileNameOf(dashboard)), `${JSON.stringify(dashboard, null, 2)}\n`);
  if (!options.provisioning) return written;
  for (const file of provisioned) {
    const path = join(directory, 'provisioning', file);
    await mkdir(join(path, '..'), { recursive: true });
    await write(path, await readFile(new URL(`../provisioning/${file}`, import.meta.url), 'utf8'));
  }
  const alerting = join(directory, 'provisioning', alertingFile);
  await mkdir(join(alerting, '..'), { recursive: true });
  await write(alerting, alertingText(options.runbooksUrl));
  return written;
}
