/** A state timeline: a row for each field, a bar for each stretch of one state. On uPlot, as Grafana's own. */
import { getFieldDisplayName } from '@grafana/data';
import { useMemo } from 'react';
import { theme } from './frames.js';
import { axis, font, Plot, rangeOf, timeAxis } from './plot.jsx';

const legendPx = 28;

export function Timeline({ frames, width, height, timeRange }) {
  const [time, ...fields] = frames[0].fields;
  const colorOf = (field, value) => theme.visualization.getColorByName(field.display(value).color ?? 'gray');
  const { options, data } = useMemo(() => {
    const seconds = time.values.map((ms) => ms / 1000);
    const names = fields.map((field) => getFieldDisplayName(field, frames[0], frames));
    const draw = (plot) => {
      const { ctx } = plot;
      const end = plot.bbox.left + plot.bbox.width;
      for (const [row, field] of fields.entries()) {
        const top = plot.valToPos(-(row - 0.4), 'y', true);
        const bottom = plot.valToPos(-(row + 0.4), 'y', true);
        const told = field.values.flatMap((value, index) => (value === null ? [] : [[seconds[index], value]]));
        for (const [index, [at, value]] of told.entries()) {
          const left = Math.max(plot.bbox.left, plot.valToPos(at, 'x', true));
          const right = index + 1 < told.length ? plot.valToPos(told[index + 1][0], 'x', true) : end;
          ctx.fillStyle = colorOf(field, value);
          ctx.globalAlpha = 0.8;
          ctx.fillRect(left, top, Math.max(1, right - left), bottom - top);
        }
      }
      ctx.globalAlpha = 1;
    };
    return {
      data: [seconds, seconds.map(() => null)],
      options: {
        width,
        height: height - legendPx,
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { time: true, range: () => rangeOf(timeRange) },
          y: { range: () => [-fields.length + 0.5, 0.5] },
        },
        series: [{}, { scale: 'y' }],
        axes: [
          timeAxis(timeRange),
          axis({
            size: 100,
            font: fields.length > 25 ? font.replace('12px', '10px') : font,
            splits: () => fields.map((_, row) => -row),
            values: (_plot, rows) => rows.map((row) => names[-row] ?? ''),
            grid: { show: false },
          }),
        ],
        hooks: { draw: [draw] },
      },
    };
  }, [frames, width, height]);
  const states = Object.values(fields[0]?.config.mappings?.[0]?.options ?? {});
  return (
    <div>
      <Plot options={options} data={data} />
      <div style={{ display: 'flex', gap: 16, paddingLeft: 8, font }}>
        {states.map(({ text, color }) => (
          <span key={text} style={{ display: 'flex', alignItems: 'center', gap: 6 }}>
            <i style={{ width: 14, height: 4, background: theme.visualization.getColorByName(color) }} />
            {text}
          </span>
        ))}
      </div>
    </div>
  );
}
