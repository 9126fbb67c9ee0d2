/** Opens the log and the store that the configuration names. */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { connectStore, type Store } from '#analyzer/store/client.ts';
import { migrate } from '#analyzer/store/migrations/apply.ts';
import { createStoreWriter, type StoreWriter } from '#analyzer/store/writer.ts';
import { createEmbeddedLog, type EmbeddedLog } from '#collector/log/embedded-log.ts';
import { type Clock, systemClock } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import { allTopics, type Topics, topicsOf } from '#mesh/topics.ts';
import { type Context, foldersOf } from './context.ts';

export interface OpenLog {
  readonly log: EmbeddedLog;
  readonly topics: Topics;
}

export async function openLog(context: Context, clock: Clock = systemClock): Promise<OpenLog> {
  const { config, dataDir } = context;
  const topics = topicsOf({
    prefix: config.log.topicPrefix,
    shareEventsPartitions: config.log.shareEventsPartitions,
    peerEventsPartitions: config.log.peerEventsPartitions,
    retentionMs: config.log.retentionMs,
    retentionBytes: config.log.retentionBytes,
  });
  const log = await createEmbeddedLog({
    directory: foldersOf(dataDir, config).log,
    topics: allTopics(topics),
    clock,
    sessionTimeoutMs: config.log.sessionTimeoutMs,
    maxPendingBytes: config.log.maxPendingBytes,
  });
  return { log, topics };
}

export interface OpenStore {
  readonly store: Store;
  readonly writer: StoreWriter;
  readonly close: () => Promise<void>;
}

/** Connects and brings the schema up to date; waits while the server is away, for as long as `signal` lets it. */
export async function openStore(context: Context, logger: Logger, signal: AbortSignal): Promise<OpenStore> {
  const { config } = context;
  const store = connectStore({
    urls: config.clickhouse.urls,
    username: config.clickhouse.username,
    password: await readPassword(config.clickhouse.passwordFile),
    database: config.clickhouse.database,
  });
  const log = (message: string, details: Readonly<Record<string, unknown>>): void => logger.info(details, message);
  await whileAway(logger, signal, () =>
    migrate({
      store,
      topology: { kind: 'single' },
      clock: systemClock,
      holder: `${hostname()}-${process.pid}`,
      signal,
      log,
    }),
  );
  const giveUp = new AbortController();
  const writer = createStoreWriter({
    store,
    clock: systemClock,
    random: Math.random,
    limits: { maxQueuedBytes: config.clickhouse.maxQueuedBytes },
    signal: giveUp.signal,
    log: (message, details) => logger.warn(details, message),
  });
  return {
    store,
    writer,
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

const closePatienceMs = 5000;

async function whileAway<T>(logger: Logger, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof MeshwardError) || !error.retryable || signal.aborted) throw error;
      if (attempt % 20 === 0) logger.warn({ error: describeError(error) }, 'ClickHouse is away; waiting for it');
      await new Promise((resolve) => {
        setTimeout(resolve, 500);
      });
    }
  }
}

export async function readPassword(path: string): Promise<string> {
  if (path === '') return '';
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    throw new MeshwardError(
      'config-invalid',
      `clickhouse.passwordFile ${path} cannot be read: ${describeError(error)}`,
      {
        next: 'Name a file that this user can read and that holds the password alone.',
      },
    );
  }
}
