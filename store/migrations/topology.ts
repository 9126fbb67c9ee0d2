/** Whether the servers are what the configured topology says, before anything is made on them. */
import { MeshwardError } from '#mesh/errors.ts';
import type { Store } from '../client.ts';
import { text, uint8, uint32 } from '../row-binary/columns.ts';
import type { Topology } from './engine.ts';

interface Replica {
  readonly shard: number;
  readonly isLocal: boolean;
  readonly isInternal: boolean;
}

/**
 * One line that a database keeps: tables made for one topology or number of shards are not those of another.
 * @throws MeshwardError `config-invalid` where the server does not know the cluster.
 */
export async function describeTopology(store: Store, topology: Topology): Promise<string> {
  if (topology.kind === 'single') return 'single';
  const shards = new Set((await replicasOf(store, topology.cluster)).map((replica) => replica.shard));
  return `${topology.kind} ${topology.cluster}, shards ${shards.size}`;
}

/**
 * @param servers one for each URL where statements go to each server by itself (sharded), else the one that is asked.
 * @throws MeshwardError `config-invalid` where rows would be lost, doubled or unreachable on such servers.
 */
export async function checkServers(servers: readonly Store[], topology: Topology): Promise<void> {
  if (topology.kind === 'single') return;
  const seen = new Map<number, number>();
  for (const [index, server] of servers.entries()) {
    const replicas = await replicasOf(server, topology.cluster);
    if (topology.kind === 'sharded') {
      checkSharded(replicas, servers.length, index, seen, topology.cluster);
    } else {
      await checkReplicated(server, replicas, topology.cluster);
    }
  }
}

function checkSharded(
  replicas: readonly Replica[],
  urls: number,
  index: number,
  seen: Map<number, number>,
  cluster: string,
): void {
  const shards = new Set(replicas.map((replica) => replica.shard));
  if (shards.size !== replicas.length) {
    throw misfit(
      `cluster ${cluster} has several replicas of a shard, and the topology is sharded`,
      'Set clickhouse.topology to cluster, or leave one replica a shard in remote_servers: nothing would copy rows between them.',
    );
  }
  if (shards.size !== urls) {
    throw misfit(
      `cluster ${cluster} has ${shards.size} shards, and clickhouse.urls names ${urls} servers`,
      'Name every server of the cluster in clickhouse.urls, each once: the schema is made on each of them.',
    );
  }
  const [local] = replicas.filter((replica) => replica.isLocal);
  if (local === undefined) return;
  const earlier = seen.get(local.shard);
  if (earlier !== undefined) {
    throw misfit(
      `URLs ${earlier + 1} and ${index + 1} lead to one server (shard ${local.shard} of ${cluster})`,
      'Name every server of the cluster in clickhouse.urls, each once.',
    );
  }
  seen.set(local.shard, index);
}

async function checkReplicated(server: Store, replicas: readonly Replica[], cluster: string): Promise<void> {
  const perShard = Map.groupBy(replicas, (replica) => replica.shard);
  for (const [shard, members] of perShard) {
    if (members.length > 1 && !members.every((replica) => replica.isInternal)) {
      throw misfit(
        `shard ${shard} of cluster ${cluster} has no internal_replication`,
        'Set <internal_replication>true</internal_replication> for each shard: without it every row is written by Distributed and by replication.',
      );
    }
  }
  const macros = await server.select({ macro: text }, 'SELECT macro FROM system.macros');
  const missing = ['shard', 'replica'].filter((name) => !macros.some(({ macro }) => macro === name));
  if (missing.length > 0) {
    throw misfit(
      `a server of cluster ${cluster} has no macro ${missing.join(' and no macro ')}`,
      'Set <macros> with <shard> and <replica> on every server.',
    );
  }
}

async function replicasOf(store: Store, cluster: string): Promise<readonly Replica[]> {
  const rows = await store.select(
    { shard: uint32, isLocal: uint8, isInternal: uint8 },
    'SELECT shard_num, is_local, toUInt8(internal_replication) FROM system.clusters WHERE cluster = {cluster:String}',
    { parameters: { cluster } },
  );
  if (rows.length === 0) {
    throw misfit(
      `the server knows no cluster ${cluster}`,
      'Set clickhouse.cluster to a name of its remote_servers (SELECT cluster FROM system.clusters lists them).',
    );
  }
  return rows.map(({ shard, isLocal, isInternal }) => ({
    shard,
    isLocal: isLocal === 1,
    isInternal: isInternal === 1,
  }));
}

function misfit(message: string, next: string): MeshwardError {
  return new MeshwardError('config-invalid', `clickhouse.topology: ${message}`, { next });
}
