/** A real ClickHouse server as a child process, from the library that npm's `chdb` brings: one machine needs no other database. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { type Clock, sleep, systemClock } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { buildLauncher } from './build-launcher.js';
import {
  type EmbeddedCluster,
  type EmbeddedSettings,
  type EmbeddedUser,
  renderServerConfiguration,
  renderUsers,
} from './configuration.ts';
import { TextTail } from './text-tail.ts';

export interface EmbeddedOptions {
  /** Holds data, configuration, password and log; made with mode 0700 where it is not there. One server at a time. */
  readonly directory: string;
  /** On 127.0.0.1. @default 0: a free one */
  readonly httpPort?: number;
  /** @default 1 GiB; at least 256 MiB */
  readonly memoryLimitBytes?: number;
  /** The library is half a gigabyte: the first start from a slow disk takes its time. @default 90 000 */
  readonly startTimeoutMs?: number;
  /** How long `stop` waits for queries to end before it kills. @default 10 000 */
  readonly stopTimeoutMs?: number;
  /** Users beside `meshward`, such as one that only reads. @default none */
  readonly users?: readonly EmbeddedUser[];
  /** Makes it one of several servers, for tests of Distributed tables. @default null */
  readonly cluster?: EmbeddedCluster | null;
  /** Aborting gives up the start, or stops the server. */
  readonly signal?: AbortSignal;
  readonly log?: (message: string, details: Readonly<Record<string, unknown>>) => void;
  readonly clock?: Clock;
}

export interface EmbeddedClickHouse {
  readonly url: string;
  readonly username: string;
  /** A secret; the same over restarts of one directory. */
  readonly password: string;
  readonly pid: number;
  /** Lets running queries end, then kills. May be called again. */
  stop(): Promise<void>;
  /** Resolves when the process has ended, for whatever reason; never rejects. */
  readonly exited: Promise<EmbeddedExit>;
}

export interface EmbeddedExit {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of what the server wrote to standard error. */
  readonly reason: string;
}

const username = 'meshward';
const portAttempts = 5;

/** @throws MeshwardError `clickhouse-start` with the server's own words and what to do. */
export async function startEmbeddedClickHouse(options: EmbeddedOptions): Promise<EmbeddedClickHouse> {
  options.signal?.throwIfAborted();
  const directory = resolve(options.directory);
  const password = await keptPassword(directory, 'password');
  const settings: EmbeddedSettings = {
    username,
    password,
    memoryLimitBytes: Math.max(options.memoryLimitBytes ?? 1024 ** 3, 256 * 1024 ** 2),
    logPath: join(directory, 'server.log'),
    logLimitBytes: 8 * 1024 ** 2,
    backupsPath: join(directory, 'backups'),
    users: options.users ?? [],
    cluster: options.cluster ?? null,
  };
  await mkdir(settings.backupsPath, { recursive: true, mode: 0o700 });
  await writePrivate(join(directory, 'config.xml'), renderServerConfiguration(settings));
  await writePrivate(join(directory, 'users.xml'), renderUsers(settings));
  // The library first: where there is none (musl), a compiler would not help.
  const library = await findLibrary();
  const launcher = await findLauncher();
  for (let attempt = 1; ; attempt++) {
    const port = options.httpPort || (await freePort());
    const child = spawn(launcher, [library, ...serverArguments(directory, port, options.cluster?.tcpPort)], {
      stdio: ['pipe', 'ignore', 'pipe'],
      cwd: directory,
    });
    try {
      return await whenReady(new RunningServer(child, port, password, options), options);
    } catch (error) {
      // Between choosing a free port and listening on it, another process may have taken it.
      const portTaken = error instanceof MeshwardError && error.details['reason'] === 'port-taken';
      if (!portTaken || options.httpPort || attempt === portAttempts) throw error;
    }
  }
}

function serverArguments(directory: string, port: number, tcpPort: number | undefined): string[] {
  const startTcp = tcpPort === undefined ? '' : ' SYSTEM START LISTEN TCP;';
  return [
    `--path=${join(directory, 'data')}`,
    `--config-file=${join(directory, 'config.xml')}`,
    `--http_port=${port}`,
    ...(tcpPort === undefined ? [] : [`--tcp_port=${tcpPort}`]),
    '--listen_host=127.0.0.1',
    '--log-level=warning',
    // The second query ends with standard input, and the server with it.
    `--query=SYSTEM START LISTEN HTTP;${startTcp} SELECT count() FROM file('/dev/stdin', 'LineAsString', 'line String')`,
  ];
}

class RunningServer implements EmbeddedClickHouse {
  readonly url: string;
  readonly username = username;
  readonly password: string;
  readonly pid: number;
  readonly exited: Promise<EmbeddedExit>;
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  readonly #stopTimeoutMs: number;

  constructor(child: ChildProcess, port: number, password: string, options: EmbeddedOptions) {
    this.url = `http://127.0.0.1:${port}`;
    this.password = password;
    this.pid = child.pid ?? -1;
    this.#child = child;
    this.#clock = options.clock ?? systemClock;
    this.#stopTimeoutMs = options.stopTimeoutMs ?? 10_000;
    const tail = new TextTail(8192);
    child.stderr?.setEncoding('utf8').on('data', (text: string) => tail.add(text));
    // A write to a child that is gone must not take the parent with it: its end is told by `exited`.
    child.stdin?.on('error', () => undefined);
    this.exited = new Promise((resolveExit) => {
      child.once('error', (error) => resolveExit({ exitCode: null, signal: null, reason: error.message }));
      child.once('close', (exitCode, signal) => resolveExit({ exitCode, signal, reason: serverWords(tail.text()) }));
    });
    const stop = (): void => void this.stop();
    options.signal?.addEventListener('abort', stop, { once: true });
    void this.exited.then((exit) => {
      options.signal?.removeEventListener('abort', stop);
      options.log?.('embedded ClickHouse ended', { ...exit });
    });
  }

