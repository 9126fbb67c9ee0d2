/**
 * Copies what people look at into the Helm chart, which can only hold files of its own: dashboards and rules.
 * `node dashboards/chart-files.ts`, as part of `npm run generate`; a test proves that they are fresh.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dashboardFiles } from './grafana/generate.ts';
import { ruleFiles } from './prometheus/rules.ts';

/** By their paths below charts/meshward/files/. */
export async function chartFiles(): Promise<ReadonlyMap<string, string>> {
  const rules = await Promise.all(
    ruleFiles.map(
      async (name) =>
        [`prometheus/${name}`, await readFile(new URL(`prometheus/${name}`, import.meta.url), 'utf8')] as const,
    ),
  );
  return new Map([...dashboardFiles().map(({ name, text }) => [`dashboards/${name}`, text] as const), ...rules]);
}

export const chartFilesFolder = new URL('../charts/meshward/files/', import.meta.url);

if (import.meta.main) {
  for (const [name, text] of await chartFiles()) {
    const path = new URL(name, chartFilesFolder);
    await mkdir(new URL('.', path), { recursive: true });
    await writeFile(path, text);
  }
}
