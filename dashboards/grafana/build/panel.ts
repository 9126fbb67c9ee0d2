/** What all kinds of panels have in common. Ids and places are given when a dashboard is put together. */
import type { Override } from './colors.ts';
import type { PlainField, PlainPanel, Target, Threshold } from './plain.ts';
import { datasource } from './target.ts';

export interface PanelText {
  /** What it shows: a question that it answers, or the name of the figure. */
  readonly title: string;
  /** What it means, and what to do when it looks bad. */
  readonly description: string;
  /** Stands where there is nothing to show. */
  readonly noData: string;
}

export interface PanelField {
  /** Grafana's name of the unit. */
  readonly unit: string;
  readonly thresholds?: readonly Threshold[];
  readonly min?: number;
  readonly max?: number;
  readonly decimals?: number;
  readonly displayName?: string;
  readonly mappings?: PlainField['mappings'];
  readonly overrides?: readonly Override[];
}

/** Columns of 24, and units of height. */
export type Size = readonly [width: number, height: number];

export type Unplaced = Omit<PlainPanel, 'id' | 'gridPos'> & { readonly size: Size };

export interface Kind {
  readonly type: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly custom?: Readonly<Record<string, unknown>>;
  readonly color?: PlainField['color'];
  /** Most points that a query may give, and the narrowest that they are. */
  readonly points?: { readonly most: number; readonly least: string };
}

export function panel(
  kind: Kind,
  text: PanelText,
  size: Size,
  field: PanelField,
  targets: readonly Target[],
): Unplaced {
  const { overrides = [], thresholds, ...rest } = field;
  const { points } = kind;
  return {
    type: kind.type,
    title: text.title,
    description: text.description,
    size,
    datasource,
    targets,
    ...(points === undefined ? {} : { maxDataPoints: points.most, interval: points.least }),
    fieldConfig: {
      defaults: {
        ...(rest as PlainField),
        noValue: text.noData,
        ...(kind.color === undefined ? {} : { color: kind.color }),
        ...(kind.custom === undefined ? {} : { custom: kind.custom }),
        ...(thresholds === undefined ? {} : { thresholds: { mode: 'absolute', steps: [...thresholds] } }),
      },
      overrides: [...overrides],
    },
    options: kind.options,
  };
}
