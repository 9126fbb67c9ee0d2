/** Processor time of this process by threads, as far as the system tells. */
import { readdirSync, readFileSync } from 'node:fs';

export const threadKinds = ['event loop', 'addon', 'libuv', 'v8', 'others'] as const;
export type ThreadKind = (typeof threadKinds)[number];

export interface ThreadTime {
  readonly cpuSeconds: number;
  /** It could have run, and no processor was free. 0 where the system does not tell. */
  readonly readySeconds: number;
}

export type ThreadTimes = Readonly<Record<ThreadKind, ThreadTime>>;

export interface TaskFacts {
  readonly id: number;
  readonly name: string;
  /** As /proc/PID/task/TID/schedstat has it: ns on a processor, ns ready without one, turns. */
  readonly schedstat: string;
}

/** Threads that have ended are in none of them. */
export function threadTimes(): ThreadTimes {
  if (process.platform === 'linux') return timesOf(tasks(), process.pid);
  const loop = seconds(process.threadCpuUsage());
  const rest = seconds(process.cpuUsage()) - loop;
  const none = { cpuSeconds: 0, readySeconds: 0 };
  return {
    'event loop': { cpuSeconds: loop, readySeconds: 0 },
    addon: none,
    libuv: none,
    v8: none,
    others: { cpuSeconds: rest, readySeconds: 0 },
  };
}

/** @param mainId of the thread of the event loop: the addon's own threads have its name. */
export function timesOf(facts: readonly TaskFacts[], mainId: number): ThreadTimes {
  const main = facts.find(({ id }) => id === mainId);
  const kindOf = ({ id, name }: TaskFacts): ThreadKind => {
    if (id === mainId) return 'event loop';
    if (name === main?.name) return 'addon';
    if (name.startsWith('libuv-worker')) return 'libuv';
    return /^(V8Worker|DelayedTask)/.test(name) ? 'v8' : 'others';
  };
  const times = Object.fromEntries(threadKinds.map((kind) => [kind, { cpuSeconds: 0, readySeconds: 0 }])) as Record<
    ThreadKind,
    { cpuSeconds: number; readySeconds: number }
  >;
  for (const each of facts) {
    const [cpuNs = 0, readyNs = 0] = each.schedstat.trim().split(' ').map(Number);
    const time = times[kindOf(each)];
    time.cpuSeconds += cpuNs / 1e9;
    time.readySeconds += readyNs / 1e9;
  }
  return times;
}

export function timesSince(before: ThreadTimes, now: ThreadTimes): ThreadTimes {
  return Object.fromEntries(
    threadKinds.map((kind) => [
      kind,
      {
        cpuSeconds: now[kind].cpuSeconds - before[kind].cpuSeconds,
        readySeconds: now[kind].readySeconds - before[kind].readySeconds,
      },
    ]),
  ) as unknown as ThreadTimes;
}

function tasks(): TaskFacts[] {
  return readdirSync('/proc/self/task').flatMap((id) => {
    try {
      const read = (file: string): string => readFileSync(`/proc/self/task/${id}/${file}`, 'utf8').trim();
      return [{ id: Number(id), name: read('comm'), schedstat: read('schedstat') }];
    } catch {
      return []; // it has just ended
    }
  });
}

function seconds({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1e6;
}
