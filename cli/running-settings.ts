/** How a running mesh reaches servers that it has not started, for commands that were not told. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { EffectiveConfig } from '#mesh/config/load.ts';

const serverKeys = /^(kafka\..*|clickhouse\..*|log\.adapter|log\.topicPrefix)$/;

/** What was set of these keys, for the run file. Passwords and keys are in files of their own: only their paths are here. */
export function serverSettings({ config, origins }: EffectiveConfig): Readonly<Record<string, unknown>> {
  const settings: Record<string, unknown> = {};
  for (const [key, origin] of origins) {
    if (origin === 'default' || !serverKeys.test(key)) continue;
    const value = key.split('.').reduce<unknown>((node, word) => (node as Record<string, unknown>)[word], config);
    settings[key] = key.endsWith('File') && typeof value === 'string' && value !== '' ? resolve(value) : value;
  }
  return settings;
}

/** Empty where nothing runs, or runs without them. */
export function runningSettings(path: string): Readonly<Record<string, unknown>> {
  try {
    return (
      (JSON.parse(readFileSync(path, 'utf8')) as { readonly settings?: Readonly<Record<string, unknown>> }).settings ??
      {}
    );
  } catch {
    return {};
  }
}
