/** A real Alertmanager on loopback, and the on-call behind it: a webhook that counts what arrives. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prometheusProgram } from '../setup/prometheus.ts';

/** One notification as Alertmanager's webhook has it. */
export interface Page {
  readonly status: 'firing' | 'resolved';
  readonly receiver: string;
  readonly alerts: readonly PagedAlert[];
}

export interface PagedAlert {
  readonly status: 'firing' | 'resolved';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL: string;
}

/** Posts that arrive, newest last. */
export class OnCall {
  readonly pages: Page[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<OnCall> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        onCall.pages.push(JSON.parse(Buffer.concat(chunks).toString()) as Page);
        response.end();
      });
    });
    const onCall = new OnCall(server);
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return onCall;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/page`;
  }

  /** Alerts of severity page that were told, as `status alertname`, in their order. */
  paged(): readonly string[] {
    return this.pages
      .filter(({ receiver }) => receiver === 'on-call')
      .flatMap(({ alerts }) => alerts.map(({ status, labels }) => `${status} ${labels['alertname']}`));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}

export class Alertmanager {
  readonly url: string;
  readonly #directory: string;
  readonly #configFile: string;
  #process: ChildProcess | null = null;

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.#configFile = join(directory, 'alertmanager.yml');
    this.url = `http://127.0.0.1:${port}`;
  }

  /** The configuration is the one of docs/alerts.md, with short times. */
  static async start(onCall: OnCall, config: string): Promise<Alertmanager> {
    const directory = await mkdtemp(join(tmpdir(), 'meshward-alertmanager-'));
    const manager = new Alertmanager(directory, await freePort());
    await writeFile(manager.#configFile, config.replaceAll('ON_CALL_URL', onCall.url));
    await manager.resume();
    return manager;
  }

  /** Starts it again at the same place; what it knew of silences and notifications is there. */
  async resume(): Promise<void> {
    const started = spawn(
      prometheusProgram('prometheus-alertmanager'),
      [
        `--config.file=${this.#configFile}`,
        `--storage.path=${join(this.#directory, 'data')}`,
        `--web.listen-address=${new URL(this.url).host}`,
        '--cluster.listen-address=',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    this.#process = started;
    let said = '';
    started.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4000);
    });
    for (;;) {
      if (started.exitCode !== null) throw new Error(`Alertmanager does not start: ${said}`);
      const isReady = await fetch(`${this.url}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isReady) return;
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
    }
  }

  /** Ends it as an operator would, so that it keeps what it has told. */
  async stop(): Promise<void> {
    const running = this.#process;
    this.#process = null;
    if (running === null || running.exitCode !== null) return;
    const ended = new Promise((resolve) => {
      running.once('exit', resolve);
    });
    running.kill('SIGTERM');
    await ended;
  }

  /** Names of alerts that it holds as active. */
  async active(): Promise<readonly PagedAlert[]> {
    const response = await fetch(`${this.url}/api/v2/alerts?active=true`);
    return (await response.json()) as PagedAlert[];
  }

  async close(): Promise<void> {
    await this.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
