/** The requests of GBS and their statuses (FORMAT section 11), on any node:http server. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '#mesh/clock.ts';
import { isStorageIndex, type StorageIndex } from '#mesh/storage-index.ts';
import type { TokenBucket } from '#mesh/token-bucket.ts';
import type { Advisories } from './advisories.ts';
import { authorizationValue, SecretDigest, type Secrets } from './authorization.ts';
import type { Disk } from './disk.ts';
import type { Fence, FenceRegister } from './fence.ts';
import { freeAtOnce } from './free-at-once.ts';
import { FreeSpace } from './free-space.ts';
import {
  bodyPieces,
  endWith,
  pace,
  Refusal,
  readMessage,
  refuse,
  reply,
  sendShareData,
  spentChunks,
  wholeBody,
} from './http-exchange.ts';
import { decodeJointRequest, encodeJointAnswer, jointMaxBytes } from './joint-message.ts';
import * as message from './message.ts';
import { bodyBytes, closedRange, fenceIn, leaseSecretsOf, secretsOf } from './request-parts.ts';
import type { StorageServerLimits } from './server-limits.ts';
import type { ReadableShare, ShareFolder } from './share-folder.ts';
import { type Counts, ShareRequests } from './share-requests.ts';
import type { StorageEvent } from './storage-event.ts';
import type { Upload, Uploads } from './uploads.ts';
import type { WholeOutcome, WholeShares } from './whole-shares.ts';

export interface RequestHandlerOptions {
  readonly root: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly shares: ShareFolder;
  readonly uploads: Uploads;
  readonly wholeShares: WholeShares;
  readonly fences: FenceRegister;
  readonly advisories: Advisories;
  readonly bandwidth: TokenBucket;
  readonly limits: StorageServerLimits;
  readonly swissnum: string;
  readonly readOnly: boolean;
  readonly onChange: (event: StorageEvent) => void;
  readonly onFailure: (error: unknown) => void;
}

export interface RequestHandler {
  handle(request: IncomingMessage, response: ServerResponse): void;
  setReadOnly(readOnly: boolean): void;
  counts(): Counts;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly index: StorageIndex;
  readonly shareNumber: number;
}

const pathPattern =
  /^\/(?:storage\/v1\/(version$|lease\/|immutable\/)|meshward\/v1\/(joint$|whole\/))(?:([a-z2-7]{26})(?:\/(\d{1,3}|shares)(\/abort|\/corrupt)?)?)?$/;
/** Ranges up to this length are read and sent as one. */
const readAtOnceBytes = 512 * 1024;

