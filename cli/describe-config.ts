/** The configuration as people and documents show it. Secrets never leave it. */
import { Document, isCollection, isScalar, stringify } from 'yaml';
import type { ConfigOrigin, EffectiveConfig } from '#mesh/config/load.ts';
import { type ConfigKey, configKeys } from '#mesh/config/schema.ts';
import { redactUserInfo } from '#mesh/redact.ts';

export interface ShownConfig {
  readonly config: Readonly<Record<string, unknown>>;
  readonly origins: Readonly<Record<string, ConfigOrigin>>;
}

export function shownConfig({ config, origins }: EffectiveConfig): ShownConfig {
  const shown: Record<string, unknown> = {};
  for (const key of configKeys()) put(shown, key.path, shownValue(key, valueAt(config, key.path)));
  return { config: shown, origins: Object.fromEntries(origins) };
}

/** YAML that is a configuration file again, but for its secrets. */
export function renderConfig(effective: EffectiveConfig): string {
  const { config, origins } = shownConfig(effective);
  const document = new Document(config);
  for (const key of configKeys()) {
    const path = key.path.split('.');
    const value: unknown = document.getIn(path, true);
    const origin = origins[key.path] ?? 'default';
    if (isScalar(value) || (isCollection(value) && value.items.length === 0)) value.comment = ` ${origin}`;
    else if (isCollection(value)) value.commentBefore = ` ${origin}`;
  }
  return document.toString({ lineWidth: 0 });
}

export function describeKeys(keys: readonly ConfigKey[]): string {
  return keys
    .map((key) =>
      [
        key.path,
        `  ${key.description}`,
        `  default ${formatValue(key.fallback)}, unit ${key.unit}, environment ${key.environmentName}`,
      ].join('\n'),
    )
    .join('\n\n');
}

/** In one line, as one would write it into a file. */
export function formatValue(value: unknown): string {
  if (value === '') return 'empty';
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim();
}

function shownValue(key: ConfigKey, value: unknown): unknown {
  if (key.secret) return value === '' ? '' : '(secret)';
  if (typeof value === 'string') return redactUserInfo(value);
  if (Array.isArray(value))
    return value.map((item: unknown) => (typeof item === 'string' ? redactUserInfo(item) : item));
  return value;
}

function valueAt(config: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((node, word) => (node as Record<string, unknown>)[word], config);
}

function put(tree: Record<string, unknown>, path: string, value: unknown): void {
  const words = path.split('.');
  let node = tree;
  for (const word of words.slice(0, -1)) node = (node[word] ??= {}) as Record<string, unknown>;
  node[words.at(-1) as string] = value;
}
