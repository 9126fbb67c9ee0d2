/** The user by whom the page asks for its dashboards: one who only reads, or none. */
import { openReader } from '#dashboards/page/boards/reader.ts';
import type { PageOptions } from '#dashboards/page/page-routes.ts';
import { systemClock } from '#mesh/clock.ts';
import type { Config } from '#mesh/config/schema.ts';
import { readPassword, retentionOf } from './connections.ts';

export async function pageReader({ clickhouse }: Pick<Config, 'clickhouse'>): Promise<PageOptions['reader']> {
  const { readerUsername: username, readerPasswordFile, urls, database } = clickhouse;
  if (username === '') return null;
  const password = await readPassword(readerPasswordFile);
  return {
    database,
    retention: retentionOf({ clickhouse }),
    ask: openReader({ urls, username, password, database, clock: systemClock }),
  };
}
