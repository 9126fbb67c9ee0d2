/** Several real servers on loopback that Distributed tables span, each of which can be killed and started again. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#mesh/clock.ts';
import { connectStore, type Store } from '../client.ts';
import type { EmbeddedUser } from '../embedded/configuration.ts';
import { type EmbeddedClickHouse, startEmbeddedClickHouse } from '../embedded/server.ts';
import type { Topology } from '../migrations/engine.ts';
import { prepareSchema } from '../migrations/prepare.ts';
import { freePorts } from './ports.ts';

export const shardedTopology: Topology = { kind: 'sharded', cluster: 'mesh' };

export interface TestShards {
  readonly urls: readonly string[];
  /** Whom every server lets do everything. */
  readonly user: { readonly name: string; readonly password: string };
  /** A connection that asks the given servers in that order; all of them by default. */
  connect(database: string, order?: readonly number[]): Store;
  /** The same with the whole schema made on every server. */
  openDatabase(database: string): Promise<Store>;
  /** SIGKILL, and waits for the end. What ends otherwise is started again. */
  kill(shard: number): Promise<void>;
  start(shard: number): Promise<void>;
  close(): Promise<void>;
}

/** A user that every server has: servers log in at each other with it, and tests too. */
const writer: EmbeddedUser = { name: 'writer', password: 'writer-of-tests', grants: ['GRANT ALL ON *.*'] };

export async function startShards(count = 2, users: readonly EmbeddedUser[] = []): Promise<TestShards> {
  const directory = await mkdtemp(join(tmpdir(), 'meshward-shards-'));
  const ports = await freePorts(count * 2);
  const [httpPorts, tcpPorts] = [ports.slice(0, count), ports.slice(count)];
  const servers: (EmbeddedClickHouse | null)[] = [];
  const opened: Store[] = [];
  const comingBack = new Set<Promise<void>>();
  /**
   * A server that ends by itself is started again, as those of a cluster are: one whose peer is killed aborts now and then, where
   * that breaks a connection just as it reads from it (ClickHouse 26.7 in a library: "Terminate called for uncaught exception").
   */
  const watch = (shard: number, server: EmbeddedClickHouse): void => {
    void server.exited.then(() => {
      if (servers[shard] !== server) return;
      const back = start(shard).finally(() => comingBack.delete(back));
      comingBack.add(back);
    });
  };
  const start = async (shard: number): Promise<void> => {
    const server = await startEmbeddedClickHouse({
      directory: join(directory, `shard-${shard + 1}`),
      httpPort: httpPorts[shard] as number,
      users: [writer, ...users],
      cluster: {
        name: 'mesh',
        shard: String(shard + 1),
        tcpPort: tcpPorts[shard] as number,
        shardTcpPorts: tcpPorts,
        username: writer.name,
        password: writer.password,
      },
    });
    servers[shard] = server;
    watch(shard, server);
  };
  for (let shard = 0; shard < count; shard++) await start(shard);
  const urls = httpPorts.map((port) => `http://127.0.0.1:${port}`);
  const connect = (database: string, order = urls.map((_, index) => index)): Store => {
    const store = connectStore({
      urls: order.map((index) => urls[index] as string),
      username: writer.name,
      password: writer.password,
      database,
    });
    opened.push(store);
    return store;
  };
  return {
    urls,
    user: writer,
    connect,
    start,
    async openDatabase(database) {
      await prepareSchema({
        servers: urls.map((_, index) => connect(database, [index])),
        topology: shardedTopology,
        clock: systemClock,
        holder: `test-${process.pid}`,
      });
      return connect(database);
    },
    async kill(shard) {
      await Promise.all(comingBack);
      const server = servers[shard];
      if (server === null || server === undefined) return;
      servers[shard] = null;
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
    },
    async close() {
      await Promise.all(opened.map((store) => store.close()));
      await Promise.all(comingBack);
      const running = servers.splice(0);
      await Promise.all(running.flatMap((server) => (server === null ? [] : [server.stop()])));
      await rm(directory, { recursive: true, force: true });
    },
  };
}
