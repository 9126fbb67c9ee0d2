/**
 * Partitions on their way: rebuilt one after the other beside everything else, since the group takes a member for dead that is busy for
 * minutes while it is to give something up. One that is taken away meanwhile is left where it is.
 */
import type { AssignedPartition } from '#log/port.ts';

/** @throws what rebuilding fails with for good, and the signal's reason. */
export type RebuildOne = (assigned: AssignedPartition, signal: AbortSignal) => Promise<void>;

interface Rebuild {
  readonly generation: number;
  readonly leave: AbortController;
  readonly ended: Promise<void>;
}

export class Rebuilds {
  readonly #underWay = new Map<number, Rebuild>();
  #turn: Promise<unknown> = Promise.resolve();

  /** How many partitions are being rebuilt, or wait for it. */
  get count(): number {
    return this.#underWay.size;
  }

  /** @param failed told when it fails for good. */
  begin(assigned: AssignedPartition, rebuild: RebuildOne, failed: (error: unknown) => void): void {
    const { partition, generation } = assigned;
    const leave = new AbortController();
    const run = async (): Promise<void> => {
      try {
        leave.signal.throwIfAborted();
        await Promise.race([rebuild(assigned, leave.signal), aborted(leave.signal)]);
      } catch (error) {
        if (!leave.signal.aborted) failed(error);
      } finally {
        this.#underWay.delete(partition);
      }
    };
    const ended = this.#turn.then(run);
    this.#turn = ended;
    this.#underWay.set(partition, { generation, leave, ended });
  }

  /** Resolves when the partition is not being rebuilt any more: it is there, was given up, or has failed. */
  async ended({ partition, generation }: AssignedPartition): Promise<void> {
    const rebuild = this.#underWay.get(partition);
    if (rebuild?.generation === generation) await rebuild.ended;
  }

  /** The partition is to go: its rebuilding ends soon. */
  leave({ partition, generation }: AssignedPartition): void {
    const rebuild = this.#underWay.get(partition);
    if (rebuild?.generation === generation) rebuild.leave.abort(new Error('the partition goes to another analyzer'));
  }
}

/** Rejects once it is aborted: a database that does not answer holds nothing up. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
