/** A heat map of a field for each row, on uPlot: Grafana's own is not among what it publishes. */
import { useMemo } from 'react';
import { axis, Plot, rangeOf, timeAxis } from './plot.jsx';

/** Turbo, as Grafana's scheme of this name: a polynomial of Google's colour map. */
function turbo(t) {
  const channel = (c) => {
    const [a, b, d, e, f, g] = c;
    return Math.round(255 * Math.min(1, Math.max(0, a + t * (b + t * (d + t * (e + t * (f + t * g)))))));
  };
  const red = channel([0.13572138, 4.6153926, -42.66032258, 132.13108234, -152.94239396, 59.28637943]);
  const green = channel([0.09140261, 2.19418839, 4.84296658, -14.18503333, 4.27729857, 2.82956604]);
  const blue = channel([0.1066733, 12.64194608, -60.58204836, 110.36276771, -89.90310912, 27.34824973]);
  return `rgb(${red}, ${green}, ${blue})`;
}

export function Heatmap({ panel, frames, width, height, timeRange }) {
  const [time, ...fields] = frames[0].fields;
  const { exponent } = panel.options.color;
  const { options, data } = useMemo(() => {
    const seconds = time.values.map((ms) => ms / 1000);
    const most = Math.max(1, ...fields.flatMap(({ values }) => values));
    const step = Math.min(...seconds.slice(1).map((at, i) => at - seconds[i]), 86_400 * 365) || 60;
    const draw = (plot) => {
      const { ctx } = plot;
      ctx.save();
      ctx.beginPath();
      ctx.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
      ctx.clip();
      for (const [row, { values }] of fields.entries()) {
        const top = plot.valToPos(row + 0.5, 'y', true);
        const bottom = plot.valToPos(row - 0.5, 'y', true);
        for (const [index, count] of values.entries()) {
          if (!(count > 0)) continue;
          const left = plot.valToPos(seconds[index], 'x', true);
          const right = plot.valToPos(seconds[index] + step, 'x', true);
          ctx.fillStyle = turbo(0.08 + 0.87 * (count / most) ** exponent);
          ctx.fillRect(left, top, Math.max(1, right - left + 0.5), bottom - top - 1);
        }
      }
      ctx.restore();
    };
    return {
      data: [seconds, seconds.map(() => null)],
      options: {
        width,
        height,
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: true, range: () => rangeOf(timeRange) }, y: { range: () => [-0.5, fields.length - 0.5] } },
        series: [{}, { scale: 'y', show: true }],
        axes: [
          timeAxis(timeRange),
          axis({
            size: 84,
            splits: () => fields.map((_, row) => row),
            values: (_plot, rows) => rows.map((row) => fields[row]?.name ?? ''),
            grid: { show: false },
          }),
        ],
        hooks: { draw: [draw] },
      },
    };
  }, [frames, width, height]);
  return <Plot options={options} data={data} />;
}
