/** A plot of uPlot that lives as long as its element. */
import { useLayoutEffect, useRef } from 'react';
import uPlot from 'uplot';
import { theme } from './frames.js';

export const font = '12px Inter, Helvetica, Arial, sans-serif';

export const axis = (more) => ({
  stroke: theme.colors.text.primary,
  font,
  grid: { stroke: 'rgba(240, 250, 255, 0.07)', width: 1 },
  ticks: { show: false },
  ...more,
});

export const timeAxis = (timeRange) =>
  axis({
    values: (_plot, ticks) => {
      const days = timeRange.to.valueOf() - timeRange.from.valueOf() > 2 * 86_400_000;
      return ticks.map((seconds) => new Date(seconds * 1000).toISOString().slice(...(days ? [5, 10] : [11, 16])));
    },
    space: 80,
  });

export function Plot({ options, data }) {
  const element = useRef(null);
  useLayoutEffect(() => {
    const plot = new uPlot(options, data, element.current);
    return () => plot.destroy();
  }, [options, data]);
  return <div ref={element} />;
}

export function rangeOf(timeRange) {
  return [timeRange.from.valueOf() / 1000, timeRange.to.valueOf() / 1000];
}
