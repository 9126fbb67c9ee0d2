/**
 * What is appended to one partition on its way to the broker. One batch is out at a time; until its outcome is known, nothing
 * follows it, and what is sent again is the identical batch under the identical sequence. So the broker takes it once,
 * in order, however often it is sent, and whichever broker leads by then. Holds no connection and no timer.
 */
import { MeshwardError } from '#mesh/errors.ts';
import type { AppendRecord } from '../port.ts';
import { BrokerFault, code, isPassing, toLogError } from './faults.ts';
import { recordBytes } from './record-batch.ts';

/** An append's records of one partition, in its order. */
export interface LanePart {
  readonly records: readonly AppendRecord[];
  readonly giveUpAtMs: number;
  /** Where another part of the same append has failed, the rest is not sent any more. */
  readonly isAbandoned: () => boolean;
  /** The first `count` records from `from` on were written, at `offset` and after. */
  readonly written: (from: number, count: number, offset: number) => void;
  readonly failed: (error: MeshwardError) => void;
}

export interface LaneBatch {
  readonly slices: readonly Slice[];
  readonly records: readonly AppendRecord[];
  readonly sizeBytes: number;
  readonly giveUpAtMs: number;
  readonly identity: LaneIdentity;
  readonly firstSequence: number;
  readonly formedAtMs: number;
  /** It was sent, and no answer said that it was not written. */
  mayBeWritten: boolean;
  tries: number;
  /** Kept from the first time it is sent, so that it is the same each time. */
  encoded: Buffer | null;
}

export interface LaneIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

interface Slice {
  readonly part: LanePart;
  readonly from: number;
  readonly count: number;
}

interface Waiting {
  readonly part: LanePart;
  next: number;
}

/** Sequences are of 31 bits and begin again at 0. */
const sequences = 2 ** 31;
/** The broker knows the sequence under another name, or no longer: see `answered`. */
const identityErrors: ReadonlySet<number> = new Set([
  code.outOfOrderSequence,
  code.invalidProducerEpoch,
  code.invalidProducerIdMapping,
  code.unknownProducerId,
  code.producerFenced,
]);

