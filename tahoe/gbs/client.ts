/** Tahoe's HTTP storage protocol (GBS, FORMAT section 11) from the client's side: one client, any number of peers. */

import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '#mesh/clock.ts';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import type { LeaseSecrets } from '../identity/lease-secrets.ts';
import { Nurl, parseNurl } from '../identity/nurl.ts';
import { fenceHeader, type SecretName, secretsHeader, secretValue } from './authorization.ts';
import { type Fence, formatFence } from './fence.ts';
import { JointExchanges } from './joint-exchanges.ts';
import type { JointPart } from './joint-message.ts';
import * as message from './message.ts';
import type { Answer } from './peer-connection.ts';
import {
  defaultStorageClientLimits,
  type PeerAnswer,
  PeerConnections,
  type PeerRequest,
  protocolError,
  type RequestControl,
  type StorageClientLimits,
} from './peer-connections.ts';
import type { ByteRange } from './range-set.ts';
import { isInternalFailure, refusedError, unreadableShareError } from './refused-error.ts';

export interface StorageClientOptions {
  readonly limits?: Partial<StorageClientLimits>;
  readonly clock?: Clock;
}

export interface StorageClient {
  /** Opens no connection yet. @throws MeshwardError `bad-input` for a text that is no NURL. */
  peer(nurl: Nurl | string): PeerClient;
  stats(): { readonly peers: number; readonly runningRequests: number };
  /** Breaks off what is running. */
  close(): Promise<void>;
}

export type { RequestControl };

export interface AllocateOptions extends LeaseSecrets {
  readonly shareNumbers: Iterable<number>;
  /** Length of each share's data. */
  readonly allocatedBytes: number;
  /** 1 to 256 random bytes; whoever has it may write, complete or abort the upload. */
  readonly uploadSecret: Uint8Array;
  readonly fence?: Fence | undefined;
}

/** A share as it goes to a peer in one exchange. */
export interface WholeShareData extends LeaseSecrets {
  /** At most as long as `wholeShareMaxBytesOf` tells of the peer's version. */
  readonly bytes: Uint8Array;
  readonly uploadSecret: Uint8Array;
  readonly fence?: Fence | undefined;
}

/** A number in neither set has no room there, or another upload of it is going on. */
export interface Allocation {
  /** Every share of the file on that peer, asked for or not. */
  readonly alreadyHave: ReadonlySet<number>;
  readonly allocated: ReadonlySet<number>;
}

export interface WriteResult {
  readonly isComplete: boolean;
  /** What is still missing. */
  readonly required: readonly ByteRange[];
}

/** Where a share's data is read from; a read at the end gives fewer bytes. */
export interface ShareSource {
  read(offset: number, length: number): Promise<Uint8Array>;
}

/**
 * Every method throws MeshwardError: `gbs-unreachable` (retryable), `gbs-pin-mismatch`, `gbs-unauthorized`, `gbs-refused`
 * (with `details.status` and `details.reason`), `gbs-protocol`, `service-busy` (retryable); reading and listing also
 * `share-malformed`, where the peer holds a share whose container is damaged.
 */
export interface PeerClient {
  readonly nurl: Nurl;
  version(control?: RequestControl): Promise<message.StorageVersion>;
  listShares(index: StorageIndex, control?: RequestControl): Promise<ReadonlySet<number>>;
  /** @returns fewer bytes only where the share ends; never more. */
  read(
    index: StorageIndex,
    shareNumber: number,
    offset: number,
    length: number,
    control?: RequestControl,
  ): Promise<Uint8Array>;
  /** The whole share data. @param options.maxBytes a longer share is a `gbs-protocol` error. @default 64 MiB */
  readAll(
    index: StorageIndex,
    shareNumber: number,
    options?: RequestControl & { readonly maxBytes?: number },
  ): Promise<Uint8Array>;
  shareSource(index: StorageIndex, shareNumber: number, control?: RequestControl): ShareSource;
  allocate(index: StorageIndex, options: AllocateOptions, control?: RequestControl): Promise<Allocation>;
  /** @param offset within the share data. Pieces of up to 1 MiB are a good size. */
  write(
    index: StorageIndex,
    shareNumber: number,
    offset: number,
    bytes: Uint8Array,
    uploadSecret: Uint8Array,
    options?: RequestControl & { readonly fence?: Fence | undefined },
  ): Promise<WriteResult>;
  /**
   * A whole share in one exchange, to a peer whose version says that it takes them.
   * @returns `held` where the peer has the share already: nothing was written.
   */
  putWhole(
    index: StorageIndex,
    shareNumber: number,
    share: WholeShareData,
    control?: RequestControl,
  ): Promise<'stored' | 'held'>;
  abort(index: StorageIndex, shareNumber: number, uploadSecret: Uint8Array, control?: RequestControl): Promise<void>;
  renewLease(index: StorageIndex, secrets: LeaseSecrets, control?: RequestControl): Promise<void>;
  /** @param reason cut at what the protocol allows. */
  reportCorruption(index: StorageIndex, shareNumber: number, reason: string, control?: RequestControl): Promise<void>;
}

