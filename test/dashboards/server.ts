/** A real ClickHouse with a reader beside the writer, for dashboards. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#mesh/clock.ts';
import { connectStore, type Store } from '#store/client.ts';
import { startEmbeddedClickHouse } from '#store/embedded/server.ts';
import { readerGrants, readerSettings } from '#store/grants.ts';
import { migrate } from '#store/migrations/apply.ts';
import type { Reader } from './grafana.ts';

export interface DashboardServer extends AsyncDisposable {
  /** With the least rights that the documentation gives to people who look. */
  readonly reader: Reader;
  /** A database of its own with the whole schema, which only its reader may read. */
  openDatabase(name: string): Promise<Store>;
}

export async function startDashboardServer(databases: readonly string[]): Promise<DashboardServer> {
  const directory = await mkdtemp(join(tmpdir(), 'meshward-dashboards-'));
  const grafana = { name: 'grafana', password: 'a-word-that-nobody-sees', settings: readerSettings };
  const grants = databases.flatMap(readerGrants);
  const server = await startEmbeddedClickHouse({ directory, users: [{ ...grafana, grants }] });
  const opened: Store[] = [];
  return {
    reader: { url: server.url, username: grafana.name, password: grafana.password },
    async openDatabase(database) {
      const { url, username, password } = server;
      const store = connectStore({ urls: [url], username, password, database });
      opened.push(store);
      await migrate({ store, topology: { kind: 'single' }, clock: systemClock, holder: 'test' });
      return store;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map((store) => store.close()));
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