export class Lane {
  readonly topic: string;
  readonly partition: number;
  readonly #waiting: Waiting[] = [];
  #maxBatchBytes: number;
  #batch: LaneBatch | null = null;
  #isOut = false;
  #identity: LaneIdentity | null = null;
  #refused: LaneIdentity | null = null;
  #nextSequence = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(topic: string, partition: number, maxBatchBytes: number) {
    this.topic = topic;
    this.partition = partition;
    this.#maxBatchBytes = maxBatchBytes;
  }

  get isEmpty(): boolean {
    return this.#batch === null && this.#waiting.length === 0;
  }

  get isOut(): boolean {
    return this.#isOut;
  }

  get notBeforeMs(): number {
    return this.#notBeforeMs;
  }

  /** When something here has waited for too long; Infinity where nothing waits that is not out. */
  get giveUpAtMs(): number {
    if (this.#isOut) return Number.POSITIVE_INFINITY;
    return this.#batch?.giveUpAtMs ?? this.#waiting[0]?.part.giveUpAtMs ?? Number.POSITIVE_INFINITY;
  }

  add(part: LanePart): void {
    this.#waiting.push({ part, next: 0 });
  }

  /** Whether there is something to send that waits for a producer id; `refused` may not be used again here. */
  get wantsIdentity(): { readonly refused: LaneIdentity | null } | null {
    return this.#identity === null && !this.isEmpty && !this.#isOut ? { refused: this.#refused } : null;
  }

  identify(identity: LaneIdentity): void {
    this.#identity = identity;
    this.#nextSequence = 0;
    if (this.#batch !== null) this.#batch = this.#renamed(this.#batch, identity);
  }

  /** The batch to send now; it is out until `answered` or `unanswered`. */
  take(nowMs: number): LaneBatch | null {
    if (this.#isOut || this.#identity === null || nowMs < this.#notBeforeMs) return null;
    this.#batch ??= this.#form(this.#identity, nowMs);
    if (this.#batch === null) return null;
    this.#isOut = true;
    this.#batch.tries++;
    return this.#batch;
  }

  /** Of the batch that is out: whether it is done with, and if not, how often it was tried. */
  answered(errorCode: number, baseOffset: number, retryAtMs: (tries: number) => number): 'done' | 'again' | 'renamed' {
    const batch = this.#out();
    if (errorCode === code.none || errorCode === code.duplicateSequence) {
      this.#nextSequence = (batch.firstSequence + batch.records.length) % sequences;
      this.#batch = null;
      if (errorCode === code.duplicateSequence || baseOffset < 0) this.#fail(batch, this.#unknownPlace());
      else this.#succeed(batch, baseOffset);
      return 'done';
    }
    if (identityErrors.has(errorCode)) {
      // Nothing of ours is out but this batch: either an earlier try of it was written and then forgotten by the broker
      // with its producer, or the broker lost what came before. Under a new id it is taken, at worst twice.
      this.#loseIdentity();
      this.#notBeforeMs = retryAtMs(batch.tries);
      return 'renamed';
    }
    if (errorCode === code.messageTooLarge || errorCode === code.recordListTooLarge) {
      this.#tooLarge(batch, errorCode);
      return 'done';
    }
    if (isPassing(errorCode)) {
      batch.mayBeWritten = true;
      this.#notBeforeMs = retryAtMs(batch.tries);
      return 'again';
    }
    this.#drop(batch, toLogError(new BrokerFault(errorCode, this.#where), 'append'));
    return 'done';
  }

  /** No answer came for the batch that is out. `wasSent` false: it cannot have been written. */
  unanswered(wasSent: boolean, retryAtMs: (tries: number) => number): void {
    const batch = this.#out();
    batch.mayBeWritten ||= wasSent;
    this.#notBeforeMs = retryAtMs(batch.tries);
  }

  /** Fails what has waited for too long. */
  expire(nowMs: number, why: string): void {
    if (this.#isOut) return;
    if (this.#batch !== null && this.#batch.giveUpAtMs <= nowMs) this.#drop(this.#batch, this.#expired(why));
    if (this.#batch !== null) return;
    while ((this.#waiting[0]?.part.giveUpAtMs ?? Number.POSITIVE_INFINITY) <= nowMs)
      this.#waiting.shift()?.part.failed(this.#expired(why));
  }

  /** Fails everything, also what is out; an answer that still comes is not to be told. */
  end(error: MeshwardError): void {
    this.#isOut = false;
    if (this.#batch !== null) this.#drop(this.#batch, error);
    for (const { part } of this.#waiting.splice(0)) part.failed(error);
  }

  get #where(): string {
    return `${this.topic}/${this.partition}`;
  }

  #out(): LaneBatch {
    if (this.#batch === null || !this.#isOut) throw new Error(`nothing is out for ${this.#where}`);
    this.#isOut = false;
    return this.#batch;
  }

  #form(identity: LaneIdentity, nowMs: number): LaneBatch | null {
    const slices: Slice[] = [];
    const records: AppendRecord[] = [];
    let sizeBytes = 0;
    let giveUpAtMs = Number.POSITIVE_INFINITY;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const { part, next } = first;
      let at = next;
      if (part.isAbandoned()) at = part.records.length;
      else {
        for (; at < part.records.length; at++) {
          const record = part.records[at] as AppendRecord;
          const bytes = recordBytes(record);
          if (records.length > 0 && sizeBytes + bytes > this.#maxBatchBytes) break;
          records.push(record);
          sizeBytes += bytes;
        }
        if (at > next) {
          slices.push({ part, from: next, count: at - next });
          giveUpAtMs = Math.min(giveUpAtMs, part.giveUpAtMs);
        }
      }
      first.next = at;
      if (at < part.records.length) break;
      this.#waiting.shift();
    }
    if (records.length === 0) return null;
    const firstSequence = this.#nextSequence;
    return {
      slices,
      records,
      sizeBytes,
      giveUpAtMs,
      identity,
      firstSequence,
      formedAtMs: nowMs,
      mayBeWritten: false,
      tries: 0,
      encoded: null,
    };
  }

  #renamed(batch: LaneBatch, identity: LaneIdentity): LaneBatch {
    return { ...batch, identity, firstSequence: 0, encoded: null };
  }

  #loseIdentity(): void {
    this.#refused = this.#identity;
    this.#identity = null;
  }

  /** Its outcome stays unknown, or the broker will never take it: what follows must not wait for its sequence. */
  #drop(batch: LaneBatch, error: MeshwardError): void {
    this.#batch = null;
    if (batch.mayBeWritten) this.#loseIdentity();
    this.#fail(batch, error);
  }

  #tooLarge(batch: LaneBatch, errorCode: number): void {
    if (batch.records.length === 1) {
      this.#drop(batch, toLogError(new BrokerFault(errorCode, this.#where), 'append'));
      return;
    }
    this.#batch = null;
    if (batch.mayBeWritten) this.#loseIdentity();
    this.#maxBatchBytes = Math.max(1, Math.floor(batch.sizeBytes / 2));
    const first = this.#waiting[0];
    const last = batch.slices.at(-1);
    // The part that was begun stands first already.
    if (first !== undefined && first.part === last?.part) this.#waiting.shift();
    this.#waiting.unshift(...batch.slices.map(({ part, from }) => ({ part, next: from })));
  }

  #succeed(batch: LaneBatch, baseOffset: number): void {
    let offset = baseOffset;
    for (const { part, from, count } of batch.slices) {
      part.written(from, count, offset);
      offset += count;
    }
  }

  #fail(batch: LaneBatch, error: MeshwardError): void {
    for (const { part } of batch.slices) part.failed(error);
  }

  #expired(why: string): MeshwardError {
    return new MeshwardError('log-unavailable', `append to ${this.#where} was given up: ${why}`, {
      next: 'Bring the leader of the partition, or its replicas in sync, back; the same append may be made again.',
      retryable: true,
    });
  }

  #unknownPlace(): MeshwardError {
    return new MeshwardError('log-unavailable', `what was appended to ${this.#where} is there, but not known where`, {
      next: 'Nothing: the same append may be made again, and is written twice then.',
      retryable: true,
    });
  }
}
