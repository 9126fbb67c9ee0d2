/** A demonstration mesh in a process tree of its own, as a user starts it, and the `meshward` command against it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunFile } from '#cli/run-file.ts';

const mainFile = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
/** Ports are free ones: several meshes and the developer's own run beside each other. */
const anyPorts = ['api.port=0', 'collector.port=0', 'collector.opsPort=0', 'repairer.port=0'].flatMap((setting) => [
  '--set',
  setting,
]);

export interface Ran {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class RunningDemo implements AsyncDisposable {
  readonly dataDir: string;
  readonly #child: ChildProcess;
  readonly ended: Promise<Ran>;
  #stdout = '';
  #stderr = '';

  private constructor(dataDir: string, child: ChildProcess) {
    this.dataDir = dataDir;
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.ended = new Promise((resolve) => {
      child.once('close', (exitCode) => resolve({ exitCode, stdout: this.#stdout, stderr: this.#stderr }));
    });
  }

  static async start(...words: readonly string[]): Promise<RunningDemo> {
    const dataDir = await mkdtemp(join(tmpdir(), 'meshward-e2e-'));
    const child = spawn(process.execPath, [mainFile, '--data-dir', dataDir, ...anyPorts, ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new RunningDemo(dataDir, child);
  }

  get output(): string {
    return this.#stdout + this.#stderr;
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Resolves when the output holds `words`. Rejects when the process ends before. */
  async says(words: string): Promise<void> {
    let over: Ran | null = null;
    void this.ended.then((ran) => (over = ran));
    while (!this.output.includes(words)) {
      if (over !== null)
        throw new Error(`the demonstration ended before it said "${words}":\n${this.output.slice(-4000)}`);
      await tick();
    }
  }

  run(): RunFile {
    return JSON.parse(readFileSync(join(this.dataDir, 'run.json'), 'utf8')) as RunFile;
  }

  /** Process ids of what the demonstration started, by what they are. */
  services(): ReadonlyMap<string, number> {
    const found = new Map<string, number>();
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      const process = describeProcess(Number(entry));
      if (process?.parent === this.pid) found.set(process.name, Number(entry));
    }
    return found;
  }

  /** Runs `meshward` against this mesh. */
  meshward(...words: readonly string[]): Promise<Ran> {
    const child = spawn(process.execPath, [mainFile, '--data-dir', this.dataDir, ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new RunningDemo(this.dataDir, child).ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGTERM');
    const callOff = setTimeout(() => this.#child.kill('SIGKILL'), 30_000);
    await this.ended;
    clearTimeout(callOff);
    await rm(this.dataDir, { recursive: true, force: true });
  }
}

export function tick(milliseconds = 100): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

function describeProcess(pid: number): { readonly name: string; readonly parent: number } | null {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const parent = Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[1]);
    return { name: nameOf(words), parent };
  } catch {
    return null;
  }
}

function nameOf(words: readonly string[]): string {
  if (words.some((word) => word.endsWith('peer-host.ts'))) return 'peer host';
  if (words[0]?.includes('clickhouse-launcher') === true) return 'clickhouse';
  return words.find((word) => ['collector', 'analyzer', 'repairer'].includes(word)) ?? (words[0] as string);
}
