/** A dashboard out of rows of panels: ids in order, places from left to right. */
import type { Unplaced } from './panel.ts';
import type { PlainAnnotation, PlainDashboard, PlainLink, PlainPanel, PlainRow, PlainVariable } from './plain.ts';

const schemaVersion = 42;
const columns = 24;

export interface Section {
  /** Stands above it. */
  readonly title: string;
  readonly panels: readonly Unplaced[];
}

export interface DashboardParts {
  /** Ends the uid and names the file. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly PlainVariable[];
  readonly annotations: readonly PlainAnnotation[];
  readonly sections: readonly Section[];
  /** Grafana's words for the span that it opens with. @default now-24h */
  readonly from?: string;
}

export const uidOf = (name: string): string => `meshward-${name}`;

/** The other dashboards, with the span of time and the variables taken along. */
const links: readonly PlainLink[] = [
  {
    type: 'dashboards',
    title: 'Meshward',
    tags: ['meshward'],
    asDropdown: true,
    icon: 'external link',
    includeVars: true,
    keepTime: true,
    targetBlank: false,
    tooltip: 'Other dashboards of this mesh',
    url: '',
  },
];

export function dashboard(parts: DashboardParts): PlainDashboard {
  return {
    id: null,
    uid: uidOf(parts.name),
    title: `Meshward / ${parts.title}`,
    description: parts.description,
    tags: ['meshward'],
    schemaVersion,
    version: 1,
    editable: true,
    graphTooltip: 1,
    timezone: 'browser',
    time: { from: parts.from ?? 'now-24h', to: 'now' },
    refresh: '1m',
    timepicker: {},
    fiscalYearStartMonth: 0,
    links,
    templating: { list: parts.variables },
    annotations: { list: parts.annotations },
    panels: place(parts.sections),
  };
}

function place(sections: readonly Section[]): (PlainPanel | PlainRow)[] {
  const placed: (PlainPanel | PlainRow)[] = [];
  let y = 0;
  for (const { title, panels } of sections) {
    placed.push(rowAt(placed.length + 1, title, y));
    y += 1;
    let x = 0;
    let tallest = 0;
    for (const { size, ...panel } of panels) {
      const [w, h] = size;
      if (x + w > columns) {
        x = 0;
        y += tallest;
        tallest = 0;
      }
      placed.push({ ...panel, id: placed.length + 1, gridPos: { x, y, w, h } });
      x += w;
      tallest = Math.max(tallest, h);
    }
    y += tallest;
  }
  return placed;
}

function rowAt(id: number, title: string, y: number): PlainRow {
  return { id, type: 'row', title, collapsed: false, gridPos: { x: 0, y, w: columns, h: 1 }, panels: [] };
}
