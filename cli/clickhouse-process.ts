/** Keeps the embedded ClickHouse running: one that ends is started again on its port, so that services find it where it was. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, sleep } from '#mesh/clock.ts';
import { describeError } from '#mesh/errors.ts';
import { type EmbeddedClickHouse, startEmbeddedClickHouse } from '#store/embedded/server.ts';

export interface ClickHouseProcess {
  readonly url: string;
  readonly username: string;
  /** A file that holds the password alone, readable by its owner only. */
  readonly passwordFile: string;
  pid(): number | null;
  stop(): Promise<void>;
}

export interface ClickHouseProcessOptions {
  readonly directory: string;
  readonly memoryBytes: number;
  readonly clock: Clock;
  readonly note: (line: string) => void;
}

const restartDelayMs = 500;

export async function runClickHouse({
  directory,
  memoryBytes,
  clock,
  note,
}: ClickHouseProcessOptions): Promise<ClickHouseProcess> {
  const stopping = new AbortController();
  const start = (httpPort: number): Promise<EmbeddedClickHouse> =>
    startEmbeddedClickHouse({ directory, httpPort, memoryLimitBytes: memoryBytes });
  let server: EmbeddedClickHouse | null = await start(0);
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
    pid: () => server?.pid ?? null,
    async stop() {
      stopping.abort();
      await server?.stop();
      await kept;
      await server?.stop();
    },
  };
}
