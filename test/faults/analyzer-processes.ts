/** Analyzers as processes of their own, as operators run them: started, stopped, killed and frozen by number. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ReadyMessage } from '#cli/child.ts';

/** Most of what an analyzer said that is kept for a report. */
const keptOutputChars = 20_000;
const stopPatienceMs = 30_000;

export interface AnalyzerProcess {
  readonly number: number;
  /** Base of its HTTP API; null until it is ready for the first time. */
  readonly url: string | null;
  readonly isRunning: boolean;
}

interface Managed {
  readonly number: number;
  url: string | null;
  child: ChildProcess | null;
  output: string;
}

export class AnalyzerProcesses implements AsyncDisposable {
  readonly #mainFile: string;
  readonly #globalArguments: readonly string[];
  readonly #all = new Map<number, Managed>();

  /**
   * @param sourceFolder whose analyzers they are.
   * @param globalArguments what every `meshward analyzer` is told: the data directory and settings.
   */
  constructor(sourceFolder: string, globalArguments: readonly string[]) {
    this.#mainFile = join(sourceFolder, 'cli/main.ts');
    this.#globalArguments = globalArguments;
  }

  get running(): readonly AnalyzerProcess[] {
    return [...this.#all.values()].filter(({ child }) => child !== null).map(viewOf);
  }

  /** Starts a process; resolves when it is forked, and not when it is ready: under a fault that may take long. */
  start(number: number): void {
    const managed: Managed = this.#all.get(number) ?? { number, url: null, child: null, output: '' };
    this.#all.set(number, managed);
    if (managed.child !== null) return;
    const child = fork(this.#mainFile, ['analyzer', ...this.#globalArguments], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    managed.child = child;
    managed.url = null;
    const keep = (text: string): void => {
      managed.output = (managed.output + text).slice(-keptOutputChars);
    };
    child.stdout?.setEncoding('utf8').on('data', keep);
    child.stderr?.setEncoding('utf8').on('data', keep);
    child.on('message', (message: ReadyMessage) => {
      if (message.kind === 'ready') managed.url = String(message.facts['url']);
    });
    child.once('exit', () => {
      if (managed.child === child) managed.child = null;
    });
  }

  async stop(number: number): Promise<void> {
    await this.#end(number, 'SIGTERM');
  }

  async kill(number: number): Promise<void> {
    await this.#end(number, 'SIGKILL');
  }

  freeze(number: number): void {
    this.#all.get(number)?.child?.kill('SIGSTOP');
  }

  thaw(number: number): void {
    this.#all.get(number)?.child?.kill('SIGCONT');
  }

  /** What each analyzer said last, for the report of a failure. */
  output(): string {
    return [...this.#all.values()].map(({ number, output }) => `--- analyzer ${number}\n${output}`).join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const number of this.#all.keys()) this.thaw(number);
    await Promise.all([...this.#all.keys()].map((number) => this.stop(number)));
  }

  async #end(number: number, signal: NodeJS.Signals): Promise<void> {
    const child = this.#all.get(number)?.child ?? null;
    if (child === null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    const giveUp = setTimeout(() => child.kill('SIGKILL'), stopPatienceMs);
    await ended;
    clearTimeout(giveUp);
  }
}

function viewOf({ number, url, child }: Managed): AnalyzerProcess {
  return { number, url, isRunning: child !== null };
}
