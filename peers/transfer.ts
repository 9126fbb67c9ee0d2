/**
 * Every request of the repairer to a peer goes through here: in the peer's turn, within the budget, with a time limit that
 * grows with the bytes, and remembered for the choice of later sources.
 */
import { type Clock, sleep } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { Domains } from '#mesh/peer-state.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { ShareSource } from '#tahoe/share/reader.ts';
import type { Budget } from './budget.ts';
import type { PeerContact } from './peer-contact.ts';
import { PeerSlots } from './peer-slots.ts';
import type { AllocatedShares, AllocateShares, PeerStorage, SharePiece } from './peer-storage.ts';

export interface TransferOptions {
  readonly storageOf: (peerId: PeerId) => PeerStorage | undefined;
  readonly domainsOf: (peerId: PeerId) => Domains;
  readonly budget: Budget;
  readonly contact: PeerContact;
  readonly clock: Clock;
  /** Most requests at one peer at once. */
  readonly maxInFlightPerPeer: number;
  readonly limits: TransferLimits;
}

export interface TransferLimits {
  /** For listing what a peer holds. */
  readonly listTimeoutMs: number;
  /** For any other request, besides its bytes. */
  readonly requestTimeoutMs: number;
  /** A peer that moves bytes more slowly is given up. */
  readonly slowestBytesPerSecond: number;
}

export const defaultTransferLimits: TransferLimits = {
  listTimeoutMs: 3_000,
  requestTimeoutMs: 15_000,
  slowestBytesPerSecond: 16 * 1024,
};

export interface Transfer {
  /** A view for one piece of work, which counts what it moved. */
  begin(work: TransferWork): WorkTransfer;
}

export interface TransferWork {
  readonly urgent: boolean;
  readonly signal: AbortSignal;
}

export interface WorkTransfer {
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly signal: AbortSignal;
  listShares(peerId: PeerId, storageIndex: StorageIndex): Promise<ReadonlySet<number>>;
  source(peerId: PeerId, storageIndex: StorageIndex, shareNumber: number, signal?: AbortSignal): ShareSource;
  allocate(peerId: PeerId, storageIndex: StorageIndex, request: AllocateShares): Promise<AllocatedShares>;
  write(peerId: PeerId, storageIndex: StorageIndex, piece: SharePiece): Promise<boolean>;
  /** Also after the work was called off. Never rejects: what stays behind is an incomplete upload, which no reader sees. */
  abort(peerId: PeerId, storageIndex: StorageIndex, shareNumber: number, uploadSecret: Uint8Array): Promise<void>;
  /** Never rejects: a report that does not arrive is made again by whoever reads the share next. */
  reportCorruption(peerId: PeerId, storageIndex: StorageIndex, shareNumber: number, reason: string): Promise<void>;
}

