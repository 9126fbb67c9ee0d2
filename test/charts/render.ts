/** Renders the chart as `helm template` does. */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { type ChartTools, kubernetesVersions } from './install.ts';

const run = promisify(execFile);
export const chartFolder = fileURLToPath(new URL('../../charts/meshward/', import.meta.url));

/** One object of Kubernetes. */
export interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
}

/** Names of the files of values that the chart is checked with. */
export function ciValues(): readonly string[] {
  return readdirSync(`${chartFolder}ci`).sort();
}

/** @param values paths of files, later ones over earlier ones. */
export async function renderText(tools: ChartTools, values: readonly string[]): Promise<string> {
  const { stdout } = await run(
    tools.path('helm'),
    [
      'template',
      'm',
      chartFolder,
      '--namespace',
      'mesh',
      '--kube-version',
      kubernetesVersions[1],
      ...values.flatMap((path) => ['-f', path]),
    ],
    { maxBuffer: 64 * 1024 * 1024 },
  );
  return stdout;
}

export async function render<T extends Resource = Resource>(
  tools: ChartTools,
  values: readonly string[],
): Promise<readonly T[]> {
  const documents = parseAllDocuments(await renderText(tools, values)).map((document): unknown => document.toJS());
  return documents.filter((document) => document !== null) as T[];
}
