/** Everything of one machine, started in order and kept running: ClickHouse, collector, repairer, analyzer. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#mesh/clock.ts';
import type { Config } from '#mesh/config/schema.ts';
import type { ReadyFacts } from './child.ts';
import { type ClickHouseProcess, runClickHouse } from './clickhouse-process.ts';
import { type Context, foldersOf, settingsArguments } from './context.ts';
import { choosePorts } from './ports.ts';
import { prepareTopics } from './prepare-topics.ts';
import { type RunFile, removeRunFile, writeRunFile } from './run-file.ts';
import { serverSettings } from './running-settings.ts';
import { Supervisor } from './supervisor.ts';

const endedByItselfMs = 5_000;

export interface MeshServicesOptions {
  readonly context: Context;
  readonly clock: Clock;
  readonly note: (line: string) => void;
  /** Settings of this run over the context's own. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Takes another port where one is taken already. @default false: then that is an error */
  readonly otherPortsWhereTaken?: boolean;
}

export interface MeshServices {
  readonly run: RunFile;
  /** How this run's ClickHouse is reached. */
  readonly clickhouse: Partial<Config['clickhouse']>;
  /** Process ids by name, of what runs at this moment. */
  pids(): Readonly<Record<string, number>>;
  /** Rewrites the run file, with more in it. */
  extendRunFile(more: Partial<RunFile>): Promise<void>;
  stop(): Promise<void>;
}

export async function startMeshServices(options: MeshServicesOptions): Promise<MeshServices> {
  const { context, clock, note } = options;
  const { config, dataDir } = context;
  const folders = foldersOf(dataDir, config);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const { lingerMs, timeoutMs } = config.shutdown;
  // A service that takes all the time it has ends by itself.
  const supervisor = new Supervisor({ clock, note, stopTimeoutMs: lingerMs + timeoutMs + endedByItselfMs });
  let clickhouse: ClickHouseProcess | null = null;
  const stop = async (): Promise<void> => {
    await supervisor.stop();
    await clickhouse?.stop();
    await removeRunFile(folders.runFile);
  };

  try {
    if (config.clickhouse.mode === 'embedded') {
      clickhouse = await runClickHouse({
        directory: folders.clickhouse,
        memoryBytes: config.clickhouse.memoryBytes,
        httpPort: config.clickhouse.httpPort,
        reader: { database: config.clickhouse.database, passwordFile: config.clickhouse.readerPasswordFile },
        clock,
        note,
      });
    }
    await prepareTopics(config, note);
    const reached: Partial<Config['clickhouse']> =
      clickhouse === null
        ? {}
        : {
            mode: 'external',
            urls: [clickhouse.url],
            username: clickhouse.username,
            passwordFile: clickhouse.passwordFile,
            readerUsername: clickhouse.reader.username,
            readerPasswordFile: clickhouse.reader.passwordFile,
          };
    const ports = await choosePorts(config, options.otherPortsWhereTaken ?? false);
    const common = [
      ...context.globalArguments,
      ...settingsArguments({
        ...options.settings,
        ...ports,
        'collector.apiUrls': [apiUrlOf(config, ports['api.port'])],
        'api.repairerUrls': [
          `${schemeOf(config.repairer)}://${localHost(config.repairer.host)}:${ports['repairer.port']}`,
        ],
        ...Object.fromEntries(Object.entries(reached).map(([key, value]) => [`clickhouse.${key}`, value])),
      }),
    ];
    const start = (name: string): Promise<ReadyFacts> => supervisor.start({ name, arguments: [name, ...common] });
    const collector = await start('collector');
    const analyzer = await start('analyzer');
    const repairer = await start('repairer');
    let run: RunFile = {
      pid: process.pid,
      startedAtMs: clock.nowMs(),
      apiUrl: config.api.publicUrl === '' ? String(analyzer['url']) : config.api.publicUrl,
      collectorUrl: `https://${collector['host']}:${collector['port']}`,
      collectorPin: String(collector['pin']),
      collectorOpsUrl: `http://127.0.0.1:${collector['opsPort']}`,
      repairerUrl: String(repairer['url']),
      clickhouseUrl: clickhouse?.url ?? config.clickhouse.urls[0] ?? '',
      settings: serverSettings(context.effective),
    };
    await writeRunFile(folders.runFile, run);
    return {
      get run() {
        return run;
      },
      clickhouse: reached,
      pids() {
        const pids = Object.fromEntries(
          supervisor.states().flatMap(({ name, pid }) => (pid === null ? [] : [[name, pid]])),
        );
        const own = clickhouse?.pid() ?? null;
        return own === null ? pids : { ...pids, clickhouse: own };
      },
      async extendRunFile(more) {
        run = { ...run, ...more };
        await writeRunFile(folders.runFile, run);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A certificate is of the name by which everybody reaches it. */
function apiUrlOf({ api }: Config, port: number): string {
  const isNamed = api.tlsCertFile !== '' && api.publicUrl !== '';
  return isNamed ? api.publicUrl : `${schemeOf(api)}://${localHost(api.host)}:${port}`;
}

/** How a service of this machine reaches one that listens there. */
function localHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

function schemeOf({ tlsCertFile }: { readonly tlsCertFile: string }): 'http' | 'https' {
  return tlsCertFile === '' ? 'http' : 'https';
}

/** Where the peers of a demonstration keep their shares. */
export function peersFolder(dataDir: string): string {
  return join(dataDir, 'peers');
}
