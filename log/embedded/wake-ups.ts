/** How far each partition reaches, as far as this process has heard, and who waits for more. */
import type { PartitionBounds } from '../port.ts';

export class WakeUps {
  readonly #partitions = new Map<string, { nextOffset: number; waiting: Set<() => void> }>();

  /** Tells that the partition reaches to `nextOffset`; older news changes nothing. */
  advance(topic: string, partition: number, nextOffset: number): void {
    const state = this.#state(topic, partition);
    if (nextOffset <= state.nextOffset) return;
    state.nextOffset = nextOffset;
    for (const wake of state.waiting) wake();
  }

  advanceAll(topic: string, bounds: readonly PartitionBounds[]): void {
    for (const { partition, nextOffset } of bounds) this.advance(topic, partition, nextOffset);
  }

  reaches(topic: string, partition: number): number {
    return this.#state(topic, partition).nextOffset;
  }

  /** Resolves once there may be a record at `position`, or the signal is aborted. */
  async beyond(topic: string, partition: number, position: number, signal: AbortSignal): Promise<void> {
    const state = this.#state(topic, partition);
    if (state.nextOffset > position || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        if (state.nextOffset <= position && !signal.aborted) return;
        state.waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      state.waiting.add(done);
      signal.addEventListener('abort', done);
    });
  }

  #state(topic: string, partition: number): { nextOffset: number; waiting: Set<() => void> } {
    const key = `${topic}/${partition}`;
    let state = this.#partitions.get(key);
    if (state === undefined) {
      state = { nextOffset: 0, waiting: new Set() };
      this.#partitions.set(key, state);
    }
    return state;
  }
}
