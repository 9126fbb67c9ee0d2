/** Series over time: lines, bars, stacks; with a legend that tells the values under the pointer. */
import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { axis, Plot, timeAxis } from '../parts/plot.tsx';
import { paint, seriesColor, withUnit } from './display.ts';
import { type Field, isHidden } from './frames.ts';
import type { Mark, Panel, Span } from './model.ts';

const legendPx = 24;
const legendRows = 12;

interface Drawn {
  readonly field: Field;
  readonly color: string;
  readonly values: readonly (number | null)[];
}

export function TimeSeries(props: {
  readonly panel: Panel;
  readonly frames: readonly (readonly Field[])[];
  readonly span: Span;
  readonly height: number;
  readonly marks: readonly Mark[];
}): JSX.Element {
  const { panel, frames, span, height, marks } = props;
  const [at, setAt] = useState<number | null>(null);
  const legend = panel.options['legend'] as { showLegend?: boolean; displayMode?: string } | undefined;
  const isTable = legend?.displayMode === 'table';
  const { times, drawn } = useMemo(() => aligned(frames), [frames]);
  const hasLegend = legend?.showLegend !== false && drawn.length > 0;
  const rows = Math.min(legendRows, drawn.length);
  const plotHeight =
    height -
    (hasLegend ? (isTable ? Math.min(rows * 22 + 8, height * 0.42) : legendPx * (drawn.length > 5 ? 2 : 1)) : 0);
  const made = useMemo(
    () => ({ options: optionsOf(panel, times, drawn, span, marks, setAt), data: dataOf(times, drawn) }),
    [panel, times, drawn, span, marks],
  );
  return (
    <>
      <Plot
        options={made.options}
        data={made.data}
        height={Math.max(70, Math.floor(plotHeight))}
        label={labelOf(panel, drawn)}
      />
      {hasLegend ? <Legend drawn={drawn} at={at} isTable={isTable} /> : null}
    </>
  );
}

function labelOf({ title }: Panel, drawn: readonly Drawn[]): string {
  const newest = drawn.slice(0, 6).map(({ field, values }) => {
    const last = values.findLast((value) => value !== null) ?? null;
    return `${field.title} ${last === null ? 'nothing' : withUnit(last, field.settings)}`;
  });
  return `${title ?? ''} over time; last: ${newest.join(', ')}`;
}

/** All frames on one line of times. */
function aligned(frames: readonly (readonly Field[])[]): {
  readonly times: number[];
  readonly drawn: readonly Drawn[];
} {
  const all = new Set<number>();
  for (const [time] of frames) for (const value of time?.values ?? []) if (typeof value === 'number') all.add(value);
  const times = [...all].sort((a, b) => a - b);
  const places = new Map(times.map((ms, i) => [ms, i]));
  const fields = frames.flatMap(([time, ...others]) =>
    others
      .filter((field) => field.type === 'number' && !isHidden(field))
      .map((field) => [time as Field, field] as const),
  );
  const drawn = fields.map(([time, field], i) => {
    const values: (number | null)[] = times.map(() => null);
    const sign = field.settings.custom?.['transform'] === 'negative-Y' ? -1 : 1;
    for (const [row, value] of field.values.entries()) {
      const place = places.get(time.values[row] as number);
      if (place !== undefined && typeof value === 'number') values[place] = sign * value;
    }
    return { field, color: seriesColor(field, i), values };
  });
  return { times, drawn };
}

function isStacked({ field }: Drawn): boolean {
  return (field.settings.custom?.['stacking'] as { mode?: string } | undefined)?.mode === 'normal';
}

/** Stacks are drawn from the highest down, each over what stands above it. */
function dataOf(times: readonly number[], drawn: readonly Drawn[]): uPlot.AlignedData {
  const seconds = times.map((ms) => ms / 1000);
  const sums = times.map(() => 0);
  const lines = drawn.map((one) => {
    if (!isStacked(one)) return [...one.values];
    return one.values.map((value, i) => {
      sums[i] = (sums[i] as number) + (value ?? 0);
      return value === null ? null : sums[i];
    });
  });
  return [seconds, ...lines.reverse()] as uPlot.AlignedData;
}

