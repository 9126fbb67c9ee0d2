/** Answers of ClickHouse as the frames that Grafana's visualisations draw, with the configuration of the panel on every field. */
import {
  applyFieldOverrides,
  createTheme,
  FieldType,
  standardFieldConfigEditorRegistry,
  toDataFrame,
} from '@grafana/data';

const properties = [
  'unit',
  'min',
  'max',
  'decimals',
  'displayName',
  'noValue',
  'thresholds',
  'mappings',
  'links',
  'color',
];

/** Names that the JSON makes of a series' own words. */
function named(name, field) {
  return name
    .replaceAll('${__field.name}', field.name)
    .replaceAll(/\$\{__field\.labels\.(\w+)\}/g, (_whole, label) => field.labels?.[label] ?? '');
}

// Grafana's own application registers these; without them units, thresholds and overrides of the JSON are not applied.
standardFieldConfigEditorRegistry.setInit(() =>
  properties.map((id) => ({
    id,
    path: id,
    name: id,
    editor: () => null,
    override: () => null,
    process: (value, { field }) => (id === 'displayName' && value ? named(value, field) : value),
    shouldApply: () => true,
    settings: {},
  })),
);

export const theme = createTheme({ colors: { mode: 'dark' } });

export const plain = (text) => text;

function typeOf(type) {
  if (/DateTime/.test(type)) return FieldType.time;
  return /Int|Float/.test(type) ? FieldType.number : FieldType.string;
}

function cell(type, value) {
  if (value === null) return null;
  if (type === FieldType.time) return Date.parse(`${value.replace(' ', 'T')}Z`);
  return type === FieldType.number ? Number(value) : value;
}

function fieldsOf({ columns, rows }) {
  return columns.map(({ name, type: written }, index) => {
    const type = typeOf(written);
    return { name, type, config: {}, values: rows.map((row) => cell(type, row[index])) };
  });
}

/** What the plugin does with a long series: a field for each combination of words. */
function widen(fields) {
  const [time, ...others] = fields;
  const words = others.filter(({ type }) => type === FieldType.string);
  if (time?.type !== FieldType.time || words.length === 0) return fields;
  const times = [...new Set(time.values)];
  const places = new Map(times.map((at, index) => [at, index]));
  const wide = new Map();
  for (const [row, at] of time.values.entries()) {
    const labels = Object.fromEntries(words.map(({ name, values }) => [name, values[row]]));
    for (const { name, type, values } of others) {
      if (type === FieldType.string) continue;
      const key = JSON.stringify([name, labels]);
      const known = wide.get(key) ?? { name, type, labels, config: {}, values: times.map(() => null) };
      known.values[places.get(at)] = values[row];
      wide.set(key, known);
    }
  }
  return [{ ...time, values: times }, ...wide.values()];
}

/** Grafana keeps what is special to a kind of panel in `custom`; its registry would set it field by field. */
function setCustom(frame, { defaults, overrides }) {
  for (const field of frame.fields) {
    const custom = { ...defaults.custom };
    for (const { matcher, properties: set } of overrides)
      if (matcher.options === field.name)
        for (const { id, value } of set) if (id.startsWith('custom.')) custom[id.slice('custom.'.length)] = value;
    field.config.custom = custom;
  }
}

export function framesOf(panel, answers, timeZone) {
  const frames = answers.map((answer, index) => {
    const fields = fieldsOf(answer);
    const isSeries = panel.targets[index].format === 0;
    return toDataFrame({ refId: panel.targets[index].refId, fields: isSeries ? widen(fields) : fields });
  });
  const { fieldConfig } = panel;
  const configured = applyFieldOverrides({ data: frames, fieldConfig, theme, replaceVariables: plain, timeZone });
  for (const frame of configured) {
    setCustom(frame, fieldConfig);
    // An override without the property leaves none of it.
    for (const field of frame.fields) field.config.noValue = undefined;
    frame.fields = frame.fields.filter(({ config }) => config.custom?.hideFrom?.viz !== true);
  }
  return configured;
}
