import { expect, it } from 'vitest';
import type { AlertChange } from './alert-board.ts';
import { OpeningAlerts } from './opening-alerts.ts';

const change = (state: AlertChange['state'], files = 3): AlertChange => ({
  id: 'a',
  atMs: 0,
  sinceMs: 0,
  state,
  alert: { key: 'files-lost', severity: 'page', summary: '', next: '', files, bytes: 0, details: {} },
});
const counts = (b: number, c: number) =>
  new Map([
    ['b', b],
    ['c', c],
  ]);
const keys = (held: ReadonlySet<string>): string[] => [...held];

it('of a single analyzer are told at once, and so are those that speak of no files', () => {
  expect(keys(new OpeningAlerts().held([change('firing')], new Map(), 0))).toEqual([]);
  expect(keys(new OpeningAlerts().held([change('firing', 0)], counts(1, 1), 0))).toEqual([]);
});

it('wait until every other analyzer has reported what it sees since', () => {
  const opening = new OpeningAlerts();
  expect(keys(opening.held([change('firing')], counts(7, 7), 0))).toEqual(['files-lost']);
  expect(keys(opening.held([], counts(9, 8), 1_000))).toEqual(['files-lost']);
  expect(keys(opening.held([], counts(9, 9), 2_000))).toEqual([]);
  expect(keys(opening.held([], counts(9, 9), 3_000))).toEqual([]);
});

it('wait for one that is silent for some seconds only', () => {
  const opening = new OpeningAlerts();
  opening.held([change('firing')], counts(7, 7), 0);
  expect(keys(opening.held([], counts(20, 7), 4_999))).toEqual(['files-lost']);
  expect(keys(opening.held([], counts(20, 7), 5_000))).toEqual([]);
});

it('that end meanwhile are never told', () => {
  const opening = new OpeningAlerts();
  opening.held([change('firing')], counts(1, 1), 0);
  expect(keys(opening.held([change('resolved')], counts(1, 1), 100))).toEqual([]);
});