function optionsOf(
  panel: Panel,
  times: readonly number[],
  drawn: readonly Drawn[],
  span: Span,
  marks: readonly Mark[],
  setAt: (at: number | null) => void,
): Omit<uPlot.Options, 'width' | 'height'> {
  const { defaults } = panel.fieldConfig;
  const custom = defaults.custom ?? {};
  const softMin = Number(custom['axisSoftMin'] ?? Number.NaN);
  const softMax = Number(custom['axisSoftMax'] ?? Number.NaN);
  const isBars = custom['drawStyle'] === 'bars';
  const bars = uPlot.paths.bars?.({ size: [0.9, 40] });
  const steps = uPlot.paths.stepped?.({ align: 1 });
  return {
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: {
      x: { time: true, range: () => [span.fromMs / 1000, span.toMs / 1000] },
      y: {
        range: (_plot, low, high) => {
          const least = Math.min(low ?? 0, Number.isNaN(softMin) ? (low ?? 0) : softMin);
          const most = Math.max(high ?? 1, Number.isNaN(softMax) ? (high ?? 1) : softMax);
          return [least, most === least ? least + 1 : most + (most - least) * 0.05];
        },
      },
    },
    series: [
      {},
      ...[...drawn].reverse().map(({ field, color, values }): uPlot.Series => {
        const own = field.settings.custom ?? {};
        const opacity = Number(own['fillOpacity'] ?? 0) / 100;
        const width = Number(own['lineWidth'] ?? 1.5);
        const path = isBars ? bars : own['lineInterpolation'] === 'stepAfter' ? steps : undefined;
        return {
          label: field.title,
          stroke: color,
          width,
          spanGaps: own['spanNulls'] !== false,
          ...(opacity > 0
            ? {
                fill: `${color}${Math.round(opacity * 255)
                  .toString(16)
                  .padStart(2, '0')}`,
              }
            : {}),
          ...(path === undefined ? {} : { paths: path }),
          points: { show: values.filter((value) => value !== null).length < 2, size: 5 },
        };
      }),
    ],
    axes: [
      timeAxis(),
      axis({
        size: 62,
        space: 28,
        ...incrementsOf(defaults.unit),
        values: (_plot, ticks) => ticks.map((tick) => withUnit(tick, { ...defaults, decimals: undefined as never })),
      }),
    ],
    hooks: {
      setCursor: [
        (plot) => {
          const { idx } = plot.cursor;
          setAt(idx === null || idx === undefined || (plot.cursor.left ?? -1) < 0 ? null : idx);
        },
      ],
      draw: [(plot) => drawLines(plot, panel, marks, times.length)],
    },
  };
}

/** Steps between lines that make round figures of a unit. */
function incrementsOf(unit: string | undefined): { readonly incrs: number[] } | null {
  if (unit === 'bytes' || unit === 'Bps') return { incrs: Array.from({ length: 60 }, (_, power) => 2 ** power) };
  const scale = unit === 's' ? 1 : unit === 'ms' ? 1000 : null;
  if (scale === null) return null;
  const seconds = [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400];
  return { incrs: [...seconds, 604_800, 2_592_000, 31_536_000].map((each) => each * scale) };
}

function drawLines(plot: uPlot, panel: Panel, marks: readonly Mark[], points: number): void {
  const { ctx: pen, bbox } = plot;
  pen.save();
  pen.lineWidth = 1;
  pen.setLineDash([5, 4]);
  const line = (fromX: number, fromY: number, toX: number, toY: number, color: string): void => {
    pen.strokeStyle = color;
    pen.beginPath();
    pen.moveTo(fromX, fromY);
    pen.lineTo(toX, toY);
    pen.stroke();
  };
  for (const { atMs, color } of marks) {
    const x = plot.valToPos(atMs / 1000, 'x', true);
    if (x >= bbox.left && x <= bbox.left + bbox.width) line(x, bbox.top, x, bbox.top + bbox.height, paint(color));
  }
  const style = (panel.fieldConfig.defaults.custom?.['thresholdsStyle'] as { mode?: string } | undefined)?.mode;
  if (style === 'line' && points > 0) {
    for (const { value, color } of panel.fieldConfig.defaults.thresholds?.steps ?? []) {
      if (value === null) continue;
      const y = plot.valToPos(value, 'y', true);
      if (y >= bbox.top && y <= bbox.top + bbox.height) line(bbox.left, y, bbox.left + bbox.width, y, paint(color));
    }
  }
  pen.restore();
}

function Legend({
  drawn,
  at,
  isTable,
}: {
  readonly drawn: readonly Drawn[];
  readonly at: number | null;
  readonly isTable: boolean;
}): JSX.Element {
  const shown = drawn.slice(0, isTable ? 40 : legendRows);
  const told = ({ field, values }: Drawn): string => {
    const value = at === null ? values.findLast((each) => each !== null) : values[at];
    return value === null || value === undefined ? '–' : withUnit(value, field.settings);
  };
  const most = ({ field, values }: Drawn): string => {
    const there = values.filter((value) => value !== null);
    return there.length === 0 ? '–' : withUnit(Math.max(...there), field.settings);
  };
  if (isTable)
    return (
      <div class="board-legend" tabIndex={0} role="region" aria-label="Legend">
        <table>
          <tbody>
            {shown.map((one) => (
              <tr key={one.field.title}>
                <td>
                  <i class="dot" style={{ background: one.color }} /> {one.field.title}
                </td>
                <td class="number">{told(one)}</td>
                <td class="number quiet">most {most(one)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    );
  return (
    <ul class="board-legend list">
      {shown.map((one) => (
        <li key={one.field.title}>
          <i class="dot" style={{ background: one.color }} /> {one.field.title} <b>{told(one)}</b>
        </li>
      ))}
      {drawn.length > shown.length ? <li>and {drawn.length - shown.length} more</li> : null}
    </ul>
  );
}
