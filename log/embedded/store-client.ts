/** Asks one thread of the store, and starts it again where it has ended by accident. */
import { Worker } from 'node:worker_threads';
import { MeshwardError } from '#mesh/errors.ts';
import { closedError } from '../shared/errors.ts';
import type {
  StoreConfig,
  StoreFailure,
  StoreMessage,
  StoreNotice,
  StoreOperation,
  StoreOperations,
} from './store-protocol.ts';

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class StoreClient {
  readonly #config: StoreConfig;
  readonly #onNotice: (notice: StoreNotice) => void;
  readonly #onRestart: () => void;
  readonly #startWorker: (config: StoreConfig) => Worker;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Promise<Worker> | null = null;
  #lastId = 0;
  #starts = 0;
  #closing: Promise<void> | null = null;

  /**
   * @param onRestart the thread is new and knows nothing of what it was asked to watch.
   * @param startWorker starts the thread; tests look at it here.
   */
  constructor(
    config: StoreConfig,
    onNotice: (notice: StoreNotice) => void,
    onRestart: () => void,
    startWorker = startStoreWorker,
  ) {
    this.#startWorker = startWorker;
    this.#config = config;
    this.#onNotice = onNotice;
    this.#onRestart = onRestart;
  }

  /** @throws MeshwardError why the files cannot be opened. */
  async open(): Promise<void> {
    await this.#started();
  }

  async call<K extends StoreOperation>(
    operation: K,
    values: Parameters<StoreOperations[K]>,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<ReturnType<StoreOperations[K]>> {
    if (this.#closing !== null) throw closedError();
    return (await this.#send(await this.#started(), operation, values, transfer)) as ReturnType<StoreOperations[K]>;
  }

  /** Closes the files after what was asked before is done. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#worker === null) return;
    const worker = await this.#worker.catch(() => null);
    if (worker === null) return;
    const exited = new Promise((resolve) => worker.once('exit', resolve));
    await this.#send(worker, 'close', [], []).catch(() => worker.terminate());
    await exited;
  }

  #send(
    worker: Worker,
    operation: StoreOperation,
    values: readonly unknown[],
    transfer: readonly ArrayBuffer[],
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ id, operation, values }, transfer);
    });
  }

  #started(): Promise<Worker> {
    this.#worker ??= this.#start();
    return this.#worker;
  }

  #start(): Promise<Worker> {
    const worker = this.#startWorker(this.#config);
    return new Promise((resolve, reject) => {
      let failure: Error = endedError();
      worker.on('message', (message: StoreMessage) => {
        switch (message.kind) {
          case 'opened':
            resolve(worker);
            if (++this.#starts > 1) this.#onRestart();
            break;
          case 'open-failed':
            failure = toError(message.failure);
            break;
          case 'answer':
            this.#settle(message.id)?.resolve(message.value);
            break;
          case 'failure':
            this.#settle(message.id)?.reject(toError(message.failure));
            break;
          case 'appended':
          case 'groups-changed':
            this.#onNotice(message);
            break;
        }
      });
      worker.on('error', (error) => {
        failure = endedError(error);
      });
      worker.on('exit', () => {
        this.#worker = null;
        reject(failure);
        for (const id of this.#waiting.keys()) this.#settle(id)?.reject(failure);
      });
    });
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}

export function startStoreWorker(config: StoreConfig): Worker {
  return new Worker(new URL('./store-worker.ts', import.meta.url), { workerData: config });
}

function endedError(cause?: unknown): MeshwardError {
  return new MeshwardError(
    'log-unavailable',
    "the log's store thread ended; it is unknown whether the call took effect",
    {
      next: 'The thread is started again by the next call; where it keeps ending, look at the memory of the process.',
      retryable: true,
      cause,
    },
  );
}

function toError(failure: StoreFailure): MeshwardError {
  const { code, message, next, retryable, details } = failure;
  return new MeshwardError(code, message, { next, retryable, details });
}
