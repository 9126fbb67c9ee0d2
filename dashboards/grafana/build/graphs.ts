/** Panels with an axis of time. */
import { type PanelField, type PanelText, panel, type Size, type Unplaced } from './panel.ts';
import type { Target } from './plain.ts';

export type GraphStyle = 'lines' | 'stacked' | 'bars';

const palette = { mode: 'palette-classic' } as const;
/** Bars of a pixel are no bars. */
const points = {
  lines: { most: 300, least: '10s' },
  stacked: { most: 300, least: '10s' },
  bars: { most: 90, least: '1m' },
} as const;

const looks: Readonly<Record<GraphStyle, Readonly<Record<string, unknown>>>> = {
  lines: { drawStyle: 'line', fillOpacity: 8, stacking: { mode: 'none', group: 'A' } },
  stacked: { drawStyle: 'line', fillOpacity: 75, stacking: { mode: 'normal', group: 'A' } },
  bars: { drawStyle: 'bars', fillOpacity: 80, stacking: { mode: 'normal', group: 'A' } },
};

export interface GraphLook {
  /** @default lines */
  readonly style?: GraphStyle;
  /** Draws the thresholds as lines. @default false */
  readonly limits?: boolean;
  /** Longest gap that a line crosses. @default ten minutes */
  readonly bridgeMs?: number;
  /** @default list; none where the title says it all */
  readonly legend?: 'list' | 'table' | 'none';
  /** Reaches so far up where the figures do not. */
  readonly softMax?: number;
  /** A figure keeps its value until the next one. @default false */
  readonly stepped?: boolean;
}

export function graph(text: PanelText, size: Size, field: PanelField, look: GraphLook, ...targets: Target[]): Unplaced {
  const { softMax, style = 'lines', limits = false, bridgeMs = 600_000, legend = 'list', stepped = false } = look;
  const custom = {
    ...looks[style],
    // Areas of several lines over each other say nothing.
    ...(style === 'lines' && legend !== 'none' ? { fillOpacity: 0 } : {}),
    // A line on top of a stack would show a grade of which there is nothing.
    lineWidth: style === 'lines' ? 1.5 : 0,
    lineInterpolation: stepped ? 'stepAfter' : 'linear',
    showPoints: 'never',
    spanNulls: style === 'bars' ? false : bridgeMs,
    axisSoftMin: 0,
    ...(softMax === undefined ? {} : { axisSoftMax: softMax }),
    thresholdsStyle: { mode: limits ? 'line' : 'off' },
  };
  const options = {
    legend: {
      showLegend: legend !== 'none',
      displayMode: legend === 'table' ? 'table' : 'list',
      placement: legend === 'table' ? 'right' : 'bottom',
      calcs: legend === 'table' ? ['lastNotNull', 'max'] : [],
    },
    tooltip: { mode: 'multi', sort: 'desc' },
  };
  return panel(
    { type: 'timeseries', options, custom, color: palette, points: points[style] },
    text,
    size,
    field,
    targets,
  );
}

/** A row for each column of the query after the time, the first at the bottom. */
export function heatmap(text: PanelText, size: Size, field: PanelField, rowTitle: string, target: Target): Unplaced {
  const { unit } = field;
  const options = {
    calculate: false,
    // The root: a handful of files far below the others must not fade beside a million.
    color: {
      mode: 'scheme',
      scheme: 'Turbo',
      scale: 'exponential',
      exponent: 0.3,
      steps: 64,
      fill: 'red',
      reverse: false,
    },
    rowsFrame: { layout: 'auto', value: 'files' },
    cellGap: 0,
    filterValues: { le: 1e-9 },
    yAxis: { axisPlacement: 'left', axisLabel: rowTitle, reverse: false },
    cellValues: { unit },
    legend: { show: true },
    tooltip: { mode: 'single', yHistogram: true, showColorScale: true },
    showValue: 'never',
    exemplars: { color: 'rgba(255,0,255,0.7)' },
  };
  const custom = { scaleDistribution: { type: 'linear' } };
  return panel({ type: 'heatmap', options, custom, points: { most: 180, least: '10s' } }, text, size, field, [target]);
}

export function stateTimeline(text: PanelText, size: Size, field: PanelField, target: Target): Unplaced {
  const options = {
    mergeValues: true,
    showValue: 'never',
    alignValue: 'left',
    rowHeight: 0.8,
    legend: { showLegend: true, displayMode: 'list', placement: 'bottom' },
    tooltip: { mode: 'single', sort: 'none' },
  };
  // A state holds until the next change: no gap ends it.
  const custom = { fillOpacity: 75, lineWidth: 0, spanNulls: true };
  return panel({ type: 'state-timeline', options, custom, color: { mode: 'thresholds' } }, text, size, field, [target]);
}
