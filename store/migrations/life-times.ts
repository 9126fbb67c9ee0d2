/** Brings the life times of tables to what is configured: the migrations made them with the defaults. */
import type { QueryOptions, Store } from '../client.ts';
import { lifeTimes, type Retention, renderTtl } from '../retention.ts';
import { text } from '../row-binary/columns.ts';
import { allSeries } from '../series.ts';
import { localName, renderLifeTime, type Topology } from './engine.ts';

/** @returns the tables whose life time was changed. */
export async function applyRetention(store: Store, topology: Topology, retention: Retention): Promise<string[]> {
  const found = await store.select(
    { name: text, days: text },
    `SELECT name, extract(engine_full, 'TTL .* \\\\+ toIntervalDay\\\\((\\\\d+)\\\\)') FROM system.tables WHERE database = {database:String}`,
    { parameters: { database: store.database } },
  );
  const present = new Map(found.map(({ name, days }) => [name, days]));
  const changed: string[] = [];
  const wanted = lifeTimes(
    retention,
    allSeries.map((series) => series.name),
  );
  for (const lifeTime of wanted) {
    if (present.get(localName(topology, lifeTime.table)) === String(lifeTime.days)) continue;
    await store.command(
      renderLifeTime({ database: store.database, topology }, lifeTime.table, renderTtl(lifeTime)),
      statementSettings(topology),
    );
    changed.push(lifeTime.table);
  }
  return changed;
}

/** A statement for a whole cluster waits for every replica; it must say so before the request itself is given up. */
export function statementSettings(topology: Topology): QueryOptions {
  return topology.kind === 'cluster' ? { settings: { distributed_ddl_task_timeout: '45' } } : {};
}
