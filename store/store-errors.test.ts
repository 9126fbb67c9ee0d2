import { ClickHouseError } from '@clickhouse/client';
import { describe, expect, test } from 'vitest';
import { MeshwardError } from '#mesh/errors.ts';
import { storeError } from './store-errors.ts';

const said = (type: string, message: string): ClickHouseError => new ClickHouseError({ code: '1', type, message });

describe('what a server says', () => {
  test.each([
    [
      'ATTEMPT_TO_READ_AFTER_EOF',
      'Attempt to read after eof: while receiving packet from 10.0.0.2:9000, local address: 10.0.0.1:5',
    ],
    ['NETWORK_ERROR', 'Connection reset by peer'],
    ['ALL_CONNECTION_TRIES_FAILED', 'All connection tries failed'],
    ['TOO_MANY_PARTS', 'Too many parts'],
  ])('%s between servers or under load passes: it is tried again', (type, message) => {
    expect(storeError(said(type, message), 'insert')).toMatchObject({ code: 'store-unavailable', retryable: true });
  });

  test.each([
    ['ATTEMPT_TO_READ_AFTER_EOF', 'Attempt to read after eof: (at row 3)'],
    ['NO_SUCH_COLUMN_IN_TABLE', 'No such column x'],
    ['ACCESS_DENIED', 'Not enough privileges'],
  ])('%s of what was sent does not pass: somebody must act', (type, message) => {
    expect(storeError(said(type, message), 'insert')).toMatchObject({ code: 'store-refused', retryable: false });
  });

  test('whatever else is thrown is a server that cannot be reached, and an error of ours stays as it is', () => {
    expect(storeError(new Error('socket hang up'), 'query')).toMatchObject({ code: 'store-unavailable' });
    expect(storeError('odd', 'query')).toMatchObject({ code: 'store-unavailable' });
    const own = new MeshwardError('bad-input', 'x', { next: 'y' });
    expect(storeError(own, 'query')).toBe(own);
  });
});
