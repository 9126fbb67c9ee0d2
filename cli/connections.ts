/** Opens the log and the store that the configuration names. */
import { hostname } from 'node:os';
import { type KafkaRole, topicsUsedBy } from '#log/kafka/acl.ts';
import { checkTopicsForUse } from '#log/kafka/topic-plan.ts';
import { OpeningLog } from '#log/opening-log.ts';
import type { EventLog } from '#log/port.ts';
import { systemClock } from '#mesh/clock.ts';
import type { Config } from '#mesh/config/schema.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import { allTopics, type Topics } from '#mesh/topics.ts';
import type { Store } from '#store/client.ts';
import type { Topology } from '#store/migrations/engine.ts';
import type { Retention } from '#store/retention.ts';
import type { StoreWriter } from '#store/writer.ts';
import { type Context, foldersOf } from './context.ts';
import { kafkaConnectionOf, openAdmin, readSettingFile, topicsOfConfig } from './kafka-connection.ts';
import { type LogStats, observeLog } from './log-metrics.ts';

export interface OpenLog {
  readonly log: EventLog;
  readonly topics: Topics;
}

export interface LogUse {
  /** Opens the topics of this role, and no others. */
  readonly role: KafkaRole;
  readonly logger: Logger;
  /** Brokers that are away are waited for, for as long as this lets it; without it, they are not. */
  readonly signal?: AbortSignal;
}

/** @throws MeshwardError `log-topics` where Kafka's topics are not as they must be, and what opening the log throws. */
export async function openLog(context: Context, use: LogUse): Promise<OpenLog> {
  const topics = topicsOfConfig(context.config);
  const log = await openAdapter(context, topics, use);
  const { metrics } = await import('@opentelemetry/api');
  observeLog(metrics.getMeter('meshward.log'), () => log.stats());
  return { log, topics };
}

export interface OpeningLogOf extends OpenLog {
  readonly log: OpeningLog<CountingLog>;
}

/** Does not wait: a full disk, or brokers that are away, keep no service from saying so. */
export async function beginOpeningLog(
  context: Context,
  { signal, ...use }: LogUse & { readonly signal: AbortSignal },
): Promise<OpeningLogOf> {
  const { metrics } = await import('@opentelemetry/api');
  const topics = topicsOfConfig(context.config);
  const log = new OpeningLog({
    open: () => openAdapter(context, topics, use),
    clock: systemClock,
    signal,
    onAway: (error) =>
      use.logger.warn({ error: describeError(error) }, 'the log cannot be opened yet; it is tried again'),
    onOpened: () => use.logger.info({}, 'the log is open'),
  });
  observeLog(metrics.getMeter('meshward.log'), () => log.opened?.stats() ?? {});
  return { log, topics };
}

type CountingLog = EventLog & { stats(): LogStats };

function openAdapter(context: Context, topics: Topics, use: LogUse): Promise<CountingLog> {
  if (context.config.log.adapter === 'embedded') return openEmbeddedLog(context, topics);
  const open = (): Promise<CountingLog> => openKafkaLog(context.config, topics, use);
  return use.signal === undefined
    ? open()
    : whileAway({ what: 'Kafka', logger: use.logger, signal: use.signal }, open, () => undefined);
}

async function openEmbeddedLog({ config, dataDir }: Context, topics: Topics): Promise<CountingLog> {
  const { createEmbeddedLog } = await import('#log/embedded-log.ts');
  return createEmbeddedLog({
    directory: foldersOf(dataDir, config).log,
    topics: allTopics(topics),
    clock: systemClock,
    sessionTimeoutMs: config.log.sessionTimeoutMs,
    maxPendingBytes: config.log.maxPendingBytes,
  });
}

async function openKafkaLog(config: Config, topics: Topics, { role, logger }: LogUse): Promise<CountingLog> {
  const used = topicsUsedBy(role).map((word) => topics[word]);
  const admin = await openAdmin(config, role);
  try {
    checkTopicsForUse(used, await admin.findTopics(used.map(({ name }) => name)));
  } finally {
    await admin.close();
  }
  const { createKafkaLog } = await import('#log/kafka-log.ts');
  return createKafkaLog({
    ...(await kafkaConnectionOf(config, role)),
    topics: used,
    createTopics: false,
    compression: config.kafka.compression,
    clock: systemClock,
    logger,
    sessionTimeoutMs: config.log.sessionTimeoutMs,
    rebalanceTimeoutMs: config.kafka.rebalanceTimeoutMs,
    appendTimeoutMs: config.kafka.appendTimeoutMs,
    maxRecordBytes: config.kafka.maxRecordBytes,
    maxPendingBytes: config.log.maxPendingBytes,
  });
}

export interface OpenStore {
  readonly store: Store;
  readonly writer: StoreWriter;
  readonly close: () => Promise<void>;
}

export interface OpeningStore extends OpenStore {
  /** Settles when the schema is up to date; rejects where waiting does not help. */
  readonly prepared: Promise<void>;
  /** Resolves when a try has failed and the database must be waited for. */
  readonly away: Promise<void>;
  /** Why it cannot be used now; null once it can. */
  readonly trouble: () => unknown;
}

