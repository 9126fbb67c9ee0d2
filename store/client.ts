/** The store's connection: @clickhouse/client over HTTP to one or several servers, with typed errors and RowBinary both ways. */

import { Readable } from 'node:stream';
import {
  type ClickHouseClient,
  ClickHouseLogLevel,
  type ClickHouseSettings,
  createClient,
  drainStream,
} from '@clickhouse/client';
import type { Backoff } from '#mesh/backoff.ts';
import { type Clock, systemClock } from '#mesh/clock.ts';
import { EndpointOrder } from '#mesh/endpoint-order.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { isLoopback } from '#mesh/loopback.ts';
import { defaultRetention, type Retention } from './retention.ts';
import type { Columns, RowOf } from './row-binary/columns.ts';
import { EndOfBytes } from './row-binary/reader.ts';
import { readRowBatches, type Table } from './row-binary/table.ts';
import { storeError } from './store-errors.ts';

export interface StoreOptions {
  /**
   * HTTP endpoints in order of preference. The next is asked when one cannot answer, and the preferred one again after a
   * rest. All of them must lead to the same rows: addresses of one server, or servers of one cluster.
   */
  readonly urls: readonly string[];
  readonly username: string;
  readonly password: string;
  /** @default meshward */
  readonly database?: string;
  /** Silence on a connection after which a request has failed. @default 60 000 */
  readonly requestTimeoutMs?: number;
  /** @default 10 for each endpoint */
  readonly maxOpenConnections?: number;
  /** zstd saves network for processor time. @default none on loopback, zstd elsewhere */
  readonly compression?: 'none' | 'zstd';
  /** How long the database keeps rows: histories are read from a level that still has them. @default `defaultRetention` */
  readonly retention?: Retention;
  /** Partitions of share-events: a file's rows are then found by their whole key. @default unknown */
  readonly partitionCount?: number | undefined;
  /** For the rests of endpoints. @default the system's */
  readonly clock?: Clock;
}

export interface StoreStats {
  /** Position in `urls` of the endpoint that answered last. */
  readonly endpoint: number;
  readonly endpointSwitches: number;
}

export interface Store {
  readonly database: string;
  readonly retention: Retention;
  /** Partitions of share-events, where they are known. */
  readonly partitionCount: number | undefined;
  /** The table's full name in SQL. */
  qualified(table: string): string;
  /** Runs a statement that gives no rows. @throws MeshwardError `store-unavailable` (retryable) or `store-refused`; so do all others. */
  command(sql: string, options?: QueryOptions): Promise<void>;
  /** Rows of `table`, acknowledged when it resolves. A batch sent again with its token changes nothing. */
  insert(table: Table, body: readonly Uint8Array[], options: InsertOptions): Promise<void>;
  /** All rows at once: for answers that a LIMIT or their nature bounds. Columns are read in their order. */
  select<C extends Columns>(columns: C, sql: string, options?: QueryOptions): Promise<RowOf<C>[]>;
  /** Rows as they come, for answers of any size. */
  selectBatches<C extends Columns>(columns: C, sql: string, options?: QueryOptions): AsyncGenerator<RowOf<C>[], void>;
  /** The bytes of an answer in the given format. */
  bytes(sql: string, format: string, options?: QueryOptions): AsyncGenerator<Uint8Array, void>;
  /** Checks that a server answers and knows the user. */
  ping(): Promise<void>;
  stats(): StoreStats;
  close(): Promise<void>;
}

export interface QueryOptions {
  /** Values for `{name:Type}` in the statement. */
  readonly parameters?: Readonly<Record<string, string | number | readonly (string | number)[]>>;
  readonly settings?: ClickHouseSettings;
  readonly signal?: AbortSignal;
}

/** `RowBinary`: row after row; `Native`: blocks of columns, which cost the server half as much to take in. */
export type InsertFormat = 'RowBinary' | 'Native';

export interface InsertOptions {
  readonly token: string;
  /** @default RowBinary */
  readonly format?: InsertFormat;
  readonly signal?: AbortSignal;
}

export function connectStore(options: StoreOptions): Store {
  return new ClickHouseStore(options);
}

const databasePattern = /^[a-zA-Z_][a-zA-Z0-9_]{0,63}$/;

/**
 * A retried insert must reach rollups that the first try did not reach, and must not fail on old rows of many months.
 * Through a Distributed table it returns only when every shard has its rows, and each shard is given the token: a batch
 * that one shard took and another did not is sent again whole, and the first shard drops what it has.
 */
const insertSettings: ClickHouseSettings = {
  // A part's dictionary of peers: one that is too small is written again for every granule, which takes five times the disk.
  low_cardinality_max_dictionary_size: '65536',
  insert_deduplicate: 1,
  // Rows of one batch differ in their keys, so that merging them before they are written finds nothing: a third of what placements cost.
  optimize_on_insert: 0,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  throw_on_max_partitions_per_insert_block: 0,
  distributed_foreground_insert: 1,
  async_insert: 0,
  wait_end_of_query: 1,
};

/** A query that names files asks only the shards that hold them. */
const everywhere: ClickHouseSettings = { optimize_skip_unused_shards: 1 };

/** Of an endpoint that failed. */
const rests: Backoff = { firstMs: 1000, longestMs: 30_000 };

class ClickHouseStore implements Store {
  readonly database: string;
  readonly retention: Retention;
  readonly partitionCount: number | undefined;
  readonly #endpoints: readonly ClickHouseClient[];
  readonly #order: EndpointOrder;

