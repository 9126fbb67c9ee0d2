/** Answers as columns that panels draw, each with what the JSON says of it. */
import type { Answer, FieldSettings, Panel } from './model.ts';

export type FieldType = 'time' | 'number' | 'text';
export type Cell = number | string | null;

export interface Field {
  readonly name: string;
  /** As people read it. */
  readonly title: string;
  readonly type: FieldType;
  readonly values: readonly Cell[];
  readonly settings: FieldSettings;
}

interface Plain {
  readonly name: string;
  readonly type: FieldType;
  readonly values: Cell[];
  readonly labels: Readonly<Record<string, string>>;
}

function typeOf(written: string): FieldType {
  if (written.includes('DateTime')) return 'time';
  return /Int|Float|Decimal/.test(written) ? 'number' : 'text';
}

function cell(type: FieldType, value: string | number | boolean | null | undefined): Cell {
  if (value === null || value === undefined) return null;
  if (type === 'time') return Date.parse(`${String(value).replace(' ', 'T')}Z`);
  return type === 'number' ? Number(value) : String(value);
}

function fieldsOf({ columns, rows }: Answer): Plain[] {
  return columns.map(({ name, type: written }, index) => {
    const type = typeOf(written);
    return { name, type, labels: {}, values: rows.map((row) => cell(type, row[index])) };
  });
}

/** A long series becomes a field for each combination of its words. */
function widen(fields: Plain[]): Plain[] {
  const [time, ...others] = fields;
  const words = others.filter(({ type }) => type === 'text');
  if (time === undefined || time.type !== 'time' || words.length === 0) return fields;
  const times = [...new Set(time.values)];
  const places = new Map(times.map((at, index) => [at, index]));
  const wide = new Map<string, Plain>();
  for (const [row, at] of time.values.entries()) {
    const labels = Object.fromEntries(words.map(({ name, values }) => [name, String(values[row] ?? '')]));
    for (const { name, type, values } of others) {
      if (type === 'text') continue;
      const key = JSON.stringify([name, labels]);
      const known = wide.get(key) ?? { name, type, labels, values: times.map((): Cell => null) };
      wide.set(key, known);
      known.values[places.get(at) as number] = values[row] ?? null;
    }
  }
  return [{ ...time, values: times }, ...wide.values()];
}

function titleOf({ name, labels }: Plain, settings: FieldSettings): string {
  const words = Object.values(labels).join(' ');
  const written = settings.displayName ?? '';
  if (written === '') return words === '' ? name : words;
  return written
    .replaceAll('${__field.name}', name)
    .replaceAll(/\$\{__field\.labels\.(\w+)\}/g, (_whole, label: string) => labels[label] ?? '');
}

function settingsOf(field: Plain, panel: Panel): FieldSettings {
  const { defaults, overrides } = panel.fieldConfig;
  const settings: Record<string, unknown> = { ...defaults };
  const custom: Record<string, unknown> = { ...defaults.custom };
  const names = [field.name, titleOf(field, defaults)];
  for (const { matcher, properties } of overrides) {
    if (matcher.id !== 'byName' || !names.includes(matcher.options)) continue;
    for (const { id, value } of properties) {
      if (id.startsWith('custom.')) custom[id.slice('custom.'.length)] = value;
      else settings[id] = value;
    }
  }
  return { ...settings, custom };
}

/** One list of fields for each target. */
export function framesOf(panel: Panel, answers: readonly Answer[]): readonly (readonly Field[])[] {
  return answers.map((answer, index) => {
    const fields = fieldsOf(answer);
    const plain = panel.targets[index]?.format === 0 ? widen(fields) : fields;
    return plain.map((field) => {
      const settings = settingsOf(field, panel);
      const { name, type, values } = field;
      return { name, title: titleOf(field, settings), type, values, settings };
    });
  });
}

export function isHidden({ settings }: Field): boolean {
  return (settings.custom?.['hideFrom'] as { viz?: boolean } | undefined)?.viz === true;
}

export function lastOf({ values }: Field): Cell {
  return values.findLast((value) => value !== null) ?? null;
}
