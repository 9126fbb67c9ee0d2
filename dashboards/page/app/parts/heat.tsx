/** A heat map: time to the right, a value upwards, darker is more. */
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import type uPlot from 'uplot';
import { axis, colorOf, Plot, timeAxis } from './plot.tsx';

export interface Column {
  readonly atMs: number;
  readonly cells: readonly (readonly [value: number, count: number])[];
}

export interface HeatProps {
  readonly columns: readonly Column[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly height: number;
  readonly label: string;
  /** Words of a row; its value without them. */
  readonly nameOf?: (value: number) => string;
  /** A line at this value. */
  readonly line?: { readonly at: number; readonly color: string };
  /** How much small counts are lifted: 1 is not at all. */
  readonly exponent?: number;
}

export function Heat({ columns, fromMs, toMs, height, label, nameOf, line, exponent = 0.5 }: HeatProps): JSX.Element {
  const { options, data } = useMemo(() => {
    const values = columns.flatMap(({ cells }) => cells.map(([value]) => value));
    const low = Math.min(line?.at ?? Number.POSITIVE_INFINITY, ...values) - 1;
    const high = Math.max((line?.at ?? 0) + 4, ...values) + 1;
    const most = Math.max(1, ...columns.flatMap(({ cells }) => cells.map(([, count]) => count)));
    const draw = (plot: uPlot): void => {
      const pen = plot.ctx;
      const { left, top, width, height: boxHeight } = plot.bbox;
      pen.save();
      pen.beginPath();
      pen.rect(left, top, width, boxHeight);
      pen.clip();
      pen.fillStyle = colorOf('heat');
      for (const [i, { atMs, cells }] of columns.entries()) {
        const from = plot.valToPos(atMs / 1000, 'x', true);
        const to = plot.valToPos((columns[i + 1]?.atMs ?? toMs) / 1000, 'x', true);
        for (const [value, count] of cells) {
          if (count <= 0) continue;
          const upper = plot.valToPos(value + 0.5, 'y', true);
          const lower = plot.valToPos(value - 0.5, 'y', true);
          pen.globalAlpha = 0.14 + 0.86 * (count / most) ** exponent;
          pen.fillRect(from, upper, Math.max(1, to - from + 0.5), Math.max(2, lower - upper));
        }
      }
      pen.globalAlpha = 1;
      if (line !== undefined) {
        pen.strokeStyle = colorOf(line.color);
        pen.lineWidth = 2;
        pen.beginPath();
        const y = plot.valToPos(line.at, 'y', true);
        pen.moveTo(left, y);
        pen.lineTo(left + width, y);
        pen.stroke();
      }
      pen.restore();
    };
    const made: Omit<uPlot.Options, 'width' | 'height'> = {
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: true, range: () => [fromMs / 1000, Math.max(toMs, fromMs + 1000) / 1000] },
        y: { range: () => [low, high] },
      },
      series: [{}, { scale: 'y' }],
      axes: [
        timeAxis(),
        axis({
          scale: 'y',
          size: nameOf === undefined ? 34 : 84,
          space: nameOf === undefined ? 26 : 14,
          incrs: [1, 2, 5, 10, 20, 25, 50, 100],
          values: (_plot, splits) => splits.map((value) => (nameOf === undefined ? String(value) : nameOf(value))),
        }),
      ],
      hooks: { draw: [draw] },
    };
    return {
      options: made,
      data: [
        [fromMs / 1000, toMs / 1000],
        [null, null],
      ] as uPlot.AlignedData,
    };
  }, [columns, fromMs, toMs, line?.at, nameOf, exponent]);
  return <Plot options={options} data={data} height={height} label={label} />;
}
