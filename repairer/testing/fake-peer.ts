/** A storage peer in memory, which behaves as told: it can be down, hang, hold bad shares, be full, break off, or fence. */

import type { Clock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { fencedError } from '#peers/gbs-storage.ts';
import type {
  AllocatedShares,
  AllocateShares,
  Fence,
  PeerStorage,
  RequestOptions,
  SharePiece,
  WholeOutcome,
  WholeShare,
} from '#peers/peer-storage.ts';
import { RangeSet } from '#tahoe/gbs/range-set.ts';

interface FakeUpload {
  readonly bytes: Uint8Array;
  readonly secret: Uint8Array;
  readonly written: RangeSet;
}

export type Method = 'list' | 'read' | 'allocate' | 'write' | 'put' | 'abort' | 'corrupt';

export class FakePeer implements PeerStorage {
  readonly peerId: PeerId;
  /** Share data by `storageIndex/number`. */
  readonly shares = new Map<string, Uint8Array>();
  readonly uploads = new Map<string, FakeUpload>();
  readonly advisories: { shareNumber: number; reason: string }[] = [];
  readonly calls: Record<Method, number> = { list: 0, read: 0, allocate: 0, write: 0, put: 0, abort: 0, corrupt: 0 };
  freeBytes = 1e12;
  /** Longest share that it takes in one exchange. */
  wholeBytes = 0;
  /** Unreachable. */
  down = false;
  /** Never answers, until it is told to. */
  hangs: ReadonlySet<Method> = new Set();
  /** Goes down after so many more reads or writes of share data. */
  readsLeft = Infinity;
  writesLeft = Infinity;
  /** Called before each request is answered. */
  before: (method: Method) => Promise<void> | void = () => undefined;
  readonly #fences = new Map<string, number>();
  readonly #waking = new Set<() => void>();
  readonly #clock: Clock;

  /** @param clock by which a peer that hangs is given up. */
  constructor(serial: number, clock: Clock) {
    this.#clock = clock;
    this.peerId = Buffer.alloc(32, serial).toString('base64url') as PeerId;
  }

  wake(): void {
    this.hangs = new Set();
    for (const wake of this.#waking) wake();
  }

  numbersOf(storageIndex: StorageIndex): number[] {
    return [...this.shares.keys()]
      .filter((key) => key.startsWith(storageIndex))
      .map((key) => Number(key.split('/')[1]))
      .sort((a, b) => a - b);
  }

  admitFence({ scope, generation }: Fence): void {
    if (generation < (this.#fences.get(scope) ?? 0)) throw fencedError(undefined);
    this.#fences.set(scope, generation);
  }

  async listShares(storageIndex: StorageIndex, options?: RequestOptions): Promise<ReadonlySet<number>> {
    await this.#enter('list', options);
    return new Set(this.numbersOf(storageIndex));
  }

  async read(
    storageIndex: StorageIndex,
    shareNumber: number,
    offset: number,
    length: number,
    options?: RequestOptions,
  ): Promise<Uint8Array> {
    await this.#enter('read', options);
    if (this.readsLeft-- <= 0) this.#die();
    const share = this.shares.get(`${storageIndex}/${shareNumber}`);
    if (share === undefined) throw refused('no such share', 404);
    return share.slice(offset, offset + length);
  }

  async allocate(
    storageIndex: StorageIndex,
    request: AllocateShares,
    options?: RequestOptions,
  ): Promise<AllocatedShares> {
    await this.#enter('allocate', options);
    if (request.fence !== undefined) this.admitFence(request.fence);
    const alreadyHave = new Set(this.numbersOf(storageIndex));
    const allocated = new Set<number>();
    for (const shareNumber of request.shareNumbers) {
      const key = `${storageIndex}/${shareNumber}`;
      if (alreadyHave.has(shareNumber) || this.uploads.has(key) || this.freeBytes < request.shareBytes) continue;
      this.freeBytes -= request.shareBytes;
      this.uploads.set(key, {
        bytes: new Uint8Array(request.shareBytes),
        secret: request.uploadSecret,
        written: new RangeSet(),
      });
      allocated.add(shareNumber);
    }
    return { alreadyHave, allocated };
  }

  async write(storageIndex: StorageIndex, piece: SharePiece, options?: RequestOptions): Promise<boolean> {
    await this.#enter('write', options);
    if (piece.fence !== undefined) this.admitFence(piece.fence);
    if (this.writesLeft-- <= 0) this.#die();
    const key = `${storageIndex}/${piece.shareNumber}`;
    const upload = this.uploads.get(key);
    if (upload === undefined || Buffer.compare(upload.secret, piece.uploadSecret) !== 0)
      throw refused('no such upload');
    const end = piece.offset + piece.bytes.length;
    if (upload.written.overlaps(piece.offset, end).length > 0) throw refused('written twice');
    upload.bytes.set(piece.bytes, piece.offset);
    upload.written.add(piece.offset, end);
    if (upload.written.sizeBytes < upload.bytes.length) return false;
    this.uploads.delete(key);
    this.shares.set(key, upload.bytes);
    return true;
  }

  wholeShareMaxBytes(): Promise<number> {
    return Promise.resolve(this.wholeBytes);
  }

  async putWhole(storageIndex: StorageIndex, share: WholeShare, options?: RequestOptions): Promise<WholeOutcome> {
    await this.#enter('put', options);
    if (share.fence !== undefined) this.admitFence(share.fence);
    if (this.writesLeft-- <= 0) this.#die();
    const key = `${storageIndex}/${share.shareNumber}`;
    if (this.shares.has(key)) return 'held';
    if (this.freeBytes < share.bytes.length) return 'no-room';
    this.freeBytes -= share.bytes.length;
    this.shares.set(key, share.bytes.slice());
    return 'stored';
  }

  async abort(
    storageIndex: StorageIndex,
    shareNumber: number,
    uploadSecret: Uint8Array,
    options?: RequestOptions,
  ): Promise<void> {
    await this.#enter('abort', options);
    const key = `${storageIndex}/${shareNumber}`;
    const upload = this.uploads.get(key);
    if (upload === undefined || Buffer.compare(upload.secret, uploadSecret) !== 0) throw refused('no such upload');
    this.uploads.delete(key);
  }

  async reportCorruption(
    _storageIndex: StorageIndex,
    shareNumber: number,
    reason: string,
    options?: RequestOptions,
  ): Promise<void> {
    await this.#enter('corrupt', options);
    this.advisories.push({ shareNumber, reason });
  }

  async #enter(method: Method, options: RequestOptions | undefined): Promise<void> {
    this.calls[method]++;
    options?.onStart?.();
    await this.before(method);
    if (this.hangs.has(method)) await this.#hang(options);
    if (this.down) this.#die();
  }

  async #hang({ signal, timeoutMs }: RequestOptions = {}): Promise<void> {
    let callOff: () => void = () => undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#waking.add(resolve);
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        if (timeoutMs !== undefined) callOff = this.#clock.after(timeoutMs, () => reject(unreachable()));
      });
    } finally {
      callOff();
    }
  }

  #die(): never {
    this.down = true;
    throw unreachable();
  }
}

function unreachable(): MeshwardError {
  return new MeshwardError('gbs-unreachable', 'the peer cannot be reached', {
    next: 'Look at the peer.',
    retryable: true,
  });
}

function refused(reason: string, status = 409): MeshwardError {
  return new MeshwardError('gbs-refused', reason, { next: 'Go by what the peer says.', details: { reason, status } });
}
