/** Services and agents of a release as processes of their own, each of which another release can take the place of. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { FailedMessage, ReadyFacts, ReadyMessage } from '#cli/child.ts';
import { type PeerPorts, reserveBlock } from '#cli/ports.ts';

/** The folder of today's sources, as that of a release. */
export const today = fileURLToPath(new URL('../..', import.meta.url));

const keptOutputChars = 8000;
const stopPatienceMs = 40_000;

/** Below those that systems take for outgoing connections: a service comes back to its own. */
const firstPort = 10_000;
const lastPort = 11_990;
const portCount = 8;

/** Eight for the services of one mesh. */
export function reservePorts(): Promise<PeerPorts> {
  return reserveBlock(firstPort, lastPort, portCount);
}

export interface Placed {
  readonly name: string;
  /** Behind `meshward`. */
  readonly words: readonly string[];
}

export class PlacedProcess implements AsyncDisposable {
  readonly name: string;
  readonly #placed: Placed;
  #child: ChildProcess | null = null;
  #ended: Promise<number | null> = Promise.resolve(null);
  #output = '';

  constructor(placed: Placed) {
    this.name = placed.name;
    this.#placed = placed;
  }

  get output(): string {
    return this.#output;
  }

  /** @param release the folder of its sources. @returns what it says when it is ready. */
  async start(release: string, environment: Readonly<Record<string, string>> = {}): Promise<ReadyFacts> {
    const child = fork(join(release, 'cli/main.ts'), this.#placed.words, {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, ...environment },
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-keptOutputChars);
      });
    this.#ended = new Promise((resolve) => child.once('close', resolve));
    const ready = new Promise<ReadyFacts>((resolve) => {
      child.on('message', (message: ReadyMessage | FailedMessage) => {
        if (message.kind === 'ready') resolve(message.facts);
      });
    });
    const ended = this.#ended.then((code) => {
      throw new Error(`${this.name} ended with ${code}:\n${this.#output}`);
    });
    return Promise.race([ready, ended]);
  }

  /** Its exit code; null where it had to be killed. */
  async stop(): Promise<number | null> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return this.#ended;
    child.kill('SIGTERM');
    const callOff = setTimeout(() => child.kill('SIGKILL'), stopPatienceMs);
    const code = await this.#ended;
    clearTimeout(callOff);
    return code;
  }

  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

export interface Ran {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One command of a release, to its end. */
export async function ran(release: string, ...words: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, [join(release, 'cli/main.ts'), ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { exitCode: await ended, stdout, stderr };
}

/** @returns what it printed. @throws Error with what it said where it failed. */
export async function done(release: string, ...words: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await ran(release, ...words);
  if (exitCode !== 0) throw new Error(`${words.join(' ')} ended with ${exitCode}:\n${stderr}`);
  return stdout;
}
