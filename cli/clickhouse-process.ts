/** Keeps the embedded ClickHouse running: one that ends is started again on its port, so that services find it where it was. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, sleep } from '#mesh/clock.ts';
import { describeError } from '#mesh/errors.ts';
import type { EmbeddedUser } from '#store/embedded/configuration.ts';
import { type EmbeddedClickHouse, keptPassword, startEmbeddedClickHouse } from '#store/embedded/server.ts';
import { readerGrants, readerSettings } from '#store/grants.ts';
import { readPassword } from './connections.ts';
import { keptPort } from './kept-port.ts';

export interface ClickHouseProcess {
  readonly url: string;
  readonly username: string;
  /** A file that holds the password alone, readable by its owner only. */
  readonly passwordFile: string;
  /** Who only reads. */
  readonly reader: { readonly username: string; readonly passwordFile: string };
  pid(): number | null;
  stop(): Promise<void>;
}

export interface ClickHouseProcessOptions {
  readonly directory: string;
  readonly memoryBytes: number;
  /** On 127.0.0.1. 0 picks a free one. */
  readonly httpPort: number;
  readonly reader: ReaderOptions;
  readonly clock: Clock;
  readonly note: (line: string) => void;
}

/** Who looks with dashboards: may read this database and nothing else. */
export interface ReaderOptions {
  readonly database: string;
  /** Empty: made once, beside the server's own. */
  readonly passwordFile: string;
}

const readerName = 'reader';
const readerPasswordName = 'reader-password';
const restartDelayMs = 500;

export async function runClickHouse({
  directory,
  memoryBytes,
  httpPort: wantedPort,
  reader,
  clock,
  note,
}: ClickHouseProcessOptions): Promise<ClickHouseProcess> {
  const stopping = new AbortController();
  const users = [await readerUser(directory, reader)];
  const start = (httpPort: number): Promise<EmbeddedClickHouse> =>
    startEmbeddedClickHouse({ directory, httpPort, memoryLimitBytes: memoryBytes, users });
  let server: EmbeddedClickHouse | null = await start(await keptPort(join(directory, 'http-port'), wantedPort));
  const { url, username, password } = server;
  const port = Number(new URL(url).port);
  const passwordFile = join(directory, 'password');
  await writeFile(passwordFile, password, { mode: 0o600 });

  const keep = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      if (server !== null) {
        const { exitCode, signal } = await server.exited;
        server = null;
        if (stopping.signal.aborted) return;
        note(`clickhouse ended (${signal ?? `exit code ${exitCode}`}); it starts again`);
      }
      try {
        server = await start(port);
      } catch (error) {
        note(`clickhouse does not start: ${describeError(error)}`);
        await sleep(clock, restartDelayMs * 4, stopping.signal).catch(() => undefined);
      }
    }
  };
  const kept = keep();
  return {
    url,
    username,
    passwordFile,
    reader: {
      username: readerName,
      passwordFile: reader.passwordFile === '' ? join(directory, readerPasswordName) : reader.passwordFile,
    },
    pid: () => server?.pid ?? null,
    async stop() {
      stopping.abort();
      await server?.stop();
      await kept;
      await server?.stop();
    },
  };
}

async function readerUser(directory: string, { database, passwordFile }: ReaderOptions): Promise<EmbeddedUser> {
  const password =
    passwordFile === '' ? await keptPassword(directory, readerPasswordName) : await readPassword(passwordFile);
  return { name: readerName, password, grants: readerGrants(database), settings: readerSettings };
}