export function createRequestHandler(options: RequestHandlerOptions): RequestHandler {
  const { shares, uploads, wholeShares, fences, advisories, bandwidth, limits, clock, disk, onChange } = options;
  const authorization = new SecretDigest(authorizationValue(options.swissnum));
  const counts: Counts = {
    requests: 0,
    refused: 0,
    failed: 0,
    shareBytesRead: 0,
    shareBytesWritten: 0,
    sharesStored: 0,
  };
  let isReadOnly = options.readOnly;
  const space = new FreeSpace({
    disk,
    root: options.root,
    clock,
    reservedBytes: limits.reservedDiskBytes,
    promisedBytes: () => uploads.promisedBytes + wholeShares.promisedBytes,
  });
  const requests = new ShareRequests({ ...options, space, counts, isReadOnly: () => isReadOnly });

  async function dispatch(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!authorization.matches(request.headers.authorization ?? '')) throw new Refusal(401, 'wrong authorization');
    const match = pathPattern.exec(request.url ?? '');
    const [, ofStorage, ofOurs, si = '', part = '', action = ''] = match ?? [];
    const family = ofStorage ?? ofOurs;
    if (
      match === null ||
      (family === 'version' || family === 'joint') !== (si === '') ||
      (si !== '' && !isStorageIndex(si))
    ) {
      throw new Refusal(404, 'no such resource');
    }
    const shape = `${request.method} ${family}${si === '' ? '' : 'SI'}${/^\d/.test(part) ? '/N' : part && `/${part}`}${action}`;
    const exchange: Exchange = { request, response, index: si as StorageIndex, shareNumber: Number(part) };
    if (/^\d/.test(part) && exchange.shareNumber > 255) throw new Refusal(404, 'share numbers end at 255');
    switch (shape) {
      case 'GET version':
        secretsOf(request, []);
        return replyMessage(exchange, 200, message.encodeVersion(await version()));
      case 'GET immutable/SI/shares':
        secretsOf(request, []);
        return replyMessage(exchange, 200, message.encodeShareNumbers(await shares.list(exchange.index)));
      case 'GET immutable/SI/N':
        secretsOf(request, []);
        return read(exchange);
      case 'POST immutable/SI':
        return allocate(exchange, secretsOf(request, ['lease-renew-secret', 'lease-cancel-secret', 'upload-secret']));
      case 'PATCH immutable/SI/N':
        return write(exchange, secretsOf(request, ['upload-secret']));
      case 'PUT whole/SI/N':
        return putWhole(exchange, secretsOf(request, ['lease-renew-secret', 'lease-cancel-secret', 'upload-secret']));
      case 'POST joint':
        secretsOf(request, []);
        return joint(exchange);
      case 'PUT immutable/SI/N/abort':
        return abort(exchange, secretsOf(request, ['upload-secret']));
      case 'PUT lease/SI':
        return renewLease(exchange, secretsOf(request, ['lease-renew-secret', 'lease-cancel-secret']));
      case 'POST immutable/SI/N/corrupt':
        secretsOf(request, []);
        return advise(exchange);
      default:
        throw new Refusal(405, 'no such method here');
    }
  }

  async function version(): Promise<message.StorageVersion> {
    const availableBytes = isReadOnly ? 0 : await space.measure();
    return {
      applicationVersion: message.ownVersion,
      availableBytes,
      maximumShareBytes: Math.min(limits.maxShareBytes, availableBytes),
    };
  }

  async function read({ request, response, index, shareNumber }: Exchange): Promise<void> {
    const asked = closedRange(request);
    if (asked !== undefined && asked.end - asked.begin <= readAtOnceBytes) {
      const { begin, end } = asked;
      const part = await requests.soundly(index, shareNumber, () =>
        shares.readPart(index, shareNumber, begin, end - begin),
      );
      if (part === null) throw new Refusal(404, 'no such share');
      if (part !== undefined) {
        if (begin >= part.dataBytes) return reply(response, 204);
        await pace(response.socket, bandwidth, part.bytes.length);
        counts.shareBytesRead += part.bytes.length;
        const range = `bytes ${begin}-${begin + part.bytes.length - 1}/*`;
        response.writeHead(206, {
          'Content-Range': range,
          'Content-Type': message.shareType,
          'Content-Length': part.bytes.length,
        });
        endWith(response, part.bytes);
        return;
      }
    }
    const send = async (share: ReadableShare): Promise<void> => {
      let [begin, end] = [0, share.dataBytes];
      if (asked !== undefined) {
        begin = asked.begin;
        end = Math.min(end, asked.end);
        if (begin >= end) return reply(response, 204);
        response.setHeader('Content-Range', `bytes ${begin}-${end - 1}/*`);
      }
      response.statusCode = asked === undefined ? 200 : 206;
      counts.shareBytesRead += await sendShareData(response, share, begin, end, bandwidth);
    };
    const found = await requests.soundly(index, shareNumber, () => shares.withShare(index, shareNumber, send));
    if (found === null) throw new Refusal(404, 'no such share');
  }

  async function allocate({ request, response, index }: Exchange, secrets: Secrets): Promise<void> {
    const wanted = message.decodeAllocateRequest(await readMessage(request));
    if (wanted.allocatedBytes === 0) throw new Refusal(400, 'a share has at least one byte');
    const fence = await fenceOf(request);
    const leases = leaseSecretsOf(secrets);
    const alreadyHave = await shares.list(index);
    if (alreadyHave.size > 0 && !isReadOnly) await shares.addOrRenewLeases(index, leases, 0);
    const uploadSecret = secrets['upload-secret'] as Uint8Array;
    const allocated = new Set<number>();
    for (const shareNumber of wanted.shareNumbers) {
      if (alreadyHave.has(shareNumber)) continue;
      const current = uploads.find(index, shareNumber);
      if (current !== undefined) {
        if (current.secret.matches(uploadSecret) && current.sizeBytes === wanted.allocatedBytes) {
          allocated.add(shareNumber); // asked again, perhaps because our answer was lost
          continue;
        }
        if (current.fence === undefined || !fences.isOutdated(current.fence)) continue;
        await uploads.abort(current);
      }
      if (isReadOnly || uploads.isFull || wanted.allocatedBytes > limits.maxShareBytes) continue;
      if (wanted.allocatedBytes > (await space.measure())) continue;
      // Again, after the awaits: the same number may have been asked for by two.
      if (uploads.find(index, shareNumber) !== undefined) continue;
      uploads.begin(index, shareNumber, { sizeBytes: wanted.allocatedBytes, secret: uploadSecret, leases, fence });
      allocated.add(shareNumber);
    }
    replyMessage({ request, response }, 200, message.encodeAllocateReply({ alreadyHave, allocated }));
  }

  async function write({ request, response, index, shareNumber }: Exchange, secrets: Secrets): Promise<void> {
    const range = /^bytes (\d{1,16})-(\d{1,16})\/(?:\*|\d+)$/.exec(request.headers['content-range'] ?? '');
    if (range === null) throw new Refusal(416, 'give a content range of bytes');
    const [begin, end] = [Number(range[1]), Number(range[2]) + 1];
    const upload = await uploadOf(request, index, shareNumber, secrets);
    if (upload === undefined) throw new Refusal(404, 'no such upload');
    if (begin >= end || end > upload.sizeBytes) throw new Refusal(416, 'the range is not within the allocated size');
    const declared = request.headers['content-length'];
    if (declared !== undefined && Number(declared) !== end - begin)
      throw new Refusal(400, 'the body is not as long as its range');
    let position = begin;
    for await (const piece of bodyPieces(request, end - begin)) {
      await pace(request.socket, bandwidth, piece.sizeBytes);
      const outcome = await uploads.write(upload, position, piece.parts);
      for (const part of piece.parts) spentChunks.add(part);
      if (outcome.kind === 'conflict') throw new Refusal(409, 'other bytes are there already');
      if (outcome.kind === 'too-scattered') throw new Refusal(413, 'too many separate pieces');
      if (outcome.kind === 'gone') throw new Refusal(404, 'no such upload');
      position += piece.sizeBytes;
      counts.shareBytesWritten += piece.sizeBytes;
      if (outcome.isComplete) {
        counts.sharesStored++;
        onChange({ kind: 'stored', storageIndex: index, shareNumber, shareBytes: upload.sizeBytes });
      }
      if (position === end)
        return replyMessage(
          { request, response },
          outcome.isComplete ? 201 : 200,
          message.encodeRequired(outcome.required),
        );
    }
    throw new Refusal(400, 'the body is shorter than its range');
  }

  /** Room, bytes and their place in one exchange, where clients of Tahoe allocate first (FORMAT section 11). */
  async function putWhole({ request, response, index, shareNumber }: Exchange, secrets: Secrets): Promise<void> {
    const sizeBytes = bodyBytes(request, message.wholeShareMaxBytes);
    const share = { index, shareNumber, ...leaseSecretsOf(secrets), fence: fenceIn(request) };
    await requests.accept(share);
    requests.checkRoom(sizeBytes, space.left);
    const giveBack = requests.promise(sizeBytes);
    let outcome: WholeOutcome;
    try {
      await pace(request.socket, bandwidth, sizeBytes);
      const body = await wholeBody(request, sizeBytes);
      outcome = await requests.store(share, body);
      freeAtOnce(body);
    } finally {
      giveBack();
    }
    reply(response, outcome === 'stored' ? 201 : 200);
  }

  /** Several of those, and reads, in one exchange: one that is refused leaves the others as they are. */
  async function joint({ request, response }: Pick<Exchange, 'request' | 'response'>): Promise<void> {
    const sizeBytes = bodyBytes(request, jointMaxBytes);
    const giveBack = requests.promise(sizeBytes);
    try {
      await pace(request.socket, bandwidth, sizeBytes);
      const body = await wholeBody(request, sizeBytes);
      const outcomes = await requests.all(decodeJointRequest(body), () => space.left + sizeBytes);
      freeAtOnce(body);
      const readBytes = outcomes.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
      await pace(response.socket, bandwidth, readBytes);
      const answer = encodeJointAnswer(outcomes);
      for (const { bytes } of outcomes) if (bytes !== undefined) freeAtOnce(bytes);
      response.writeHead(200, { 'Content-Type': message.shareType, 'Content-Length': answer.length });
      endWith(response, answer);
    } finally {
      giveBack();
    }
  }

  async function abort({ request, response, index, shareNumber }: Exchange, secrets: Secrets): Promise<void> {
    const upload = await uploadOf(request, index, shareNumber, secrets);
    if (upload === undefined) {
      const isFinished = (await shares.list(index)).has(shareNumber);
      throw isFinished ? new Refusal(405, 'the share is complete') : new Refusal(404, 'no such upload');
    }
    await uploads.abort(upload);
    reply(response, 200);
  }

  async function renewLease({ response, index }: Exchange, secrets: Secrets): Promise<void> {
    const count = await shares.addOrRenewLeases(index, leaseSecretsOf(secrets), 1);
    if (count === 0) throw new Refusal(404, 'no share of this file');
    reply(response, 204);
  }

  async function advise({ request, response, index, shareNumber }: Exchange): Promise<void> {
    const reason = message.decodeReason(await readMessage(request));
    if (!(await shares.list(index)).has(shareNumber)) throw new Refusal(404, 'no such share');
    await advisories.add(index, shareNumber, reason);
    onChange({ kind: 'corruption-reported', storageIndex: index, shareNumber });
    reply(response, 200);
  }

  async function uploadOf(
    request: IncomingMessage,
    index: StorageIndex,
    shareNumber: number,
    secrets: Secrets,
  ): Promise<Upload | undefined> {
    await fenceOf(request);
    const upload = uploads.find(index, shareNumber);
    if (upload === undefined) return undefined;
    if (!upload.secret.matches(secrets['upload-secret'] as Uint8Array)) throw new Refusal(401, 'wrong upload secret');
    // Whoever began it was replaced meanwhile: its share must not appear any more.
    if (upload.fence !== undefined && fences.isOutdated(upload.fence)) {
      await uploads.abort(upload);
      throw new Refusal(409, 'fenced');
    }
    return upload;
  }

  async function fenceOf(request: IncomingMessage): Promise<Fence | undefined> {
    const fence = fenceIn(request);
    await requests.admit(fence);
    return fence;
  }

  function replyMessage(
    { request, response }: Pick<Exchange, 'request' | 'response'>,
    status: number,
    body: Uint8Array,
  ): void {
    const accept = request.headers.accept;
    if (accept !== undefined && !accept.includes(message.cborType))
      throw new Refusal(406, `only ${message.cborType} is spoken here`);
    reply(response, status, body);
  }

  async function settle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await dispatch(request, response);
    } catch (error) {
      // The client went away in the midst.
      const isOver = response.destroyed || request.errored !== null;
      if (isOver && !(error instanceof Refusal || error instanceof message.MalformedMessage)) return;
      refuse(request, response, requests.refusalOf(error));
    }
  }

  return {
    handle(request, response) {
      counts.requests++;
      void settle(request, response);
    },
    setReadOnly(readOnly) {
      isReadOnly = readOnly;
    },
    counts: () => ({ ...counts }),
  };
}
