/** Counts what requests to peers wait for, and how many of a file's must follow one another. */
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { PeerStorage, RequestOptions } from '#peers/peer-storage.ts';
import type { FileTimesRecorder, RequestKind } from '../breakdown/file-times.ts';

export class RequestMeter {
  queuedSeconds = 0;
  waitedSeconds = 0;
  /** The longest chain of a file's requests, of which each began after the one before it had ended. */
  readonly #chains = new Map<StorageIndex, number>();
  readonly #times: FileTimesRecorder | undefined;

  /** @param times told of requests of the files that it follows. */
  constructor(times?: FileTimesRecorder) {
    this.#times = times;
  }

  /** The sum of the longest chains of the files so far. */
  takeRoundTrips(): number {
    let sum = 0;
    for (const length of this.#chains.values()) sum += length;
    this.#chains.clear();
    return sum;
  }

  around(storage: PeerStorage): PeerStorage {
    return {
      ...storage,
      listShares: (index, options) => this.#measure('ask', index, options, (each) => storage.listShares(index, each)),
      read: (index, number, offset, length, options) =>
        this.#measure('read', index, options, (each) => storage.read(index, number, offset, length, each)),
      allocate: (index, given, options) =>
        this.#measure('write', index, options, (each) => storage.allocate(index, given, each)),
      write: (index, piece, options) =>
        this.#measure('write', index, options, (each) => storage.write(index, piece, each)),
      putWhole: (index, share, options) =>
        this.#measure(
          'write',
          index,
          options,
          (each) => storage.putWhole?.(index, share, each) ?? Promise.resolve('no-room'),
        ),
      abort: (index, number, secret, options) =>
        this.#measure('write', index, options, (each) => storage.abort(index, number, secret, each)),
    };
  }

  async #measure<T>(
    kind: RequestKind,
    index: StorageIndex,
    options: RequestOptions | undefined,
    request: (options: RequestOptions) => Promise<T>,
  ): Promise<T> {
    const askedMs = performance.now();
    let startedMs = askedMs;
    let chain = 0;
    const times = this.#times?.request(index, kind);
    const onStart = (): void => {
      startedMs = performance.now();
      times?.started();
      chain = (this.#chains.get(index) ?? 0) + 1;
      options?.onStart?.();
    };
    const result = await request({ ...options, onStart }).finally(() => times?.ended());
    this.#chains.set(index, Math.max(chain, this.#chains.get(index) ?? 0));
    this.queuedSeconds += (startedMs - askedMs) / 1000;
    this.waitedSeconds += (performance.now() - startedMs) / 1000;
    return result;
  }
}
