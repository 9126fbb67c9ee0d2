/** Single figures, bars and tables of dashboards. */
import type { JSX } from 'preact';
import { Link } from '../route.tsx';
import { colorAt, display, paint, withUnit } from './display.ts';
import { type Cell, type Field, isHidden, lastOf } from './frames.ts';
import { linkOf } from './links.ts';
import type { Panel } from './model.ts';

const mostRows = 200;
const mostBars = 30;

interface KindProps {
  readonly panel: Panel;
  readonly frames: readonly (readonly Field[])[];
  readonly range: { readonly from: string; readonly to: string };
}

export function Stats({ panel, frames }: KindProps): JSX.Element {
  const { colorMode, textMode, graphMode } = panel.options as Readonly<Record<string, string>>;
  const fields = frames.flat().filter((field) => field.type === 'number' && !isHidden(field));
  const hasName = textMode === 'value_and_name' || fields.length > 1;
  return (
    <ul class="stats">
      {fields.map((field) => {
        const { text, color } = display(field, lastOf(field));
        const shade = color === '' ? null : paint(color);
        const isWash = colorMode === 'background' && shade !== null;
        return (
          <li key={field.title} style={isWash ? { background: `${shade}26`, borderColor: shade } : {}}>
            {hasName ? <span>{field.title}</span> : null}
            <b style={shade === null || isWash ? {} : { color: `color-mix(in srgb, ${shade} 55%, var(--ink))` }}>
              {text}
            </b>
            {graphMode === 'area' ? <Spark values={field.values} color={shade ?? paint('blue')} /> : null}
          </li>
        );
      })}
    </ul>
  );
}

function Spark({ values, color }: { readonly values: readonly Cell[]; readonly color: string }): JSX.Element | null {
  const there = values.filter((value): value is number => typeof value === 'number');
  if (there.length < 2) return null;
  const low = Math.min(...there);
  const high = Math.max(...there);
  const y = (value: number): number => (high === low ? 15 : 28 - ((value - low) / (high - low)) * 26);
  const points = there.map((value, i) => `${((i / (there.length - 1)) * 100).toFixed(2)},${y(value).toFixed(2)}`);
  return (
    <svg class="spark" viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true">
      <polygon points={`0,30 ${points.join(' ')} 100,30`} fill={color} fill-opacity="0.18" />
      <polyline
        points={points.join(' ')}
        fill="none"
        stroke={color}
        stroke-width="1.5"
        vector-effect="non-scaling-stroke"
      />
    </svg>
  );
}

export function Bars({ panel, frames }: KindProps): JSX.Element {
  const [fields = []] = frames;
  const name = fields.find(({ type }) => type === 'text');
  const figure = fields.find(({ type }) => type === 'number');
  if (figure === undefined) return <p class="empty">No figure.</p>;
  const rows = figure.values
    .slice(0, mostBars)
    .map((value, i) => [String(name?.values[i] ?? ''), Number(value ?? 0)] as const);
  const most = Math.max(figure.settings.max ?? 0, ...rows.map(([, value]) => value), 1e-9);
  return (
    <div class="scroll gauges-place" tabIndex={0} role="region" aria-label={panel.title ?? 'Bars'}>
      <table class="gauges">
        <tbody>
          {rows.map(([label, value]) => (
            <tr key={label}>
              <th scope="row">{label}</th>
              <td class="gauge">
                <i
                  style={{
                    width: `${Math.max(0, (100 * value) / most)}%`,
                    background: paint(colorAt(figure.settings, value) || 'green'),
                  }}
                />
              </td>
              <td class="number">{withUnit(value, figure.settings)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Rows({ panel, frames, range }: KindProps): JSX.Element {
  const [fields = []] = frames;
  const shown = fields.filter((field) => !isHidden(field));
  const count = fields[0]?.values.length ?? 0;
  return (
    <div class="scroll board-table" tabIndex={0} role="region" aria-label={panel.title ?? 'Table'}>
      <table>
        <thead>
          <tr>
            {shown.map((field) => (
              <th key={field.name} class={field.type === 'number' ? 'number' : ''}>
                {field.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {Array.from({ length: Math.min(count, mostRows) }, (_, row) => (
            <tr key={row}>
              {shown.map((field) => (
                <TableCell key={field.name} field={field} row={row} fields={fields} range={range} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {count > mostRows ? <p class="quiet small">and {count - mostRows} more rows</p> : null}
    </div>
  );
}

function TableCell(props: {
  readonly field: Field;
  readonly row: number;
  readonly fields: readonly Field[];
  readonly range: KindProps['range'];
}): JSX.Element {
  const { field, row, fields, range } = props;
  const value = field.values[row] ?? null;
  const { text, color } = value === null ? { text: '', color: '' } : display(field, value);
  const kind = (field.settings.custom?.['cellOptions'] as { type?: string } | undefined)?.type ?? 'auto';
  const [link] = field.settings.links ?? [];
  const to =
    link === undefined
      ? null
      : linkOf(link.url, new Map(fields.map((each) => [each.name, each.values[row] ?? null])), range);
  const words =
    to === null ? text : to.startsWith('/runbooks/') ? <a href={to}>{text}</a> : <Link href={to}>{text}</Link>;
  const style =
    color === ''
      ? {}
      : kind === 'color-background'
        ? { background: `${paint(color)}30`, boxShadow: `inset 3px 0 ${paint(color)}` }
        : {};
  const isText = field.type === 'text' && text.length > 36;
  return (
    <td
      class={`${field.type === 'number' ? 'number' : ''} ${isText ? 'text' : ''}`}
      style={style}
      title={isText ? '' : text}
    >
      {kind === 'gauge' && typeof value === 'number' ? (
        <span class="gauge cell">
          <i
            style={{
              width: `${100 * Math.min(1, value / (field.settings.max ?? 1))}%`,
              background: paint(color || 'green'),
            }}
          />
        </span>
      ) : null}
      {words}
    </td>
  );
}
