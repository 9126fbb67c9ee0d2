/** A time series: Grafana's own, with annotations as lines. */
import { TimeSeries } from '@grafana/ui';

const colors = {
  alert: 'rgba(242, 73, 92, 0.9)',
  campaign: 'rgba(163, 82, 204, 0.9)',
  version: 'rgba(87, 148, 242, 0.9)',
};

function lines(annotations) {
  return (builder) => {
    builder.addHook('draw', (plot) => {
      const { ctx, bbox } = plot;
      ctx.save();
      ctx.lineWidth = 1;
      ctx.setLineDash([4, 4]);
      for (const { atMs, kind } of annotations) {
        const x = plot.valToPos(atMs, 'x', true);
        if (x < bbox.left || x > bbox.left + bbox.width) continue;
        ctx.strokeStyle = colors[kind];
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
      }
      ctx.restore();
    });
    return null;
  };
}

export function Graph({ panel, frames, width, height, timeRange, timeZone, annotations }) {
  const shown = frames.filter(({ length }) => length > 0);
  return (
    <TimeSeries
      frames={shown}
      width={width}
      height={height}
      timeRange={timeRange}
      timeZone={timeZone}
      legend={panel.options.legend}
      options={{}}
    >
      {lines(annotations)}
    </TimeSeries>
  );
}
