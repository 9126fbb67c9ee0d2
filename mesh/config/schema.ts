/**
 * The one configuration schema. Every key has a default, a unit and a description; `meshward config` prints it.
 * A key is set by a file (YAML), by the environment (`log.topicPrefix` is `MESHWARD_LOG_TOPIC_PREFIX`) and by flags
 * (`--set log.topicPrefix=x-`), each over the one before.
 */
import { z } from 'zod';
import { accessSection } from './access-keys.ts';
import { alertsSection, objectiveSection } from './alert-keys.ts';
import { campaignsSection } from './campaign-keys.ts';
import { clickhouseSection } from './clickhouse-keys.ts';
import { kafkaSection } from './kafka-keys.ts';
import { bytes, count, dayMs, durationMs, hourMs, key, mebibyte, minuteMs, port, ratio, text } from './key.ts';
import { keysSection, shutdownSection } from './service-keys.ts';

const policyRule = z.strictObject({
  name: z.string().min(1),
  coding: z.strictObject({ k: z.number().int().min(1).max(256), n: z.number().int().min(1).max(256) }).exactOptional(),
  tag: z.string().exactOptional(),
  repairBelow: z.number().int().min(1).max(256).exactOptional(),
  repairUpTo: z.number().int().min(1).max(256).exactOptional(),
  criticalBelow: z.number().int().min(1).max(256).exactOptional(),
  maxSharesPerPeer: z.number().int().min(1).max(256).exactOptional(),
  maxSharesPerDomain: z.number().int().min(1).max(256).exactOptional(),
});

