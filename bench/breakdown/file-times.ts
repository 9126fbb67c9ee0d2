/**
 * Writes down what is under way for each file while this process repairs it. What belongs to which file is told by the storage index,
 * and where there is none by the asynchronous context in which the file's work runs.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { jobChannel } from '#native/codec-request.ts';
import type { Budget } from '#peers/budget.ts';
import type { Reservation } from '#repairer/repair/upload-buffers.ts';
import { UploadBuffers } from '#repairer/repair/upload-buffers.ts';
import type { FileTimes, Wait, WaitSpan } from './waits.ts';

interface Followed {
  readonly waits: WaitSpan[];
  readonly isReadingBack: () => boolean;
}

/** What a request is for, by what is asked. */
export type RequestKind = 'ask' | 'read' | 'write';

export class FileTimesRecorder {
  readonly #context = new AsyncLocalStorage<Followed>();
  readonly #byIndex = new Map<StorageIndex, Followed>();
  #times: FileTimes[] = [];

  /** @param isReadingBack whether what is read from now on is what has been written. */
  async follow<T>(index: StorageIndex, isReadingBack: () => boolean, work: () => Promise<T>): Promise<T> {
    const followed: Followed = { waits: [], isReadingBack };
    this.#byIndex.set(index, followed);
    const fromUs = nowUs();
    try {
      return await this.#context.run(followed, work);
    } finally {
      this.#byIndex.delete(index);
      this.#times.push({ fromUs, toUs: nowUs(), waits: followed.waits });
    }
  }

  /** Of the files since the last time. */
  take(): FileTimes[] {
    const times = this.#times;
    this.#times = [];
    return times;
  }

  /** A request that is asked for now. */
  request(index: StorageIndex, kind: RequestKind): { started(): void; ended(): void } | undefined {
    const followed = this.#byIndex.get(index);
    if (followed === undefined) return undefined;
    const { turn, peers } = requestWaits[kind === 'read' && followed.isReadingBack() ? 'read back' : kind];
    let endWait = beginWait(followed, turn);
    let isStarted = false;
    return {
      started() {
        // The second attempt of one that broke is the peer's as well.
        if (isStarted) return;
        isStarted = true;
        endWait();
        endWait = beginWait(followed, peers);
      },
      ended: () => endWait(),
    };
  }

  /** What is waited for in the context of a file. */
  async during<T>(wait: Wait, work: () => Promise<T>): Promise<T> {
    const followed = this.#context.getStore();
    if (followed === undefined) return work();
    const end = beginWait(followed, wait);
    try {
      return await work();
    } finally {
      end();
    }
  }

  around(budget: Budget): Budget {
    return {
      spend: (request) => this.during('budget', () => budget.spend(request)),
      setRates: (rates) => budget.setRates(rates),
      get rates() {
        return budget.rates;
      },
      used: () => budget.used(),
    };
  }

  buffers(limitBytes: number): UploadBuffers {
    return new WatchedBuffers(limitBytes, this);
  }

  /** @returns what stops it. */
  followJobs(): () => void {
    const ends = new WeakMap<object, () => void>();
    const listeners = {
      start: (job: object) => {
        const followed = this.#context.getStore();
        if (followed !== undefined) ends.set(job, beginWait(followed, 'threads'));
      },
      asyncStart: (job: object) => ends.get(job)?.(),
      end: () => undefined,
      asyncEnd: () => undefined,
      error: () => undefined,
    };
    jobChannel.subscribe(listeners);
    return () => jobChannel.unsubscribe(listeners);
  }
}

class WatchedBuffers extends UploadBuffers {
  readonly #recorder: FileTimesRecorder;

  constructor(limitBytes: number, recorder: FileTimesRecorder) {
    super(limitBytes);
    this.#recorder = recorder;
  }

  override reserve(bytes: number, how: Reservation): Promise<void> {
    return this.#recorder.during('memory', () => super.reserve(bytes, how));
  }
}

const requestWaits: Readonly<Record<RequestKind | 'read back', { readonly turn: Wait; readonly peers: Wait }>> = {
  ask: { turn: 'turn to ask', peers: 'peers asked' },
  read: { turn: 'turn to read', peers: 'peers read from' },
  write: { turn: 'turn to write', peers: 'peers written to' },
  'read back': { turn: 'turn to read back', peers: 'peers read back from' },
};

function beginWait({ waits }: Followed, wait: Wait): () => void {
  const fromUs = nowUs();
  return () => waits.push({ wait, fromUs, toUs: nowUs() });
}

/** Of the clock that CPU profiles have as well. */
function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}
