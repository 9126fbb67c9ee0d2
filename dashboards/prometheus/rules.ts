/** The rules for Prometheus as files, with the runbook address of an installation. */
import { readFile } from 'node:fs/promises';

export const ruleFiles = ['recording.yaml', 'alerts.yaml'] as const;

/** Where runbooks are for whoever runs everything on one machine: what stands in the files. */
export const defaultRunbookUrl = 'http://127.0.0.1:7700/runbooks';

/** @param runbookUrl without a slash at its end. */
export async function readRules(runbookUrl: string): Promise<ReadonlyMap<string, string>> {
  const texts = await Promise.all(
    ruleFiles.map(async (name) => {
      const text = await readFile(new URL(name, import.meta.url), 'utf8');
      return [name, text.replaceAll(`${defaultRunbookUrl}/`, () => `${runbookUrl}/`)] as const;
    }),
  );
  return new Map(texts);
}
