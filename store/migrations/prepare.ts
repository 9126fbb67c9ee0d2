/** Makes servers ready for use: they are checked against the topology, brought to this program's schema and to the configured life times. */
import type { Store } from '../client.ts';
import { defaultRetention, type Retention } from '../retention.ts';
import { type MigrateOptions, migrate } from './apply.ts';
import { applyRetention } from './life-times.ts';
import { checkServers } from './topology.ts';

export interface PrepareOptions extends Omit<MigrateOptions, 'store'> {
  /** Where statements go: every server where the topology is sharded, else one connection to the server or cluster. */
  readonly servers: readonly Store[];
  /** @default `defaultRetention` */
  readonly retention?: Retention;
}

/** @throws MeshwardError `config-invalid` or `store-schema` (act), `store-unavailable` (try again). */
export async function prepareSchema({
  servers,
  retention = defaultRetention,
  ...options
}: PrepareOptions): Promise<void> {
  await checkServers(servers, options.topology);
  for (const store of servers) {
    await migrate({ ...options, store });
    const changed = await applyRetention(store, options.topology, retention);
    if (changed.length > 0) options.log?.('life times changed', { tables: changed.join(', ') });
  }
}