  async stop(): Promise<void> {
    this.#child.stdin?.end();
    const callOff = this.#clock.after(this.#stopTimeoutMs, () => this.#child.kill('SIGKILL'));
    await this.exited;
    callOff();
  }
}

async function whenReady(server: RunningServer, options: EmbeddedOptions): Promise<EmbeddedClickHouse> {
  const clock = options.clock ?? systemClock;
  const startedMs = clock.monotonicMs();
  const deadlineMs = startedMs + (options.startTimeoutMs ?? 90_000);
  let ended: EmbeddedExit | undefined;
  void server.exited.then((exit) => {
    ended = exit;
  });
  while (!(await answers(server))) {
    if (options.signal?.aborted) {
      await server.stop();
      throw new MeshwardError('cancelled', 'the start of the embedded ClickHouse was given up', {
        next: 'Start it again.',
      });
    }
    if (ended !== undefined) throw startFailure(ended, server.url, options.directory);
    if (clock.monotonicMs() > deadlineMs) {
      await server.stop();
      throw new MeshwardError('clickhouse-start', `the embedded ClickHouse did not answer at ${server.url} in time`, {
        next: 'Look at server.log in its directory; on a slow disk, start again: the library is in the page cache by then.',
        retryable: true,
      });
    }
    await sleep(clock, 20);
  }
  options.log?.('embedded ClickHouse ready', {
    url: server.url,
    pid: server.pid,
    startMs: Math.round(clock.monotonicMs() - startedMs),
  });
  return server;
}

/** Asked with the password: a foreign server on the port does not pass for ours. */
async function answers(server: EmbeddedClickHouse): Promise<boolean> {
  const authorization = `Basic ${Buffer.from(`${server.username}:${server.password}`).toString('base64')}`;
  // No kept connection: an idle one would hold up a stop.
  const request = get(`${server.url}/?query=SELECT%201`, { agent: false, headers: { authorization }, timeout: 2000 });
  request.on('timeout', () => request.destroy());
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return response.statusCode === 200 && (await readText(response)).trim() === '1';
  } catch {
    return false;
  }
}

function startFailure(exit: EmbeddedExit, url: string, directory: string): MeshwardError {
  const fail = (reason: string, message: string, next: string): MeshwardError =>
    new MeshwardError('clickhouse-start', message, {
      next,
      details: { reason, exitCode: exit.exitCode, signal: exit.signal },
    });
  if (exit.reason.includes('Address already in use')) {
    return fail(
      'port-taken',
      `the port of ${url} is taken`,
      'Stop what listens there, or set another port (0 picks a free one).',
    );
  }
  if (exit.reason.includes('Cannot lock file')) {
    return fail(
      'directory-in-use',
      `another ClickHouse runs on ${directory}`,
      'Stop it (its process id stands in data/status), or choose another directory.',
    );
  }
  const words = exit.reason || `it ended with ${exit.signal ?? `code ${exit.exitCode}`}`;
  return fail(
    'ended',
    `the embedded ClickHouse did not start: ${words}`,
    `Look at ${join(directory, 'server.log')}; check free memory and disk.`,
  );
}

/** The server's words without its banner about where it logs. */
function serverWords(text: string): string {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('Logging '))
    .join('\n')
    .trim();
}

async function findLauncher(): Promise<string> {
  try {
    return await buildLauncher();
  } catch (error) {
    throw new MeshwardError(
      'clickhouse-start',
      `the launcher of the embedded ClickHouse cannot be built: ${describeError(error)}`,
      {
        next: 'Install a C compiler (Debian: apt-get install gcc libc6-dev), or set clickhouse.mode to external and use your own server.',
        cause: error,
      },
    );
  }
}

async function findLibrary(): Promise<string> {
  try {
    const { libchdbPath } = await import('chdb/libchdb');
    return libchdbPath();
  } catch (error) {
    throw new MeshwardError(
      'clickhouse-start',
      `the library of the embedded ClickHouse is missing: ${describeError(error)}`,
      {
        next: 'Install the optional packages too (npm install, without --omit=optional), or set clickhouse.mode to external.',
        cause: error,
      },
    );
  }
}

/** Made once, random, mode 0600. @param file its name in the server's folder. */
export async function keptPassword(directory: string, file: string): Promise<string> {
  await mkdir(join(directory, 'data'), { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const path = join(directory, file);
  try {
    const kept = (await readFile(path, 'utf8')).trim();
    if (kept !== '') return kept;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const password = randomBytes(24).toString('base64url');
  await writePrivate(path, `${password}\n`);
  return password;
}

/** Whole or not at all, and readable by the owner only from the first byte on. */
async function writePrivate(path: string, text: string): Promise<void> {
  const unfinished = `${path}.unfinished`;
  await writeFile(unfinished, text, { mode: 0o600 });
  await chmod(unfinished, 0o600);
  await rename(unfinished, path);
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}