export function createTransfer(options: TransferOptions): Transfer {
  const { clock, limits, budget, contact, domainsOf } = options;
  const slots = new PeerSlots(options.maxInFlightPerPeer);

  async function run<T>(
    peerId: PeerId,
    bytes: number,
    work: { urgent: boolean; signal: AbortSignal | undefined; timeoutMs: number },
    request: (storage: PeerStorage, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const storage = options.storageOf(peerId);
    if (storage === undefined) throw noWay(peerId);
    const giveBack = await slots.take(peerId, work.signal);
    try {
      if (bytes > 0)
        await budget.spend({
          bytes,
          peerId,
          domains: domainsOf(peerId),
          urgent: work.urgent,
          ...(work.signal && { signal: work.signal }),
        });
      const span = contact.begin(peerId);
      try {
        const result = await withTimeout(
          clock,
          work.timeoutMs + (bytes * 1000) / limits.slowestBytesPerSecond,
          work.signal,
          (signal) => request(storage, signal),
        );
        span.succeeded(bytes);
        return result;
      } catch (error) {
        if (work.signal?.aborted || !saysPeerIsBad(error)) span.dropped();
        else span.failed();
        throw error;
      }
    } finally {
      giveBack();
    }
  }

  return {
    begin({ urgent, signal: workSignal }) {
      const moved = { read: 0, written: 0 };
      const work = { urgent, signal: workSignal, timeoutMs: limits.requestTimeoutMs };
      return {
        get bytesRead() {
          return moved.read;
        },
        get bytesWritten() {
          return moved.written;
        },
        signal: workSignal,
        listShares: (peerId, storageIndex) =>
          run(peerId, 0, { ...work, timeoutMs: limits.listTimeoutMs }, (storage, signal) =>
            storage.listShares(storageIndex, { signal }),
          ),
        source: (peerId, storageIndex, shareNumber, signal = workSignal) => ({
          async read(offset, length) {
            const bytes = await run(peerId, length, { ...work, signal }, (storage, requestSignal) =>
              storage.read(storageIndex, shareNumber, offset, length, { signal: requestSignal }),
            );
            moved.read += bytes.length;
            return bytes;
          },
        }),
        allocate: (peerId, storageIndex, request) =>
          run(peerId, 0, work, (storage, signal) => storage.allocate(storageIndex, request, { signal })),
        async write(peerId, storageIndex, piece) {
          const complete = await run(peerId, piece.bytes.length, work, (storage, signal) =>
            storage.write(storageIndex, piece, { signal }),
          );
          moved.written += piece.bytes.length;
          return complete;
        },
        async abort(peerId, storageIndex, shareNumber, uploadSecret) {
          await run(peerId, 0, { urgent, signal: undefined, timeoutMs: limits.listTimeoutMs }, (storage, signal) =>
            storage.abort(storageIndex, shareNumber, uploadSecret, { signal }),
          ).catch(() => undefined);
        },
        async reportCorruption(peerId, storageIndex, shareNumber, reason) {
          await run(peerId, 0, { ...work, timeoutMs: limits.listTimeoutMs }, (storage, signal) =>
            storage.reportCorruption(storageIndex, shareNumber, reason, { signal }),
          ).catch(() => undefined);
        },
      };
    },
  };
}

/** A refusal or a missing share is an answer; silence and nonsense are not. */
function saysPeerIsBad(error: unknown): boolean {
  return !(error instanceof MeshwardError) || !['gbs-refused', 'log-fenced', 'cancelled'].includes(error.code);
}

async function withTimeout<T>(
  clock: Clock,
  timeoutMs: number,
  outer: AbortSignal | undefined,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const signal = outer === undefined ? limit.signal : AbortSignal.any([outer, limit.signal]);
  const ended = new AbortController();
  const timeout = sleep(clock, timeoutMs, ended.signal).then(
    () => {
      const error = tooSlow(timeoutMs);
      limit.abort(error);
      throw error;
    },
    () => new Promise<never>(() => undefined),
  );
  const cancelled = new Promise<never>((_, reject) => {
    outer?.addEventListener('abort', () => reject(outer.reason as Error), { once: true, signal: ended.signal });
  });
  try {
    outer?.throwIfAborted();
    const running = run(signal);
    // A request that outlives its time limit ends by itself: nobody waits for it.
    running.catch(() => undefined);
    return await Promise.race([running, timeout, cancelled]);
  } finally {
    ended.abort();
  }
}

function tooSlow(timeoutMs: number): MeshwardError {
  return new MeshwardError('gbs-unreachable', `the peer did not answer within ${Math.round(timeoutMs)} ms`, {
    next: 'Look at the peer and at the network to it; another peer is asked meanwhile.',
    retryable: true,
  });
}

function noWay(peerId: PeerId): MeshwardError {
  return new MeshwardError('peer-unknown', `peer ${peerId} is not enrolled, was revoked, or serves no shares`, {
    next: 'Look at `meshward peers`; enrol the peer again if it should serve shares.',
  });
}

export function isFenced(error: unknown): boolean {
  for (let current: unknown = error; current instanceof Error; current = current.cause) {
    if (current instanceof MeshwardError && current.code === 'log-fenced') return true;
  }
  return false;
}