export const configSchema = z.strictObject({
  dataDir: key(text.min(1), '.meshward', 'path', 'Where the embedded log and database, keys and run files live.'),
  log: z.strictObject({
    adapter: key(
      z.enum(['embedded', 'kafka']),
      'embedded',
      'name',
      'Which event log to use: files of one machine, or the Apache Kafka cluster of section kafka.',
    ),
    directory: key(text, '', 'path', 'Folder of the embedded log; empty is log/ in dataDir.'),
    topicPrefix: key(
      z
        .string()
        .regex(/^[a-z0-9._-]*$/i)
        .max(64),
      'meshward.',
      'text',
      'Put before the name of every topic.',
    ),
    shareEventsPartitions: key(
      count.max(4096),
      8,
      'partitions',
      'Partitions of share-events and at-risk. Fixed once the topics exist.',
    ),
    peerEventsPartitions: key(
      count.max(256),
      1,
      'partitions',
      'Partitions of peer-events. Fixed once the topics exist.',
    ),
    retentionMs: key(durationMs, 7 * dayMs, 'ms', 'Events older than this may leave the log.'),
    retentionBytes: key(
      bytes,
      1024 * mebibyte,
      'bytes',
      'Most bytes kept in a partition of events; the oldest go first. 0 is unlimited.',
    ),
    sessionTimeoutMs: key(
      durationMs.min(500),
      10_000,
      'ms',
      'A member of a consumer group that is silent for longer loses its partitions. Kafka brokers take 6000 or more unless set otherwise.',
    ),
    maxPendingBytes: key(
      bytes.min(mebibyte),
      32 * mebibyte,
      'bytes',
      'Most bytes waiting to be appended by one process; then appends wait.',
    ),
  }),
  kafka: kafkaSection,
  keys: keysSection,
  shutdown: shutdownSection,
  clickhouse: clickhouseSection,
  collector: z.strictObject({
    host: key(text.min(1), '127.0.0.1', 'address', 'Where agents are taken in. Beyond loopback only if you set it so.'),
    port: key(port, 7701, 'port', 'Port for agents and operators (TLS). 0 picks a free one.'),
    opsHost: key(
      text.min(1),
      '127.0.0.1',
      'address',
      'Where /metrics, /livez and /readyz are served (plain HTTP). Beyond loopback only if you set it so.',
    ),
    opsPort: key(port, 7703, 'port', 'Port for /metrics, /livez and /readyz. 0 picks a free one.'),
    publicUrl: key(text, '', 'url', 'How agents reach the collector, if not by host and port.'),
    tickMs: key(durationMs, 1000, 'ms', 'How often the log gets a tick: the time by which silence is judged.'),
    postsPerSecond: key(count, 50, 'posts/s', 'Most posts a second of one peer; more get 429 and a time to wait.'),
    eventsPerSecond: key(
      count,
      200_000,
      'events/s',
      'Most share events a second of one peer; more get 429 and a time to wait.',
    ),
    maxConcurrentPosts: key(count, 256, 'posts', 'Most posts under way at once; more get 503 and a time to wait.'),
    apiUrls: key(
      z.array(z.url()).max(64),
      ['http://127.0.0.1:7700'],
      'urls',
      'HTTP APIs of analyzers, in order of preference, that are asked what peers want to know (`meshward ask`). Name each analyzer.',
    ),
    askedFilesPerSecond: key(
      count,
      200,
      'files/s',
      'Most files a second that one peer may ask of; a question counts as ten at least. More get 429 and a time to wait.',
    ),
    tokenLifetimeMs: key(durationMs, dayMs, 'ms', 'How long an enrolment token is good.'),
    deadLetterPayloadBytes: key(bytes, 64 * 1024, 'bytes', 'How much of a refused payload a dead letter keeps.'),
  }),
  analyzer: z.strictObject({
    sweepIntervalMs: key(
      durationMs,
      10_000,
      'ms',
      'How often every file is looked at; changes are noticed at once besides.',
    ),
    flushIntervalMs: key(durationMs, 1000, 'ms', 'How often changes go to ClickHouse and offsets are committed.'),
    restFlushIntervalMs: key(
      durationMs,
      10_000,
      'ms',
      'The same while nothing changes but that peers are heard and say that their shares are as they were.',
    ),
    suspectAfterHeartbeats: key(
      z.number().min(1),
      2.5,
      'heartbeats',
      'A peer silent for this many of its heartbeats is suspect.',
    ),
    graceMs: key(
      durationMs,
      15 * minuteMs,
      'ms',
      'Silence before a suspect peer is down, for a peer with no history of short outages.',
    ),
    graceMaxMs: key(durationMs, 2 * hourMs, 'ms', 'Most grace that a history of short outages can earn.'),
    departAfterMs: key(durationMs, 14 * dayMs, 'ms', 'A peer that is down for longer is taken for departed.'),
    settleMs: key(
      durationMs,
      5 * minuteMs,
      'ms',
      'How long a new file may take to show enough shares before it is judged.',
    ),
    manifestPatienceMs: key(
      durationMs,
      5 * minuteMs,
      'ms',
      'How long shares of a file may be there before somebody says what the file is; after that health is not called fresh.',
    ),
    priorShareLossRatio: key(
      ratio,
      0.1,
      'ratio',
      'Probability that a share is lost within the horizon, while the mesh has too little history to measure it.',
    ),
    staleAfterMs: key(
      durationMs,
      15_000,
      'ms',
      'When the log has had no tick for longer, health is reported as stale.',
    ),
    maxFiles: key(
      count,
      10_000_000,
      'files',
      'Most files in one analyzer; more are refused, counted and said loudly. Those that are registered find room first, beside as many that are not.',
    ),
    maxUnregisteredPerPeer: key(
      count,
      1_000_000,
      'shares',
      'Most shares in one analyzer that a peer may hold of files of which nobody has said what they are; more are refused and counted.',
    ),
  }),
  api: z.strictObject({
    host: key(
      text.min(1),
      '127.0.0.1',
      'address',
      'Where the HTTP API and the page are served. Beyond loopback only if you set it so.',
    ),
    port: key(port, 7700, 'port', 'Port of the HTTP API and the page. 0 picks a free one.'),
    repairerUrls: key(
      z.array(z.url()).max(64),
      ['http://127.0.0.1:7702'],
      'urls',
      'Repairers whose running work the page shows. Every address of a host name is asked, so one name may stand for all of them.',
    ),
    maxStreams: key(count, 100, 'streams', 'Most live event streams at once.'),
    publicUrl: key(text, '', 'url', 'How people and commands reach the API and the page, if not by host and port.'),
    tlsCertFile: key(
      text,
      '',
      'path',
      'Certificate chain (PEM) of the HTTP API; with it the API speaks TLS alone. Read again when it changes.',
    ),
    tlsKeyFile: key(text, '', 'path', 'Private key (PEM) of that certificate.'),
    pageActions: key(
      z.boolean(),
      true,
      'boolean',
      "Whether the page may silence and acknowledge alerts as the operator of this data directory; only where it is served on loopback and the operator's key is there.",
    ),
    guide: key(
      z.boolean(),
      false,
      'boolean',
      'Whether the page tells a newcomer what is happening and what to try, as in the demonstration.',
    ),
  }),
  access: accessSection,
  repairer: z.strictObject({
    host: key(text.min(1), '127.0.0.1', 'address', 'Where the repairer shows its own state and metrics.'),
    port: key(port, 7702, 'port', 'Port of the repairer. 0 picks a free one.'),
    tlsCertFile: key(text, '', 'path', "Certificate chain (PEM) of the repairer's HTTP, as api.tlsCertFile."),
    tlsKeyFile: key(text, '', 'path', 'Private key (PEM) of that certificate.'),
    apiUrl: key(
      z.url(),
      'http://127.0.0.1:7700',
      'url',
      "An analyzer's HTTP API, where commands with this configuration ask. The repairer itself follows the log.",
    ),
    maxConcurrentRepairs: key(count.max(256), 4, 'repairs', 'Repairs under way at once.'),
    smallRepairsPerLane: key(
      count.max(64),
      8,
      'repairs',
      'Repairs of small files that count as one of maxConcurrentRepairs: as many as have room in windowBytes with all of their shares.',
    ),
    criticalLanes: key(count.max(64), 1, 'repairs', 'Repairs beyond that which only critical files may use.'),
    bytesPerSecond: key(bytes, 0, 'bytes/s', 'Most bytes a second that repairs read and write. 0 is unlimited.'),
    windowBytes: key(bytes.min(mebibyte), 16 * mebibyte, 'bytes', 'Memory for the blocks of one repair.'),
    maxQueuedFiles: key(count, 1_000_000, 'files', 'Most files waiting in memory; the least urgent wait in the log.'),
    attempts: key(count.max(100), 5, 'attempts', 'Tries before a repair rests for retryAfterMs.'),
    retryAfterMs: key(durationMs, 60_000, 'ms', 'Rest after a failed repair; doubles up to an hour.'),
    confirmTimeoutMs: key(
      durationMs,
      60_000,
      'ms',
      'How long a repaired file may take to leave the at-risk list before it is looked at again.',
    ),
    samplesPerMinute: key(
      z.number().int().min(0).max(60_000),
      30,
      'shares/min',
      'Shares that peers say to hold which are drawn at random and read, to see whether they are there. 0 draws none.',
    ),
    brakeSilentRatio: key(
      ratio,
      0.5,
      'ratio',
      'When more than this part of the peers went silent within brakeWindowMs, bulk repair holds.',
    ),
    brakeWindowMs: key(durationMs, 10 * minuteMs, 'ms', 'Window of the brake.'),
    busyCpuRatio: key(
      ratio,
      0.9,
      'ratio',
      'A peer whose heartbeat says that so much of its processors is used is spared where others will do. 0 spares none.',
    ),
    busyDiskRatio: key(ratio, 0.6, 'ratio', 'So is one where some work waits for a disk for such a part of the time.'),
    busyNetworkBytesPerSecond: key(
      bytes,
      0,
      'bytes/s',
      'And one whose network receives and sends so much. 0 spares none: what a network bears is not known.',
    ),
  }),
  campaigns: campaignsSection,
  agent: z.strictObject({
    shares: key(text, '', 'path', 'Folder of shares, laid out as Tahoe does; needed to run an agent.'),
    keyDir: key(text, '', 'path', "Folder of the peer's key; empty is key/ beside the shares."),
    spoolDir: key(
      text,
      '',
      'path',
      'Folder for events that wait for the collector; empty is spool/ beside the shares.',
    ),
    collectorUrl: key(
      text,
      'https://127.0.0.1:7701',
      'url',
      'The collector to report to, or several with commas between them, in order of preference.',
    ),
    collectorPin: key(
      text,
      '',
      'pin',
      "SHA-256 of the collector's public key (base64url): what `meshward token` prints. Two with a comma between them while one key replaces the other.",
    ),
    host: key(text.min(1), '127.0.0.1', 'address', 'Where shares are served. Beyond loopback only if you set it so.'),
    port: key(port, 0, 'port', 'Port on which shares are served. 0 picks a free one and keeps it.'),
    opsHost: key(
      text.min(1),
      '127.0.0.1',
      'address',
      'Where /metrics, /livez and /readyz are served (plain HTTP). Beyond loopback only if you set it so.',
    ),
    opsPort: key(port, 0, 'port', 'Port for /metrics, /livez and /readyz. 0 picks a free one and keeps it.'),
    serve: key(z.boolean(), true, 'yes/no', 'Serve the folder (GBS). No where a Tahoe storage node already does.'),
    nurl: key(
      text,
      '',
      'nurl',
      'Address of the Tahoe node that serves the folder (serve: no). Holds a secret: give it in a file or the environment.',
    ),
    name: key(text.max(200), '', 'text', 'Name of the peer for people; empty is the host name.'),
    capacityBytes: key(bytes, 0, 'bytes', 'Most bytes of shares this peer takes. 0 is what the disk has.'),
    heartbeatMs: key(durationMs.min(100), 10_000, 'ms', 'How often the peer says that it is there.'),
    inventoryIntervalMs: key(
      durationMs,
      6 * hourMs,
      'ms',
      'How often the whole folder is listed anew; changes are watched besides.',
    ),
    verifyBytesPerSecond: key(
      bytes,
      4 * mebibyte,
      'bytes/s',
      'How fast the content of shares is checked. 0 never checks.',
    ),
    spoolMaxBytes: key(
      bytes.min(mebibyte),
      256 * mebibyte,
      'bytes',
      'Most bytes of events kept while the collector is away; then the oldest inventories collapse first.',
    ),
  }),
  alerts: alertsSection,
  objective: objectiveSection,
  telemetry: z.strictObject({
    logLevel: key(z.enum(['trace', 'debug', 'info', 'warn', 'error']), 'info', 'name', 'How much is logged.'),
    otlpUrl: key(
      text,
      '',
      'url',
      'Where traces are sent (OTLP over HTTP), such as http://127.0.0.1:4318/v1/traces; empty makes none.',
    ),
    otlpHeadersFile: key(
      text,
      '',
      'path',
      'File with headers that go with traces, a line each (`authorization: Bearer …`); empty sends none.',
    ),
    otlpTimeoutMs: key(
      durationMs.min(100),
      10_000,
      'ms',
      'How long one sending of traces may take; what fails then is counted and not sent again.',
    ),
    traceRatio: key(ratio, 0.1, 'ratio', 'Part of traces that is kept, decided where a trace begins.'),
    traceQueueSpans: key(
      z.number().int().min(1).max(1_000_000),
      4096,
      'spans',
      'Most spans that wait to be sent; more are dropped and counted.',
    ),
  }),
  policies: key(
    z.array(policyRule).max(100),
    [],
    'rules',
    'Thresholds for codings or tags; the first rule that fits counts.',
  ),
});

