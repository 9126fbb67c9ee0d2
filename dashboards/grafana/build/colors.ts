/** One colour for each grade, state and outcome, on every dashboard. */
import { type Grade, grades } from '#mesh/grade.ts';
import { type PeerState, peerStates } from '#mesh/peer-state.ts';
import type { PlainFields, PlainMapping, Threshold } from './plain.ts';

export const gradeColors: Readonly<Record<Grade, string>> = {
  lost: 'dark-red',
  critical: 'red',
  'at-risk': 'orange',
  degraded: 'yellow',
  healthy: 'green',
};

export const stateColors: Readonly<Record<PeerState, string>> = {
  up: 'green',
  suspect: 'yellow',
  down: 'red',
  departed: '#6e6e78',
  draining: 'blue',
  maintenance: 'purple',
};

export const outcomeColors = {
  repaired: 'green',
  partial: 'yellow',
  'not-needed': 'blue',
  failed: 'red',
  cancelled: '#6e6e78',
} as const;

/** What came of a file of a campaign. */
export const fileOutcomeColors = {
  restored: 'green',
  verified: 'green',
  'not-needed': 'blue',
  gone: '#6e6e78',
  partial: 'yellow',
  failed: 'red',
  corrupt: 'dark-red',
  irrecoverable: 'dark-red',
} as const;

export const campaignStateColors = {
  planned: '#6e6e78',
  approved: '#6e6e78',
  running: 'blue',
  paused: 'yellow',
  done: 'green',
  cancelled: '#6e6e78',
  failed: 'red',
} as const;

export type Override = NonNullable<PlainFields['overrides']>[number];

/** A moment, in a column that is wide enough for it. */
export const moment = { unit: 'dateTimeAsIso', 'custom.width': 165 } as const;

/** Properties of the column of this name. */
export function column(name: string, properties: Readonly<Record<string, unknown>>): Override {
  return {
    matcher: { id: 'byName', options: name },
    properties: Object.entries(properties).map(([id, value]) => ({ id, value })),
  };
}

export function colored(colors: Readonly<Record<string, string>>): Override[] {
  return Object.entries(colors).map(([name, fixedColor]) => column(name, { color: { mode: 'fixed', fixedColor } }));
}

/** Words of a column, each in its colour. */
export function words(colors: Readonly<Record<string, string>>): PlainMapping[] {
  const options = Object.entries(colors).map(([word, color], index) => [word, { color, index, text: word }]);
  return [{ type: 'value', options: Object.fromEntries(options) as never }];
}

/** States by the numbers that ClickHouse keeps them as: a time series of Grafana holds numbers. */
export function numberedStates(): PlainMapping[] {
  const options = peerStates.map((state, index) => [
    String(stateNumbers[state]),
    { color: stateColors[state], index, text: state },
  ]);
  return [{ type: 'value', options: Object.fromEntries(options) as never }];
}

/** The numbers of the column's enumeration. */
const stateNumbers: Readonly<Record<PeerState, number>> = {
  up: 1,
  suspect: 2,
  down: 3,
  departed: 4,
  draining: 5,
  maintenance: 6,
};

/** Steps of a scale, each from its value on. The first colour is that of everything below. */
export function steps(base: string, ...more: readonly (readonly [from: number, color: string])[]): Threshold[] {
  return [{ value: null, color: base }, ...more.map(([value, color]) => ({ value, color }))];
}

export const gradeColumns: readonly Grade[] = grades;
export const neutral: Threshold[] = steps('blue');
