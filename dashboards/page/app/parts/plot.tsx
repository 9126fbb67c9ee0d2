/** A plot of uPlot that fills its place and lives as long as its element. */
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';

export function colorOf(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export const font = '11px system-ui, sans-serif';

export function axis(more: uPlot.Axis): uPlot.Axis {
  return {
    stroke: colorOf('quiet'),
    font,
    grid: { stroke: colorOf('line'), width: 1 },
    ticks: { show: false },
    ...more,
  };
}

/** Local times; days where they are many. */
export function timeAxis(): uPlot.Axis {
  return axis({
    size: 26,
    space: 76,
    values: (plot, seconds) => {
      const { min = 0, max = 0 } = plot.scales['x'] ?? {};
      const span = (max ?? 0) - (min ?? 0);
      return seconds.map((at) => {
        const date = new Date(at * 1000);
        if (span > 2 * 86_400) return `${date.getDate()}. ${date.toLocaleString('en', { month: 'short' })}`;
        return date.toLocaleTimeString('en-GB').slice(0, span < 600 ? 8 : 5);
      });
    },
  });
}

export function Plot(props: {
  readonly options: Omit<uPlot.Options, 'width' | 'height'>;
  readonly data: uPlot.AlignedData;
  readonly height: number;
  readonly label: string;
}): JSX.Element {
  const element = useRef<HTMLDivElement>(null);
  const { options, data, height } = props;
  useLayoutEffect(() => {
    const place = element.current;
    if (place === null) return undefined;
    let plot: uPlot | null = null;
    const draw = (): void => {
      plot?.destroy();
      plot = new uPlot({ ...options, width: Math.max(80, place.clientWidth), height }, data, place);
    };
    draw();
    let width = place.clientWidth;
    const resized = new ResizeObserver(() => {
      if (place.clientWidth === width) return;
      width = place.clientWidth;
      plot?.setSize({ width: Math.max(80, width), height });
    });
    resized.observe(place);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', draw);
    return () => {
      scheme.removeEventListener('change', draw);
      resized.disconnect();
      plot?.destroy();
    };
  }, [options, data, height]);
  return <div ref={element} class="plot" role="img" aria-label={props.label} style={{ height: `${height}px` }} />;
}