/** Connects and brings the schema up to date; waits while the server is away, for as long as `signal` lets it. */
export async function openStore(context: Context, logger: Logger, signal: AbortSignal): Promise<OpenStore> {
  const opening = await beginOpeningStore(context, logger, signal);
  await opening.prepared;
  return opening;
}

/** Does not wait: a database that is away keeps no service from saying so. */
export async function beginOpeningStore(context: Context, logger: Logger, signal: AbortSignal): Promise<OpeningStore> {
  const { config } = context;
  // Most commands ask an API and no database: they do not load what speaks to one.
  const { prepareSchema } = await import('#store/migrations/prepare.ts');
  const { createStoreWriter } = await import('#store/writer.ts');
  const { insertMeasure, observeStore } = await import('#store/metrics.ts');
  const { metrics } = await import('@opentelemetry/api');
  const store = await connect(config);
  const log = (message: string, details: Readonly<Record<string, unknown>>): void => logger.info(details, message);
  const away = Promise.withResolvers<void>();
  let trouble: unknown = null;
  const prepared = whileAway(
    { what: 'ClickHouse', logger, signal },
    () =>
      onEachServer(config, store, (servers) =>
        prepareSchema({
          servers,
          topology: topologyOf(config),
          retention: retentionOf(config),
          clock: systemClock,
          holder: `${hostname()}-${process.pid}`,
          signal,
          log,
        }),
      ),
    (error) => {
      trouble = error;
      away.resolve();
    },
  ).then(() => {
    trouble = null;
  });
  // Whoever waits for it is told.
  prepared.catch(() => undefined);
  const meter = metrics.getMeter('meshward.store');
  const giveUp = new AbortController();
  const writer = createStoreWriter({
    store,
    clock: systemClock,
    random: Math.random,
    limits: { maxQueuedBytes: config.clickhouse.maxQueuedBytes },
    signal: giveUp.signal,
    log: (message, details) => logger.warn(details, message),
    onInserted: insertMeasure(meter),
  });
  observeStore(meter, store, writer);
  return {
    store,
    writer,
    prepared,
    away: away.promise,
    trouble: () => trouble,
    async close() {
      // What ClickHouse does not take by then comes again from the log.
      const callOff = systemClock.after(closePatienceMs, () => giveUp.abort());
      await writer
        .close()
        .catch((error: unknown) => logger.warn({ error: describeError(error) }, 'some rows were not stored'));
      callOff();
      await store.close();
    },
  };
}

/** Reads what is there, and changes nothing. @throws MeshwardError `store-unavailable`. */
export function connectOldDatabase(config: Config, database: string): Promise<Store> {
  return connect({ ...config, clickhouse: { ...config.clickhouse, database } });
}

/** Of a demonstration: what it has made goes when it ends, or before it begins anew. */
export async function dropDatabase(config: Config): Promise<void> {
  const store = await connect(config);
  try {
    await store.command(`DROP DATABASE IF EXISTS \`${store.database}\``);
  } finally {
    await store.close();
  }
}

async function connect({ clickhouse, log }: Config, urls: readonly string[] = clickhouse.urls): Promise<Store> {
  const { username, passwordFile, database } = clickhouse;
  const password = await readPassword(passwordFile);
  const retention = retentionOf({ clickhouse });
  const { connectStore } = await import('#store/client.ts');
  return connectStore({ urls, username, password, database, retention, partitionCount: log.shareEventsPartitions });
}

/** Without Keeper nothing carries a statement from server to server: each is told by itself. */
async function onEachServer(
  config: Config,
  store: Store,
  run: (servers: readonly Store[]) => Promise<void>,
): Promise<void> {
  if (config.clickhouse.topology !== 'sharded') {
    await run([store]);
    return;
  }
  const servers = await Promise.all(config.clickhouse.urls.map((url) => connect(config, [url])));
  try {
    await run(servers);
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
}

function topologyOf({ clickhouse: { topology, cluster } }: Config): Topology {
  return topology === 'single' ? { kind: 'single' } : { kind: topology, cluster };
}

export function retentionOf({ clickhouse }: Pick<Config, 'clickhouse'>): Retention {
  return {
    rawDays: clickhouse.keepRawDays,
    minuteDays: clickhouse.keepMinuteDays,
    hourDays: clickhouse.keepHourDays,
    dayDays: clickhouse.keepDayDays,
    gradeChangesDays: clickhouse.keepGradeChangesDays,
    peerStatesDays: clickhouse.keepPeerStatesDays,
    auditDays: clickhouse.keepAuditDays,
    alertsDays: clickhouse.keepAlertsDays,
  };
}

const closePatienceMs = 5000;

async function whileAway<T>(
  { what, logger, signal }: { readonly what: string; readonly logger: Logger; readonly signal: AbortSignal },
  run: () => Promise<T>,
  onAway: (error: unknown) => void,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof MeshwardError) || !error.retryable || signal.aborted) throw error;
      onAway(error);
      if (attempt % 20 === 0) logger.warn({ error: describeError(error) }, `${what} is away; waiting for it`);
      await new Promise((resolve) => {
        setTimeout(resolve, 500);
      });
    }
  }
}

export async function readPassword(path: string): Promise<string> {
  return path === '' ? '' : (await readSettingFile('clickhouse.passwordFile', path)).trim();
}
