/**
 * Every request to a peer goes through here: within the budget, with a time limit, and remembered for the choice of later
 * sources. It waits in one queue, the storage port's own, and its time runs from when it goes to the peer: a healthy peer is
 * not blamed for what waited here.
 */
import { MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { Domains } from '#mesh/peer-state.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { isShareError } from '#tahoe/share/index.ts';
import type { ShareSource } from '#tahoe/share/reader.ts';
import type { Budget, BudgetRequest } from './budget.ts';
import type { PeerContact } from './peer-contact.ts';
import type {
  AllocatedShares,
  AllocateShares,
  PeerStorage,
  RequestOptions,
  SharePiece,
  WholeOutcome,
  WholeShare,
} from './peer-storage.ts';
import { type TracedRequest, tracedRequest } from './traced-request.ts';

export interface TransferOptions {
  readonly storageOf: (peerId: PeerId) => PeerStorage | undefined;
  readonly domainsOf: (peerId: PeerId) => Domains;
  readonly budget: Budget;
  readonly contact: PeerContact;
  readonly limits: TransferLimits;
}

export interface TransferLimits {
  /** For listing what a peer holds. */
  readonly listTimeoutMs: number;
  /** For any other request, besides its bytes. */
  readonly requestTimeoutMs: number;
}

export const defaultTransferLimits: TransferLimits = {
  listTimeoutMs: 3_000,
  requestTimeoutMs: 15_000,
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
  /** Longest share that the peer takes by `putWhole`: 0 for none. Never rejects but where the work was called off. */
  wholeShareMaxBytes(peerId: PeerId): Promise<number>;
  putWhole(peerId: PeerId, storageIndex: StorageIndex, share: WholeShare): Promise<WholeOutcome>;
  /** Also after the work was called off. Never rejects: what stays behind is an incomplete upload, which no reader sees. */
  abort(peerId: PeerId, storageIndex: StorageIndex, shareNumber: number, uploadSecret: Uint8Array): Promise<void>;
  /** Never rejects: a report that does not arrive is made again by whoever reads the share next. */
  reportCorruption(peerId: PeerId, storageIndex: StorageIndex, shareNumber: number, reason: string): Promise<void>;
}

/** As spans name it: a path with its parts left open. */
const wholeTemplate = '/meshward/v1/whole/{storage_index}/{share_number}';

function immutable(below: string): string {
  return `/storage/v1/immutable/{storage_index}${below === '' ? '' : `/${below}`}`;
}

interface Asked {
  readonly bytes: number;
  readonly as: NonNullable<BudgetRequest['as']>;
  readonly request: TracedRequest;
}

/** A request that moves no shares to speak of. */
function asked(
  method: TracedRequest['method'],
  template: string,
  storageIndex: StorageIndex,
  shareNumber?: number,
): Asked {
  return { bytes: 0, as: 'asked', request: { method, template: immutable(template), storageIndex, shareNumber } };
}

export function createTransfer(options: TransferOptions): Transfer {
  const { limits, budget, contact, domainsOf } = options;

  async function run<T>(
    peerId: PeerId,
    { bytes, as, request: traced }: Asked,
    work: { urgent: boolean; signal: AbortSignal | undefined; timeoutMs: number },
    request: (storage: PeerStorage, control: RequestOptions) => Promise<T>,
  ): Promise<T> {
    const storage = options.storageOf(peerId);
    if (storage === undefined) throw noWay(peerId);
    const { urgent, signal, timeoutMs } = work;
    signal?.throwIfAborted();
    await budget.spend({ bytes, peerId, domains: domainsOf(peerId), as, urgent, ...(signal && { signal }) });
    const span = contact.begin(peerId);
    try {
      const result = await tracedRequest(peerId, bytes, traced, () =>
        request(storage, { signal, timeoutMs, onStart: () => span.started() }),
      );
      span.succeeded(bytes);
      return result;
    } catch (error) {
      if (signal?.aborted || !saysPeerIsBad(error)) span.dropped();
      else span.failed();
      throw error;
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
          run(
            peerId,
            asked('GET', 'shares', storageIndex),
            { ...work, timeoutMs: limits.listTimeoutMs },
            (storage, control) => storage.listShares(storageIndex, control),
          ),
        source: (peerId, storageIndex, shareNumber, signal = workSignal) => ({
          async read(offset, length) {
            const request = {
              method: 'GET',
              template: immutable('{share_number}'),
              storageIndex,
              shareNumber,
            } as const;
            const bytes = await run(
              peerId,
              { bytes: length, as: 'source', request },
              { ...work, signal },
              (storage, control) => storage.read(storageIndex, shareNumber, offset, length, control),
            );
            moved.read += bytes.length;
            return bytes;
          },
          letGo: (bytes) => options.storageOf(peerId)?.letGo?.(bytes),
        }),
        allocate: (peerId, storageIndex, request) =>
          run(peerId, asked('POST', '', storageIndex), work, (storage, control) =>
            storage.allocate(storageIndex, request, control),
          ),
        async write(peerId, storageIndex, piece) {
          const { shareNumber } = piece;
          const request = {
            method: 'PATCH',
            template: immutable('{share_number}'),
            storageIndex,
            shareNumber,
          } as const;
          const complete = await run(
            peerId,
            { bytes: piece.bytes.length, as: 'target', request },
            work,
            (storage, control) => storage.write(storageIndex, piece, control),
          );
          moved.written += piece.bytes.length;
          return complete;
        },
        async wholeShareMaxBytes(peerId) {
          workSignal.throwIfAborted();
          const storage = options.storageOf(peerId);
          // Known but for the first time: no request that the budget would count.
          return (await storage?.wholeShareMaxBytes?.({ signal: workSignal, timeoutMs: limits.listTimeoutMs })) ?? 0;
        },
        async putWhole(peerId, storageIndex, share) {
          const bytes = share.bytes.length;
          const { shareNumber } = share;
          const request = { method: 'PUT', template: wholeTemplate, storageIndex, shareNumber } as const;
          const outcome = await run(peerId, { bytes, as: 'target', request }, work, (storage, control) => {
            if (storage.putWhole === undefined) throw noWay(peerId);
            return storage.putWhole(storageIndex, share, control);
          });
          if (outcome === 'stored') moved.written += bytes;
          return outcome;
        },
        async abort(peerId, storageIndex, shareNumber, uploadSecret) {
          await run(
            peerId,
            asked('PUT', '{share_number}/abort', storageIndex, shareNumber),
            { urgent: true, signal: undefined, timeoutMs: limits.listTimeoutMs },
            (storage, control) => storage.abort(storageIndex, shareNumber, uploadSecret, control),
          ).catch(() => undefined);
        },
        async reportCorruption(peerId, storageIndex, shareNumber, reason) {
          await run(
            peerId,
            asked('POST', '{share_number}/corrupt', storageIndex, shareNumber),
            { ...work, timeoutMs: limits.listTimeoutMs },
            (storage, control) => storage.reportCorruption(storageIndex, shareNumber, reason, control),
          ).catch(() => undefined);
        },
      };
    },
  };
}

/** A refusal, a missing share or a bad one is an answer, and a full queue is our own; silence and nonsense are the peer's. */
function saysPeerIsBad(error: unknown): boolean {
  if (isShareError(error)) return false;
  const { code } = error instanceof MeshwardError ? error : { code: 'internal' };
  return !['gbs-refused', 'log-fenced', 'cancelled', 'service-busy'].includes(code);
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
