/** Repairers as processes: killed, frozen and woken at will, and started again where they end by themselves, as a supervisor does. */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface RepairersOptions {
  readonly start: () => ChildProcess;
  readonly bytesPerSecond: number;
}

interface Life {
  readonly child: ChildProcess;
  readonly bornMs: number;
}

export class Repairers {
  readonly #options: RepairersOptions;
  readonly #lives = new Set<Life>();
  #mostMemoryBytes = 0;
  /** Seconds that repairers lived, each with the second's worth of bytes that a budget lets pass at once. */
  #seconds = 0;
  #isOver = false;
  /** Ends that nobody asked for. */
  ends = 0;

  constructor(options: RepairersOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#lives.size;
  }

  /** Most that any of them has held. */
  get mostMemoryBytes(): number {
    for (const { child } of this.#lives) this.#noteMemory(child);
    return this.#mostMemoryBytes;
  }

  /** What all of them together may have moved. */
  get allowedBytes(): number {
    const living = [...this.#lives].reduce((sum, { bornMs }) => sum + secondsSince(bornMs), 0);
    return (this.#seconds + living) * this.#options.bytesPerSecond;
  }

  start(): void {
    const life = { child: this.#options.start(), bornMs: performance.now() };
    this.#lives.add(life);
    life.child.once('exit', () => {
      if (!this.#lives.has(life)) return;
      this.#end(life);
      if (this.#isOver) return;
      this.ends++;
      setTimeout(() => {
        if (!this.#isOver) this.start();
      }, 300);
    });
  }

  /** Kills the one that has lived longest, at once. */
  killOldest(): void {
    const [life] = this.#lives;
    if (life === undefined) return;
    this.#noteMemory(life.child);
    this.#end(life);
    life.child.kill('SIGCONT');
    life.child.kill('SIGKILL');
  }

  /** The one that has lived longest stands still until it is woken. */
  freezeOldest(): () => void {
    const [life] = this.#lives;
    life?.child.kill('SIGSTOP');
    return () => void life?.child.kill('SIGCONT');
  }

  end(): void {
    this.#isOver = true;
    for (const life of this.#lives) {
      this.#noteMemory(life.child);
      this.#end(life);
      life.child.kill('SIGKILL');
    }
  }

  #end(life: Life): void {
    this.#lives.delete(life);
    this.#seconds += secondsSince(life.bornMs);
  }

  #noteMemory({ pid }: ChildProcess): void {
    try {
      const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
      this.#mostMemoryBytes = Math.max(this.#mostMemoryBytes, Number(kilobytes ?? 0) * 1024);
    } catch {
      // It has just ended.
    }
  }
}

function secondsSince(bornMs: number): number {
  return (performance.now() - bornMs) / 1000 + 1;
}
