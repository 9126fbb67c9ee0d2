/** Turns what the client and the server throw into `store-unavailable` (try again) or `store-refused` (somebody must act). */
import { ClickHouseError } from '@clickhouse/client';
import { describeError, MeshwardError } from '#mesh/errors.ts';

/** Server errors that pass by themselves: load, memory, replicas, shutdown, an outcome that is not known. */
const passingTypes = new Set([
  'TIMEOUT_EXCEEDED',
  'TOO_SLOW',
  'TOO_MANY_SIMULTANEOUS_QUERIES',
  'NO_FREE_CONNECTION',
  'SOCKET_TIMEOUT',
  'NETWORK_ERROR',
  'MEMORY_LIMIT_EXCEEDED',
  'TABLE_IS_READ_ONLY',
  'NOT_ENOUGH_SPACE',
  'TOO_MANY_PARTS',
  'ABORTED',
  'ALL_CONNECTION_TRIES_FAILED',
  'ALL_REPLICAS_LOST',
  'TOO_FEW_LIVE_REPLICAS',
  'UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE',
  'UNKNOWN_STATUS_OF_INSERT',
  'UNKNOWN_STATUS_OF_TRANSACTION',
  'QUERY_WAS_CANCELLED',
  'DEADLOCK_AVOIDED',
  'KEEPER_EXCEPTION',
  'CANNOT_SCHEDULE_TASK',
  'SERVER_OVERLOADED',
  'RECEIVED_ERROR_TOO_MANY_REQUESTS',
  'RECEIVED_ERROR_FROM_REMOTE_IO_SERVER',
  'DNS_ERROR',
]);

/** Passing where they come out of the talk between two servers, and not out of what we sent. */
const cutTypes = new Set([
  'ATTEMPT_TO_READ_AFTER_EOF',
  'CANNOT_READ_ALL_DATA',
  'CANNOT_READ_FROM_SOCKET',
  'CANNOT_WRITE_TO_SOCKET',
  'UNEXPECTED_PACKET_FROM_SERVER',
  'UNKNOWN_PACKET_FROM_SERVER',
]);
const talkOfServers =
  /(while|when) (receiving packet|reading|writing|connecting)\b.{0,40}(from|to|socket|peer)|peer: /i;

const authenticationTypes = new Set(['AUTHENTICATION_FAILED', 'WRONG_PASSWORD', 'UNKNOWN_USER', 'REQUIRED_PASSWORD']);

/** Total: every thrown value becomes a MeshwardError; one that is one already stays as it is. */
export function storeError(error: unknown, action: string): MeshwardError {
  if (error instanceof MeshwardError) return error;
  if (!(error instanceof ClickHouseError)) {
    return new MeshwardError(
      'store-unavailable',
      `${action}: ClickHouse cannot be reached: ${describeError(error).slice(0, 500)}`,
      {
        next: 'Nothing is lost: it is tried again. See whether the server runs and the configured URLs are right.',
        retryable: true,
        cause: error,
      },
    );
  }
  const type = error.type ?? 'UNKNOWN';
  const details = { type, serverCode: Number(error.code) };
  const said = `${action}: ClickHouse said ${type}: ${error.message.trim().slice(0, 1000)}`;
  if (passingTypes.has(type) || (cutTypes.has(type) && talkOfServers.test(error.message))) {
    return new MeshwardError('store-unavailable', said, {
      next: 'It is tried again. Where it stays, look at the load, memory, disk and replicas of the server.',
      retryable: true,
      cause: error,
      details,
    });
  }
  const next = authenticationTypes.has(type)
    ? 'Check clickhouse.username and clickhouse.passwordFile.'
    : type === 'UNKNOWN_DATABASE' || type === 'UNKNOWN_TABLE' || type === 'NO_SUCH_COLUMN_IN_TABLE'
      ? 'The schema is not what this version expects: start the analyzer of this version once, it migrates.'
      : type === 'ACCESS_DENIED' || type === 'NOT_ENOUGH_PRIVILEGES'
        ? 'Grant the user what docs/clickhouse.md lists.'
        : 'Look at the message; docs/clickhouse.md says what the server must allow.';
  return new MeshwardError('store-refused', said, { next, cause: error, details });
}

/** Whether the server's error is of this type, such as TABLE_ALREADY_EXISTS. */
export function hasServerType(error: unknown, type: string): boolean {
  return error instanceof MeshwardError && error.details['type'] === type;
}
