/**
 * Appends to one topic on their way to the disk. What arrives while a transaction runs goes into the next one (group
 * commit), so a slow disk makes transactions larger, not appends slower by their number.
 */
import type { AppendRecord, Position } from '../port.ts';
import type { PendingRoom } from '../shared/pending-room.ts';
import { type PackedRecords, packRecords } from './packing.ts';

interface Queued {
  readonly packed: PackedRecords;
  readonly sizeBytes: number;
  readonly resolve: (positions: readonly Position[]) => void;
  readonly reject: (error: unknown) => void;
}

/** A transaction takes no more than this, or one append: it bounds how long other processes wait for their turn. */
const transactionBytes = 8 * 1024 * 1024;

export class AppendQueue {
  readonly #room: PendingRoom;
  readonly #commit: (batches: readonly PackedRecords[]) => Promise<Position[][]>;
  #queued: Queued[] = [];
  #running: Promise<void> | null = null;

  constructor(room: PendingRoom, commit: (batches: readonly PackedRecords[]) => Promise<Position[][]>) {
    this.#room = room;
    this.#commit = commit;
  }

  append(records: readonly AppendRecord[], sizeBytes: number): Promise<readonly Position[]> {
    return new Promise((resolve, reject) => {
      const admit = (): void => {
        this.#queued.push({ packed: packRecords(records), sizeBytes, resolve, reject });
        this.#running ??= this.#run();
      };
      this.#room.enter(sizeBytes, admit, reject);
    });
  }

  /** Resolves once everything that was queued is settled. */
  async drained(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  async #run(): Promise<void> {
    // What the caller appends in the same turn belongs to the first transaction too.
    await Promise.resolve();
    while (this.#queued.length > 0) {
      const batch = this.#takeBatch();
      try {
        const positions = await this.#commit(batch.map((queued) => queued.packed));
        for (const [index, queued] of batch.entries()) queued.resolve(positions[index] ?? []);
      } catch (error) {
        for (const queued of batch) queued.reject(error);
      } finally {
        for (const queued of batch) this.#room.exit(queued.sizeBytes);
      }
    }
    this.#running = null;
  }

  #takeBatch(): Queued[] {
    let bytes = 0;
    let count = 0;
    for (const queued of this.#queued) {
      if (count > 0 && bytes + queued.sizeBytes > transactionBytes) break;
      bytes += queued.sizeBytes;
      count++;
    }
    return this.#queued.splice(0, count);
  }
}
