/** The port through which shares are read and written. The production adapter is a client of Tahoe's storage protocol. */
import type { StorageIndex } from '#mesh/storage-index.ts';

/** What a repairer that was replaced is refused by. */
export interface Fence {
  /** The partition of `at-risk` that the repair belongs to. */
  readonly scope: string;
  readonly generation: number;
}

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** How long the peer may take, and longer by the bytes, from when the request starts; beyond it is `gbs-unreachable`. */
  readonly timeoutMs?: number | undefined;
  /** Called when the request has waited for its turn and goes to the peer. */
  readonly onStart?: (() => void) | undefined;
}

export interface AllocateShares {
  readonly shareNumbers: readonly number[];
  readonly shareBytes: number;
  /** 32 bytes each. */
  readonly renewSecret: Uint8Array;
  readonly cancelSecret: Uint8Array;
  /** Names the upload to its later requests. A secret. */
  readonly uploadSecret: Uint8Array;
  readonly fence?: Fence | undefined;
}

export interface AllocatedShares {
  /** Every share of the file on this peer, asked for or not. */
  readonly alreadyHave: ReadonlySet<number>;
  readonly allocated: ReadonlySet<number>;
}

export interface SharePiece {
  readonly shareNumber: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly uploadSecret: Uint8Array;
  readonly fence?: Fence | undefined;
}

/** A share that is sent in one exchange: room for it, and its bytes. */
export interface WholeShare extends Omit<AllocateShares, 'shareNumbers' | 'shareBytes'> {
  readonly shareNumber: number;
  readonly bytes: Uint8Array;
}

/** `held`: the peer has it already. */
export type WholeOutcome = 'stored' | 'held' | 'no-room';

/** All methods reject with a MeshwardError; `log-fenced` where the peer has seen a newer owner of the fence's scope. */
export interface PeerStorage {
  listShares(storageIndex: StorageIndex, options?: RequestOptions): Promise<ReadonlySet<number>>;
  /** Fewer bytes only where the share ends. */
  read(
    storageIndex: StorageIndex,
    shareNumber: number,
    offset: number,
    length: number,
    options?: RequestOptions,
  ): Promise<Uint8Array>;
  /** Told of bytes of `read` that nobody will look at again. */
  letGo?(bytes: Uint8Array): void;
  allocate(storageIndex: StorageIndex, request: AllocateShares, options?: RequestOptions): Promise<AllocatedShares>;
  /** True when the share is complete and has appeared. */
  write(storageIndex: StorageIndex, piece: SharePiece, options?: RequestOptions): Promise<boolean>;
  /** Longest share that the peer takes by `putWhole`; 0 where it takes none, or cannot be asked now. Left out: none. */
  wholeShareMaxBytes?(options?: RequestOptions): Promise<number>;
  putWhole?(storageIndex: StorageIndex, share: WholeShare, options?: RequestOptions): Promise<WholeOutcome>;
  abort(
    storageIndex: StorageIndex,
    shareNumber: number,
    uploadSecret: Uint8Array,
    options?: RequestOptions,
  ): Promise<void>;
  reportCorruption(
    storageIndex: StorageIndex,
    shareNumber: number,
    reason: string,
    options?: RequestOptions,
  ): Promise<void>;
}