  constructor(options: StoreOptions) {
    this.database = options.database ?? 'meshward';
    if (!databasePattern.test(this.database))
      throw misconfigured('the name of the database', 'letters, digits and _, at most 64');
    if (options.urls.length === 0)
      throw misconfigured('no ClickHouse URL is set', 'at least one, such as http://127.0.0.1:8123');
    this.retention = options.retention ?? defaultRetention;
    this.partitionCount = options.partitionCount;
    this.#endpoints = options.urls.map((url) => connect(url, options));
    this.#order = new EndpointOrder(options.urls.length, options.clock ?? systemClock, rests);
  }

  qualified(table: string): string {
    return `${this.database}.${table}`;
  }

  async command(sql: string, options: QueryOptions = {}): Promise<void> {
    await this.#onSomeEndpoint('statement', options.signal, (client) =>
      client.command({ query: sql, ...requestOf(options) }),
    );
  }

  async insert(table: Table, body: readonly Uint8Array[], options: InsertOptions): Promise<void> {
    const query = `INSERT INTO ${this.qualified(table.name)} (${table.columnNames.join(', ')}) FORMAT ${options.format ?? 'RowBinary'}`;
    const settings = { ...insertSettings, insert_deduplication_token: options.token };
    await this.#onSomeEndpoint(`insert into ${table.name}`, options.signal, async (client) => {
      const values = Readable.from(body);
      try {
        const { stream } = await client.exec({ query, values, ...requestOf({ ...options, settings }) });
        await drainStream(stream);
      } finally {
        values.destroy();
      }
    });
  }

  async select<C extends Columns>(columns: C, sql: string, options: QueryOptions = {}): Promise<RowOf<C>[]> {
    const rows: RowOf<C>[] = [];
    // Buffered by the server until it is whole: an error comes as an error, never as the end of a short answer.
    const settings = { wait_end_of_query: 1 as const, ...options.settings };
    for await (const batch of this.selectBatches(columns, sql, { ...options, settings })) {
      for (const row of batch) rows.push(row);
    }
    return rows;
  }

  async *selectBatches<C extends Columns>(
    columns: C,
    sql: string,
    options: QueryOptions = {},
  ): AsyncGenerator<RowOf<C>[], void> {
    try {
      yield* readRowBatches(this.bytes(sql, 'RowBinary', options), columns);
    } catch (error) {
      throw error instanceof EndOfBytes || error instanceof RangeError ? brokenAnswer(error) : error;
    }
  }

  async *bytes(sql: string, format: string, options: QueryOptions = {}): AsyncGenerator<Uint8Array, void> {
    const query = `${sql}\nFORMAT ${format}`;
    const { stream } = await this.#onSomeEndpoint('query', options.signal, (client) =>
      client.exec({ query, ...requestOf(options) }),
    );
    try {
      for await (const chunk of stream) {
        options.signal?.throwIfAborted();
        yield chunk as Uint8Array;
      }
    } catch (error) {
      throw options.signal?.aborted ? (options.signal.reason as Error) : storeError(error, 'query');
    } finally {
      stream.destroy();
    }
  }

  async ping(): Promise<void> {
    await this.command('SELECT 1');
  }

  stats(): StoreStats {
    return { endpoint: this.#order.last, endpointSwitches: this.#order.switches };
  }

  async close(): Promise<void> {
    await Promise.all(this.#endpoints.map((client) => client.close()));
  }

  async #onSomeEndpoint<T>(
    action: string,
    signal: AbortSignal | undefined,
    run: (client: ClickHouseClient) => Promise<T>,
  ): Promise<T> {
    const order = this.#order.order();
    for (const [attempt, index] of order.entries()) {
      signal?.throwIfAborted();
      try {
        const result = await run(this.#endpoints[index] as ClickHouseClient);
        this.#order.answered(index);
        return result;
      } catch (error) {
        if (signal?.aborted) throw signal.reason as Error;
        const failure = storeError(error, action);
        if (!failure.retryable) throw failure;
        this.#order.failed(index);
        if (attempt + 1 === order.length) throw failure;
      }
    }
    throw misconfigured('no ClickHouse URL is set', 'at least one');
  }
}

/** An answer that ends or turns to nonsense half-way: the server failed after it had begun to answer. */
export function brokenAnswer(cause: unknown): MeshwardError {
  return new MeshwardError('store-unavailable', 'query: the answer of ClickHouse broke off', {
    next: 'It is tried again. Where it stays, look at the log of the server.',
    retryable: true,
    cause,
  });
}

function requestOf(options: QueryOptions): {
  query_params?: Record<string, unknown>;
  clickhouse_settings?: ClickHouseSettings;
  abort_signal?: AbortSignal;
} {
  return {
    ...(options.parameters === undefined ? {} : { query_params: options.parameters }),
    ...(options.settings === undefined ? {} : { clickhouse_settings: options.settings }),
    ...(options.signal === undefined ? {} : { abort_signal: options.signal }),
  };
}

function connect(url: string, options: StoreOptions): ClickHouseClient {
  const compression = options.compression ?? (isLoopback(new URL(url).hostname) ? 'none' : 'zstd');
  return createClient({
    url,
    username: options.username,
    password: options.password,
    application: 'meshward',
    request_timeout: options.requestTimeoutMs ?? 60_000,
    max_open_connections: options.maxOpenConnections ?? 10,
    clickhouse_settings: everywhere,
    compression: compression === 'none' ? {} : { response: { codec: 'zstd' }, request: { codec: 'zstd', level: 1 } },
    keep_alive: { enabled: true, idle_socket_ttl: 2500, eagerly_destroy_stale_sockets: true },
    // What fails is told once, by the error; the client's own log would print to the console.
    log: { level: ClickHouseLogLevel.OFF },
  });
}

function misconfigured(what: string, rule: string): MeshwardError {
  return new MeshwardError('config-invalid', `clickhouse: ${what}: ${rule}`, {
    next: 'Mend clickhouse.urls or clickhouse.database.',
  });
}
