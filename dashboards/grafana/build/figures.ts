/** Panels without an axis of time: figures, bars, tables. */
import { type PanelField, type PanelText, panel, type Size, type Unplaced } from './panel.ts';
import type { Target } from './plain.ts';

const byThresholds = { mode: 'thresholds' } as const;
const points = { most: 200, least: '10s' } as const;

export interface FigureLook {
  /** With the course of the figure behind it. @default false */
  readonly course?: boolean;
  /** Names of the columns beside their figures. @default false: for one figure, the title says what it is */
  readonly named?: boolean;
  /** Colours the tile and not the figure alone. @default false */
  readonly filled?: boolean;
  /** Which value of a column counts. @default lastNotNull */
  readonly take?: 'lastNotNull' | 'min' | 'max' | 'mean' | 'sum';
  /** A figure that is a word. @default false */
  readonly word?: boolean;
}

/** The columns of a query as large figures. */
export function figure(text: PanelText, size: Size, field: PanelField, look: FigureLook, target: Target): Unplaced {
  const { course = false, named = false, filled = false, take = 'lastNotNull', word = false } = look;
  const options = {
    reduceOptions: { calcs: [take], fields: word ? '/.*/' : '', values: false },
    colorMode: filled ? 'background' : 'value',
    graphMode: course ? 'area' : 'none',
    textMode: named ? 'value_and_name' : 'value',
    justifyMode: 'auto',
    orientation: 'auto',
    wideLayout: true,
    showPercentChange: false,
  };
  return panel({ type: 'stat', options, color: byThresholds, points }, text, size, field, [target]);
}

/** A bar for each row: the text column names it, the number is its length. */
export function bars(text: PanelText, size: Size, field: PanelField, target: Target): Unplaced {
  const options = {
    reduceOptions: { calcs: ['lastNotNull'], values: true, fields: '', limit: 30 },
    orientation: 'horizontal',
    displayMode: 'gradient',
    valueMode: 'color',
    namePlacement: 'left',
    showUnfilled: true,
    sizing: 'auto',
    minVizHeight: 16,
    minVizWidth: 8,
    maxVizHeight: 28,
  };
  return panel({ type: 'bargauge', options, color: byThresholds }, text, size, { min: 0, ...field }, [target]);
}

export function table(text: PanelText, size: Size, field: PanelField, target: Target): Unplaced {
  const options = { showHeader: true, cellHeight: 'sm', enablePagination: false };
  const custom = { align: 'auto', cellOptions: { type: 'auto' }, inspect: false, filterable: true };
  return panel({ type: 'table', options, custom, color: byThresholds }, text, size, field, [target]);
}
