/** A store on a real embedded server in a temporary folder, for the tests of this and other folders. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#mesh/clock.ts';
import { connectStore, type Store } from './client.ts';
import { type EmbeddedClickHouse, startEmbeddedClickHouse } from './embedded/server.ts';
import { migrate } from './migrations/apply.ts';

export interface TestStore extends AsyncDisposable {
  readonly server: EmbeddedClickHouse;
  readonly directory: string;
  /** A connection to a database of its own with the whole schema. */
  openDatabase(name: string): Promise<Store>;
  /** A connection to a database that may not exist. */
  connect(name: string): Store;
  /** Stops the server and removes its folder. */
  close(): Promise<void>;
}

/** @param within where its folder is made. */
export async function startTestStore(within = tmpdir()): Promise<TestStore> {
  const directory = await mkdtemp(join(within, 'meshward-store-'));
  const server = await startEmbeddedClickHouse({ directory, memoryLimitBytes: 2 * 1024 ** 3 });
  const opened: Store[] = [];
  const connect = (database: string): Store => {
    const store = connectStore({ urls: [server.url], username: server.username, password: server.password, database });
    opened.push(store);
    return store;
  };
  const close = async (): Promise<void> => {
    await Promise.all(opened.map((store) => store.close()));
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  };
  return {
    server,
    directory,
    connect,
    close,
    [Symbol.asyncDispose]: close,
    async openDatabase(name) {
      const store = connect(name);
      await migrate({ store, topology: { kind: 'single' }, clock: systemClock, holder: `test-${process.pid}` });
      return store;
    },
  };
}