export type Config = z.infer<typeof configSchema>;

/** A leaf as `meshward config` and the documentation show it. */
export interface ConfigKey {
  readonly path: string;
  readonly environmentName: string;
  readonly unit: string;
  readonly description: string;
  readonly fallback: unknown;
  readonly secret: boolean;
}

/** Keys whose value is never shown. */
const secretPaths: ReadonlySet<string> = new Set(['agent.nurl']);

/** Every key of the schema, in its order. */
export function configKeys(): readonly ConfigKey[] {
  return keysBelow(configSchema, '');
}

function keysBelow(schema: z.ZodObject, prefix: string): ConfigKey[] {
  return Object.entries(schema.shape).flatMap(([name, child]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    if (child instanceof z.ZodObject) return keysBelow(child, path);
    const meta = (child as z.ZodType).meta() as { unit: string; description: string };
    return [
      {
        path,
        environmentName: environmentNameOf(path),
        unit: meta.unit,
        description: meta.description,
        fallback: (child as z.ZodDefault).parse(undefined),
        secret: secretPaths.has(path),
      },
    ];
  });
}

/** `log.topicPrefix` → `MESHWARD_LOG_TOPIC_PREFIX`. */
export function environmentNameOf(path: string): string {
  return `MESHWARD_${path
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase()}`;
}
