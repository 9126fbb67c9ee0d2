/** Bodies in and out of one HTTP exchange on the server's side, each piece bounded and paced by the slower end. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TokenBucket } from '#mesh/token-bucket.ts';
import { freeAtOnce, SpentChunks } from './free-at-once.ts';
import { cborType, encodeRefusal, messageMaxBytes, shareType } from './message.ts';
import type { ReadableShare } from './share-folder.ts';

/** Share data is moved in pieces of this size: it bounds the memory of a connection. */
const pieceBytes = 256 * 1024;
/** Of a refused body, at most this much is read away so that the client can see why; beyond, the connection is closed. */
const drainedBodyMaxBytes = 4 * 1024 * 1024;

/** An answer other than success. `error` is sent as CBOR `{"error": …}`; it repeats nothing secret. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, error: string) {
    super(error);
    this.status = status;
  }
}

export function reply(response: ServerResponse, status: number, body?: Uint8Array): void {
  response.statusCode = status;
  if (status !== 204) response.setHeader('Content-Length', body?.length ?? 0);
  if (body !== undefined) response.setHeader('Content-Type', cborType);
  response.end(body);
}

export function refuse(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  if (response.headersSent) {
    response.destroy(); // the status is out: a cut-off body is all that can still tell
    return;
  }
  const declared = request.headers['content-length'];
  const isLong = request.headers['transfer-encoding'] !== undefined || Number(declared ?? 0) > drainedBodyMaxBytes;
  if (!request.complete) {
    if (isLong) response.setHeader('Connection', 'close');
    else request.resume(); // a client that is still sending would not listen
  }
  response.removeHeader('Content-Range');
  reply(response, refusal.status, encodeRefusal(refusal.message));
}

/** A whole CBOR body. @throws Refusal 415 for another type, 413 beyond the limit. */
export async function readMessage(request: IncomingMessage): Promise<Uint8Array> {
  const type = request.headers['content-type'];
  if (type !== undefined && !type.startsWith(cborType)) throw new Refusal(415, `only ${cborType} is spoken here`);
  if (Number(request.headers['content-length'] ?? 0) > messageMaxBytes) throw new Refusal(413, 'the body is too long');
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of readOn(request)) {
    sizeBytes += part.length;
    if (sizeBytes > messageMaxBytes) throw new Refusal(413, 'the body is too long');
    parts.push(part);
  }
  return Buffer.concat(parts);
}

export interface BodyPiece {
  readonly parts: readonly Uint8Array[];
  readonly sizeBytes: number;
}

/** The body in pieces of at least 256 KiB but the last. @throws Refusal 400 where it is longer than `lengthBytes`. */
export async function* bodyPieces(request: IncomingMessage, lengthBytes: number): AsyncGenerator<BodyPiece> {
  let parts: Buffer[] = [];
  let sizeBytes = 0;
  let totalBytes = 0;
  for await (const part of readOn(request)) {
    totalBytes += part.length;
    if (totalBytes > lengthBytes) throw new Refusal(400, 'the body is longer than its range');
    parts.push(part);
    sizeBytes += part.length;
    // What completes the range is kept for after the loop: a body that goes on must not have been acted upon.
    if (sizeBytes < pieceBytes || totalBytes === lengthBytes) continue;
    yield { parts, sizeBytes };
    parts = [];
    sizeBytes = 0;
  }
  if (sizeBytes > 0) yield { parts, sizeBytes };
}

/** Of bodies that were copied or written. */
export const spentChunks = new SpentChunks();

/**
 * The whole body, of a length that was checked: by events, since an iterator costs several turns of the event loop for each chunk of a
 * connection. Rejects where it breaks off. @throws Refusal 400 where it has another length.
 */
export function wholeBody(request: IncomingMessage, lengthBytes: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const body = Buffer.allocUnsafeSlow(lengthBytes);
    let sizeBytes = 0;
    request.on('data', (part: Buffer) => {
      if (sizeBytes + part.length > lengthBytes) return reject(new Refusal(400, 'the body is longer than was said'));
      body.set(part, sizeBytes);
      sizeBytes += part.length;
      spentChunks.add(part);
    });
    request.once('end', () => {
      if (sizeBytes === lengthBytes) resolve(body);
      else reject(new Refusal(400, 'the body is too short'));
    });
    request.once('error', reject);
    request.once('close', () => reject(new Error('the connection broke amid the body')));
  });
}

/** Sends the only part of a body, and gives its memory back, of which it has all, when it has gone. */
export function endWith(response: ServerResponse, bytes: Uint8Array): void {
  // A connection that breaks before may have it under way still.
  response.end(bytes, () => freeAtOnce(bytes));
}

/** Waits until `bytes` may pass. The connection stands still by our will then, so its idle timeout is suspended. */
export async function pace(socket: Socket | null, bandwidth: TokenBucket, bytes: number): Promise<void> {
  if (!bandwidth.isLimited) return;
  const idleTimeoutMs = socket?.timeout ?? 0;
  socket?.setTimeout(0);
  await bandwidth.pay(bytes);
  socket?.setTimeout(idleTimeoutMs);
}

/** Sends begin…end of the share as the body. @returns bytes sent; stops early where the client goes away. */
export async function sendShareData(
  response: ServerResponse,
  share: ReadableShare,
  begin: number,
  end: number,
  bandwidth: TokenBucket,
): Promise<number> {
  response.setHeader('Content-Type', shareType);
  response.setHeader('Content-Length', end - begin);
  let position = begin;
  while (position < end && !response.destroyed) {
    const piece = Buffer.allocUnsafeSlow(Math.min(pieceBytes, end - position));
    await pace(response.socket, bandwidth, piece.length);
    if ((await share.read(piece, position)) < piece.length) {
      // Cut short under our hands. The length is promised, so the connection must break for the client to see it.
      throw new Error('the share file became shorter while it was read');
    }
    position += piece.length;
    if (position === end) endWith(response, piece);
    else if (!response.write(piece, (error) => (error ? undefined : freeAtOnce(piece)))) await drained(response);
  }
  if (begin === end) response.end();
  return position - begin;
}

/** A refusal in the midst of a body must not destroy the request, and with it the connection that the answer goes out on. */
function readOn(request: IncomingMessage): AsyncIterable<Buffer> {
  return request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.removeListener('drain', done);
      response.removeListener('close', done);
      resolve();
    };
    response.once('drain', done);
    response.once('close', done);
    if (response.destroyed) done();
  });
}
