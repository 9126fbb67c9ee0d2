/** The room for what was appended and is not durable yet. */
import type { Clock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { closedError } from './errors.ts';

export interface PendingLimits {
  /** Bytes of all topics that may wait to be durable. A larger single append passes when nothing else waits. */
  readonly maxPendingBytes: number;
  /** Appends that may wait for room in `maxPendingBytes`. */
  readonly maxWaitingAppends: number;
  /** How long one waits for room before `log-unavailable`. */
  readonly maxAppendWaitMs: number;
}

/** What is said where there is no room. */
export interface FullRoomWords {
  readonly waitsFor: string;
  readonly next: string;
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
  readonly #full: FullRoomWords;
  readonly #applicants: Applicant[] = [];
  pendingBytes = 0;

  constructor(limits: PendingLimits, clock: Clock, full: FullRoomWords) {
    this.#limits = limits;
    this.#clock = clock;
    this.#full = full;
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
    const { waitsFor, next } = this.#full;
    return new MeshwardError('log-unavailable', `${this.pendingBytes} bytes wait for ${waitsFor}: no room for more`, {
      next,
      retryable: true,
    });
  }
}