const acceptMessage = ['Accept', message.cborType];
const sendMessage = [...acceptMessage, 'Content-Type', message.cborType];
const readAllMaxBytes = 64 * 1024 * 1024;
/** What is read of the body of a refusal. */
const refusalMaxBytes = 16 * 1024;

export function createStorageClient(options: StorageClientOptions = {}): StorageClient {
  const connections = new PeerConnections(options.clock ?? systemClock, {
    ...defaultStorageClientLimits,
    ...options.limits,
  });
  return {
    peer: (nurl) => createPeerClient(connections, nurl instanceof Nurl ? nurl : parseNurl(nurl)),
    stats: () => ({ peers: connections.peerCount, runningRequests: connections.runningRequests }),
    close: () => connections.close(),
  };
}

function createPeerClient(connections: PeerConnections, nurl: Nurl): PeerClient {
  type Given = Omit<PeerRequest, 'bodyMaxBytes' | 'transferBytes'> &
    Partial<Pick<PeerRequest, 'bodyMaxBytes' | 'transferBytes'>>;

  const joint = new JointExchanges({
    send: (request) => connections.send(nurl, request),
    improper: (cause) => protocolError(nurl, 'its answer to a joint exchange has another shape', cause),
    requestTimeoutMs: connections.requestTimeoutMs,
  });

  /** Sends, and throws unless the answer has one of the `expected` statuses. @param part the same, as it may go with others. */
  async function send(expected: readonly number[], given: Given, part?: JointPart): Promise<PeerAnswer> {
    const alone: PeerRequest = {
      transferBytes: given.body?.length ?? 0,
      ...given,
      bodyMaxBytes: (status, headers) => {
        if (!expected.includes(status)) return refusalMaxBytes;
        return given.bodyMaxBytes?.(status, headers) ?? message.messageMaxBytes;
      },
    };
    const goesJointly = part !== undefined && joint.takes(part);
    const answer = await (goesJointly ? joint.ask({ part, alone }) : connections.send(nurl, alone));
    if (!expected.includes(answer.status)) throw refusedError(nurl, answer);
    return answer;
  }

  function decoded<T>(answer: Answer, decode: (body: Uint8Array) => T): T {
    try {
      return decode(answer.body);
    } catch (error) {
      throw protocolError(nurl, 'its answer has another shape than the protocol says', error);
    }
  }

  /**
   * A Tahoe node says nothing but 500 to all that is asked of a file while it cannot open one of its containers. Where it does so, and
   * answers for a file that nobody has, the share is bad and not the peer.
   */
  async function orUnreadable<T>(
    index: StorageIndex,
    control: RequestControl | undefined,
    ask: Promise<T>,
  ): Promise<T> {
    try {
      return await ask;
    } catch (error) {
      if (!isInternalFailure(error)) throw error;
      const fails = (of: StorageIndex): Promise<boolean> => listed(of, control).then(() => false, isInternalFailure);
      if (!(await fails(index)) || (await fails(storageIndexFromBytes(randomBytes(16))))) throw error;
      throw unreadableShareError(nurl, error);
    }
  }

  function listShares(index: StorageIndex, control?: RequestControl): Promise<ReadonlySet<number>> {
    return orUnreadable(index, control, listed(index, control));
  }

  async function listed(index: StorageIndex, control?: RequestControl): Promise<ReadonlySet<number>> {
    const answer = await send([200], {
      method: 'GET',
      path: `${immutable(index)}/shares`,
      headers: acceptMessage,
      control,
    });
    return decoded(answer, message.decodeShareNumbers);
  }

  async function read(
    index: StorageIndex,
    shareNumber: number,
    offset: number,
    length: number,
    control?: RequestControl,
  ): Promise<Uint8Array> {
    if (!Number.isSafeInteger(offset + length) || offset < 0 || length < 0) throw new RangeError('not a byte range');
    if (length === 0) return new Uint8Array(0);
    const asked = send(
      [206, 204],
      {
        method: 'GET',
        path: `${immutable(index)}/${shareNumber}`,
        headers: ['Range', `bytes=${offset}-${offset + length - 1}`],
        bodyMaxBytes: (_status, headers) => Math.min(length, contentRangeBytes(headers, offset) ?? length),
        transferBytes: length,
        control,
      },
      { kind: 'read', index, shareNumber, offset, length },
    );
    const answer = await orUnreadable(index, control, asked);
    if (answer.status === 204) return new Uint8Array(0);
    if (answer.body.length !== contentRangeBytes(answer.headers, offset)) {
      throw protocolError(nurl, 'it sent another range of the share than was asked for');
    }
    return answer.body;
  }

  return {
    nurl,
    listShares,
    read,
    async version(control) {
      const answer = await send([200], { method: 'GET', path: '/storage/v1/version', headers: acceptMessage, control });
      const version = decoded(answer, message.decodeVersion);
      joint.learn(message.takesJointExchanges(version));
      return version;
    },
    async readAll(index, shareNumber, { maxBytes = readAllMaxBytes, ...control } = {}) {
      const asked = send([200], {
        method: 'GET',
        path: `${immutable(index)}/${shareNumber}`,
        headers: [],
        bodyMaxBytes: () => maxBytes,
        transferBytes: maxBytes,
        control,
      });
      return (await orUnreadable(index, control, asked)).body;
    },
    shareSource: (index, shareNumber, control) => ({
      read: (offset, length) => read(index, shareNumber, offset, length, control),
    }),
    async allocate(index, { shareNumbers, allocatedBytes, renewSecret, cancelSecret, uploadSecret, fence }, control) {
      const answer = await send([200], {
        method: 'POST',
        path: immutable(index),
        headers: [
          ...sendMessage,
          ...secret('lease-renew-secret', renewSecret),
          ...secret('lease-cancel-secret', cancelSecret),
          ...secret('upload-secret', uploadSecret),
          ...fenced(fence),
        ],
        body: message.encodeAllocateRequest({ shareNumbers, allocatedBytes }),
        control,
      });
      return decoded(answer, message.decodeAllocateReply);
    },
    async write(index, shareNumber, offset, bytes, uploadSecret, { fence, ...control } = {}) {
      if (bytes.length === 0) throw new RangeError('an empty piece cannot be written');
      const answer = await send([200, 201, 404], {
        method: 'PATCH',
        path: `${immutable(index)}/${shareNumber}`,
        headers: [
          ...acceptMessage,
          'Content-Range',
          `bytes ${offset}-${offset + bytes.length - 1}/*`,
          ...secret('upload-secret', uploadSecret),
          ...fenced(fence),
        ],
        body: bytes,
        control,
      });
      if (answer.status === 404) {
        // The first attempt may have completed the share before its connection broke; then the upload is no more.
        if (answer.wasRepeated && (await listShares(index, control)).has(shareNumber))
          return { isComplete: true, required: [] };
        throw refusedError(nurl, answer);
      }
      return { isComplete: answer.status === 201, required: decoded(answer, message.decodeRequired) };
    },
    async putWhole(index, shareNumber, { bytes, renewSecret, cancelSecret, uploadSecret, fence }, control) {
      const answer = await send(
        [201, 200],
        {
          method: 'PUT',
          path: `/meshward/v1/whole/${index}/${shareNumber}`,
          headers: [
            ...secret('lease-renew-secret', renewSecret),
            ...secret('lease-cancel-secret', cancelSecret),
            ...secret('upload-secret', uploadSecret),
            ...fenced(fence),
          ],
          body: bytes,
          control,
        },
        { kind: 'put', index, shareNumber, renewSecret, cancelSecret, uploadSecret, fence, bytes },
      );
      return answer.status === 201 ? 'stored' : 'held';
    },
    async abort(index, shareNumber, uploadSecret, control) {
      await send([200], {
        method: 'PUT',
        path: `${immutable(index)}/${shareNumber}/abort`,
        headers: secret('upload-secret', uploadSecret),
        control,
      });
    },
    async renewLease(index, { renewSecret, cancelSecret }, control) {
      await send([204], {
        method: 'PUT',
        path: `/storage/v1/lease/${index}`,
        headers: [...secret('lease-renew-secret', renewSecret), ...secret('lease-cancel-secret', cancelSecret)],
        control,
      });
    },
    async reportCorruption(index, shareNumber, reason, control) {
      await send([200], {
        method: 'POST',
        path: `${immutable(index)}/${shareNumber}/corrupt`,
        headers: sendMessage,
        // A character has at most four bytes in UTF-8.
        body: message.encodeReason(reason.slice(0, Math.floor(message.reasonMaxBytes / 4)) || 'no reason given'),
        control,
      });
    },
  };
}

function immutable(index: StorageIndex): string {
  return `/storage/v1/immutable/${index}`;
}

function secret(name: SecretName, value: Uint8Array): string[] {
  return [secretsHeader, secretValue(name, value)];
}

function fenced(fence: Fence | undefined): string[] {
  return fence === undefined ? [] : [fenceHeader, formatFence(fence)];
}

/** Length of the range that a response says to hold, where it starts at `offset`; null otherwise. */
function contentRangeBytes(headers: Answer['headers'], offset: number): number | null {
  const match = /^bytes (\d{1,16})-(\d{1,16})\/(?:\*|\d+)$/.exec(String(headers['content-range'] ?? ''));
  if (match === null || Number(match[1]) !== offset) return null;
  const length = Number(match[2]) - offset + 1;
  return length > 0 ? length : null;
}
