import { expect, test } from 'vitest';
import { readinessOf } from './repairer.ts';

const peers = { isFresh: true, ageMs: 10 };

test('a repairer is ready when it repairs: it knows what is at risk and how the peers are, and is not stopping', () => {
  expect(readinessOf({ ready: true, stopping: false, peers })).toEqual({ ready: true, reasons: [] });
  expect(readinessOf({ ready: false, stopping: false, peers }).ready).toBe(false);
  expect(readinessOf({ ready: true, stopping: true, peers }).ready).toBe(false);
  expect(readinessOf({ ready: true, stopping: false, peers: { ...peers, isFresh: false } }).reasons).toHaveLength(1);
});
