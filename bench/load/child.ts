/** A process of a measurement that answers questions: what is measured and what loads it never share a process. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { describeError } from '#mesh/errors.ts';

export interface Child {
  readonly pid: number;
  ask<T>(question: string, content?: unknown): Promise<T>;
  /** Processor seconds that it has used so far. */
  cpuSeconds(): Promise<number>;
  /** Without asking it: as kill -9 does. */
  kill(): void;
  end(): Promise<void>;
}

interface Question {
  readonly id: number;
  readonly question: string;
  readonly content: unknown;
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** @param nodeArguments of Node itself, such as `--cpu-prof`. */
export function startChild(
  url: URL,
  nodeArguments: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Child {
  const child: ChildProcess = fork(url, [], {
    execArgv: [...profiling(), ...nodeArguments],
    env: { ...process.env, ...environment },
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let lastId = 0;
  const exited = once(child, 'exit');
  child.on('message', ({ id, value, error }: Answer) => {
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) asked?.resolve(value);
    else asked?.reject(new Error(error));
  });
  child.once('exit', (code, signal) => {
    for (const asked of waiting.values()) asked.reject(new Error(`a process of the bench ended (${signal ?? code})`));
    waiting.clear();
  });
  const ask = <T>(question: string, content: unknown = null): Promise<T> => {
    const id = ++lastId;
    const asked = Promise.withResolvers<unknown>();
    waiting.set(id, asked);
    child.send({ id, question, content } satisfies Question);
    return asked.promise as Promise<T>;
  };
  return {
    pid: child.pid ?? 0,
    ask,
    cpuSeconds: () => ask<number>('cpu'),
    kill: () => child.kill('SIGKILL'),
    async end() {
      if (child.exitCode === null && child.connected) await ask('end').catch(() => undefined);
      await exited;
    },
  };
}

/** `MESHWARD_BENCH_PROFILE=DIR` has every process of a bench write a CPU profile there. */
function profiling(): string[] {
  const directory = process.env['MESHWARD_BENCH_PROFILE'];
  return directory === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${directory}`, '--cpu-prof-interval=500'];
}

export type Answers = Readonly<Record<string, (content: never) => unknown>>;

/** The child's side. `end` is asked last, and the process ends after it. */
export function answerParent(answers: Answers): void {
  const answer = async ({ id, question, content }: Question): Promise<void> => {
    try {
      const value = question === 'cpu' ? ownCpuSeconds() : await answers[question]?.(content as never);
      process.send?.({ id, value } satisfies Answer);
    } catch (error) {
      process.send?.({ id, error: describeError(error) } satisfies Answer);
    }
    if (question === 'end') process.disconnect();
  };
  process.on('message', (question: Question) => void answer(question));
  process.once('disconnect', () => process.exit(0)); // the bench was ended
}

export function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
