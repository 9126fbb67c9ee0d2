/** Processor time of processes that do not tell it themselves, as the kernel counts it. */
import { readFileSync } from 'node:fs';

/** Linux counts in hundredths of a second on every platform that Node runs on. */
const ticksPerSecond = 100;

export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name, in parentheses, may hold anything; what follows are numbers, of which user and system time are the 12th and 13th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Of several processes by name, since a moment. */
export class ProcessorTime {
  readonly #pids: Readonly<Record<string, number>>;
  readonly #before: Readonly<Record<string, number>>;

  constructor(pids: Readonly<Record<string, number>>) {
    this.#pids = pids;
    this.#before = read(pids);
  }

  seconds(): Readonly<Record<string, number>> {
    const now = read(this.#pids);
    return Object.fromEntries(
      Object.entries(now).map(([name, seconds]) => [name, seconds - (this.#before[name] as number)]),
    );
  }
}

function read(pids: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuSecondsOf(pid)]));
}
