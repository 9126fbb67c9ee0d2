/** Keys of the section `clickhouse`. */
import { z } from 'zod';
import { bytes, key, mebibyte, port, text } from './key.ts';

const days = z.number().int().min(1).max(36_500);

export const clickhouseSection = z.strictObject({
  mode: key(
    z.enum(['embedded', 'external']),
    'embedded',
    'name',
    'Start a ClickHouse server as a child process, or use yours.',
  ),
  urls: key(
    z.array(z.url()).max(16),
    [],
    'urls',
    'HTTP endpoints of your servers, in order of preference (mode external). All must lead to the same rows.',
  ),
  topology: key(
    z.enum(['single', 'sharded', 'cluster']),
    'single',
    'name',
    'One server; Distributed tables over servers without Keeper (urls names each of them); or a replicated cluster. Fixed once the database exists.',
  ),
  cluster: key(
    z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]{0,63}$/),
    'meshward',
    'name',
    'Name of the cluster in remote_servers (topology sharded or cluster).',
  ),
  username: key(text, 'default', 'name', 'User (mode external).'),
  passwordFile: key(text, '', 'path', 'File that holds the password (mode external); empty is no password.'),
  database: key(
    z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]{0,63}$/),
    'meshward',
    'name',
    'Database that holds the tables.',
  ),
  httpPort: key(
    port,
    0,
    'port',
    'Port of the embedded server on 127.0.0.1. 0 picks a free one at each start; set it for dashboards that read there.',
  ),
  readerUsername: key(
    text,
    '',
    'name',
    'User of your own server who only reads, by whom the page asks for its dashboards; without one it shows none. The embedded server has "reader".',
  ),
  readerPasswordFile: key(
    text,
    '',
    'path',
    'File that holds the password of the user who only reads; empty makes reader-password in the folder of the embedded server.',
  ),
  memoryBytes: key(bytes.min(256 * mebibyte), 1024 * mebibyte, 'bytes', 'Memory limit of the embedded server.'),
  maxQueuedBytes: key(
    bytes.min(mebibyte),
    64 * mebibyte,
    'bytes',
    'Most bytes of rows waiting for ClickHouse in one process; then the log is no longer read.',
  ),
  keepRawDays: key(days, 3, 'days', 'How long every sweep and heartbeat is kept.'),
  keepMinuteDays: key(days, 14, 'days', 'How long figures by minute are kept.'),
  keepHourDays: key(days, 400, 'days', 'How long figures by hour are kept.'),
  keepDayDays: key(days, 3650, 'days', 'How long figures by day are kept.'),
  keepGradeChangesDays: key(days, 400, 'days', "How long changes of files' grades are kept."),
  keepPeerStatesDays: key(days, 730, 'days', "How long changes of peers' states are kept."),
  keepAuditDays: key(days, 1095, 'days', 'How long repairs and proofs are kept.'),
  keepAlertsDays: key(days, 400, 'days', 'How long alerts are kept.'),
});
