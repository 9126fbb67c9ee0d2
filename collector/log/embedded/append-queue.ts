/**
 * Appends to one topic on their way to the disk. What arrives while a transaction runs goes into the next one (group
 * commit), so a slow disk makes transactions larger, not appends slower by their number.
 */
import type { Clock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { AppendRecord, Position } from '../port.ts';
import { type PackedRecords, packRecords } from './packing.ts';
import { closedError } from './store-client.ts';

export interface PendingLimits {
  /** Bytes of all topics that may wait for the disk. A larger single append passes when nothing else waits. */
  readonly maxPendingBytes: number;
  /** Appends that may wait for room in `maxPendingBytes`. */
  readonly maxWaitingAppends: number;
  /** How long one waits for room before `log-unavailable`. */
  readonly maxAppendWaitMs: number;
}

interface Applicant {
  readonly sizeBytes: number;
  readonly admit: () => void;
  readonly refuse: (error: Error) => void;
}

/** The room for pending bytes that all topics of one log share, given in the order of asking. */
export class PendingRoom {
  readonly #limits: PendingLimits;
  readonly #clock: Clock;
  readonly #applicants: Applicant[] = [];
  pendingBytes = 0;

  constructor(limits: PendingLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get waitingAppends(): number {
    return this.#applicants.length;
  }

  /** Calls `admit` in the order of asking, at once where there is room, or `refuse` where there is none for too long. */
  enter(sizeBytes: number, admit: () => void, refuse: (error: Error) => void): void {
    if (this.#applicants.length === 0 && this.#fits(sizeBytes)) {
      this.pendingBytes += sizeBytes;
      admit();
      return;
    }
    if (this.#applicants.length >= this.#limits.maxWaitingAppends) {
      refuse(this.#noRoom());
      return;
    }
    const applicant: Applicant = {
      sizeBytes,
      admit: () => {
        callOff();
        this.pendingBytes += sizeBytes;
        admit();
      },
      refuse: (error) => {
        callOff();
        refuse(error);
      },
    };
    const callOff = this.#clock.after(this.#limits.maxAppendWaitMs, () => {
      this.#applicants.splice(this.#applicants.indexOf(applicant), 1);
      refuse(this.#noRoom());
    });
    this.#applicants.push(applicant);
  }

  exit(sizeBytes: number): void {
    this.pendingBytes -= sizeBytes;
    for (
      let first = this.#applicants[0];
      first !== undefined && this.#fits(first.sizeBytes);
      first = this.#applicants[0]
    ) {
      this.#applicants.shift();
      first.admit();
    }
  }

  close(): void {
    for (const applicant of this.#applicants.splice(0)) applicant.refuse(closedError());
  }

  #fits(sizeBytes: number): boolean {
    return this.pendingBytes === 0 || this.pendingBytes + sizeBytes <= this.#limits.maxPendingBytes;
  }

  #noRoom(): MeshwardError {
    return new MeshwardError(
      'log-unavailable',
      `${this.pendingBytes} bytes wait for the log's disk: no room for more`,
      {
        next: 'Send again later; where this lasts, the disk under the log is too slow for what arrives, or another process holds its files.',
        retryable: true,
      },
    );
  }
}

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
