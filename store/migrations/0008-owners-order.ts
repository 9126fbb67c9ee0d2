/**
 * How far what owners said is applied, over a restart too. Collectors say it under another id at each start: rows of those that have not
 * spoken for long go, those of peers stay.
 */
import { renderComments, renderLifeTime, renderNewColumn } from './engine.ts';
import { timeType } from './fragments.ts';
import type { Migration } from './migration.ts';

export const ownersOrder: Migration = {
  version: 8,
  name: 'owners-order',
  render: (context) => [
    ...renderNewColumn(context, 'applied', 'owner_heard_at', `${timeType} DEFAULT 0`),
    renderLifeTime(
      context,
      'applied',
      'toDateTime(owner_heard_at) + INTERVAL 90 DAY DELETE WHERE toUnixTimestamp64Milli(owner_heard_at) > 0',
    ),
    ...renderComments(context, 'applied', [
      ['owner_heard_at', 'Of a collector that speaks for owners: when it was heard last, UTC; 1970 for a peer'],
    ]),
  ],
};
