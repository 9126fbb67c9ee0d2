/** One Kafka process: started, awaited, killed, frozen. It cannot outlive this process, however that ends. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { installKafka } from './install.ts';

const run = promisify(execFile);

export interface BrokerFolder {
  /** Holds `server.properties`, `log4j2.properties`, `server.log` and `data/`. */
  readonly path: string;
  readonly nodeId: number;
}

const startTimeoutMs = 120_000;
const stopTimeoutMs = 30_000;
// Brokers of tests live for seconds: the second compiler would cost them more than it gives.
const machine = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];

/** Java knows nothing of its parent: this shell ends it when the pipe from there closes. The shell says Java's process id, for signals, and nothing else. */
const keeper = `
exec 4<&0 5>&2 2>/dev/null
java "$@" </dev/null 2>&5 &
java=$!
echo "pid $java"
( while read -r _ <&4; do :; done; kill -KILL $java ) &
guard=$!
wait $java
code=$?
kill $guard
exit $code
`;

/** Prepares `data/` once, with the users of SCRAM: they are part of the cluster's first metadata. */
export async function formatStorage(folder: BrokerFolder, clusterId: string, scram: readonly string[]): Promise<void> {
  const users = scram.flatMap((user) => ['--add-scram', user]);
  const config = ['--config', join(folder.path, 'server.properties')];
  const tool = ['kafka.tools.StorageTool', 'format', '--cluster-id', clusterId, ...config, ...users];
  await run('java', [...machine, ...(await javaArguments(folder)), ...tool], { timeout: startTimeoutMs });
}

export class BrokerProcess {
  readonly #folder: BrokerFolder;
  #child: ChildProcess | null = null;
  #pid = 0;

  constructor(folder: BrokerFolder) {
    this.#folder = folder;
  }

  /** Of the Java process; 0 before the first start. */
  get pid(): number {
    return this.#pid;
  }

  /** Resolves when the broker takes requests. */
  async start(): Promise<void> {
    if (this.#child !== null) throw new Error(`node ${this.#folder.nodeId} runs already`);
    const broker = ['kafka.Kafka', join(this.#folder.path, 'server.properties')];
    const argv = [...machine, ...(await javaArguments(this.#folder)), ...broker];
    const child = spawn('/bin/sh', ['-c', keeper, 'kafka', ...argv], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    child.stdin.on('error', () => undefined);
    child.once('exit', () => {
      child.stdin.destroy();
      if (this.#child === child) this.#child = null;
    });
    const ready = Promise.withResolvers<void>();
    createInterface(child.stdout).on('line', (line) => {
      if (line.startsWith('pid ')) this.#pid = Number(line.slice(4));
      if (line.includes('Kafka Server started')) ready.resolve();
    });
    child.once('exit', () => ready.reject(new Error(`node ${this.#folder.nodeId} of Kafka ended before it was ready`)));
    const callOff = setTimeout(
      () => ready.reject(new Error(`node ${this.#folder.nodeId} of Kafka is not ready in time`)),
      startTimeoutMs,
    );
    try {
      await ready.promise;
    } catch (error) {
      await this.kill();
      throw new Error(`${String(error)}:\n${await this.#lastWords()}`, { cause: error });
    } finally {
      clearTimeout(callOff);
    }
  }

  /** SIGKILL, frozen or not; resolves when the process is gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** A controlled shutdown: leadership moves first. Killed where that takes longer than half a minute. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** SIGSTOP: connections stay open and nothing answers. */
  freeze(): void {
    this.#signal('SIGSTOP');
  }

  thaw(): void {
    this.#signal('SIGCONT');
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    const ended = once(child, 'exit');
    this.#signal(signal);
    const callOff = setTimeout(() => this.#signal('SIGKILL'), stopTimeoutMs);
    await ended;
    clearTimeout(callOff);
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child === null) return;
    // Without a pid yet, its keeper ends it.
    if (this.#pid === 0) this.#child.stdin?.destroy();
    else signalProcess(this.#pid, signal);
  }

  async #lastWords(): Promise<string> {
    const text = await readFile(join(this.#folder.path, 'server.log'), 'utf8').catch(() => '');
    return text.slice(-4000);
  }
}

async function javaArguments(folder: BrokerFolder): Promise<readonly string[]> {
  const logging = `-Dlog4j2.configurationFile=${join(folder.path, 'log4j2.properties')}`;
  return [logging, '-cp', await installKafka()];
}

/** Everything into `server.log`; to standard output only that the broker is ready, and why not. */
export function loggingProperties(folder: BrokerFolder): string {
  return `
appender.file.type = File
appender.file.name = file
appender.file.fileName = ${join(folder.path, 'server.log')}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %m (%c{1})%n
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %m%n
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
logger.ready.name = kafka.server.KafkaRaftServer
logger.ready.level = info
logger.ready.appenderRef.console.ref = console
`;
}

/** A broker may have ended by itself, as one with a full disk does. */
function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
