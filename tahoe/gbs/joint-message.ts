/**
 * Several small exchanges in one: `POST /meshward/v1/joint`. Request and answer are a head and then bytes, one part's after the other:
 *
 *     4 bytes   length of the head, big-endian
 *     head      CBOR: an array with one array for each part
 *     bytes     of the parts that have some, in their order
 *
 * In a request a part is `["put", storage index, share number, length, renew secret, cancel secret, upload secret, fence or null]` or
 * `["read", storage index, share number, offset, length]`; in an answer it is `[status, length, why it was refused or null]`.
 */
import { encode } from 'cborg';
import { isStorageIndex, type StorageIndex } from '#mesh/storage-index.ts';
import type { LeaseSecrets } from '../identity/lease-secrets.ts';
import { type Fence, formatFence, parseFence } from './fence.ts';
import { decodeBody, MalformedMessage, messageMaxBytes, wholeNumber } from './message.ts';

/** Parts of one exchange. */
export const jointMaxParts = 64;
/** What the parts of one exchange bring and ask for together. */
export const jointMaxShareBytes = 512 * 1024;
const lengthBytes = 4;
/** Longest body of a request, and of an answer to one. */
export const jointMaxBytes = lengthBytes + messageMaxBytes + jointMaxShareBytes;

export interface JointPut extends LeaseSecrets {
  readonly kind: 'put';
  readonly index: StorageIndex;
  readonly shareNumber: number;
  readonly uploadSecret: Uint8Array;
  readonly fence?: Fence | undefined;
  /** The whole share. */
  readonly bytes: Uint8Array;
}

export interface JointRead {
  readonly kind: 'read';
  readonly index: StorageIndex;
  readonly shareNumber: number;
  readonly offset: number;
  readonly length: number;
}

export type JointPart = JointPut | JointRead;

/** What became of one part: its status is that of the request which asks for it alone. */
export interface JointOutcome {
  readonly status: number;
  /** Of a range that was read. */
  readonly bytes?: Uint8Array | undefined;
  /** Why it was refused. */
  readonly error?: string | undefined;
}

/** What a part brings or asks for. */
export function shareBytesOf(part: JointPart): number {
  return part.kind === 'put' ? part.bytes.length : part.length;
}

export function encodeJointRequest(parts: readonly JointPart[]): Uint8Array {
  const head = parts.map((part) =>
    part.kind === 'read'
      ? [part.kind, part.index, part.shareNumber, part.offset, part.length]
      : [
          part.kind,
          part.index,
          part.shareNumber,
          part.bytes.length,
          part.renewSecret,
          part.cancelSecret,
          part.uploadSecret,
          part.fence === undefined ? null : formatFence(part.fence),
        ],
  );
  return framed(
    encode(head),
    parts.map((part) => (part.kind === 'put' ? part.bytes : undefined)),
  );
}

/** @throws MalformedMessage. The bytes of the parts are views of the body. */
export function decodeJointRequest(body: Uint8Array): JointPart[] {
  const { head, take, end } = opened(body);
  let readBytes = 0;
  const parts = head.map((entry): JointPart => {
    const [kind, index, number, ...rest] = arrayOf(entry);
    if (typeof index !== 'string' || !isStorageIndex(index)) throw new MalformedMessage('not a storage index');
    const shareNumber = wholeNumber(number);
    if (shareNumber > 255) throw new MalformedMessage('a share number is not between 0 and 255');
    if (kind === 'read' && rest.length === 2) {
      const [offset, length] = [wholeNumber(rest[0]), wholeNumber(rest[1])];
      readBytes += length;
      if (length === 0 || !Number.isSafeInteger(offset + length)) throw new MalformedMessage('not a byte range');
      return { kind, index, shareNumber, offset, length };
    }
    if (kind !== 'put' || rest.length !== 5) throw new MalformedMessage('a part is neither put nor read');
    const [length, renew, cancel, upload, fence] = rest;
    const bytes = take(wholeNumber(length));
    if (bytes.length === 0) throw new MalformedMessage('a share has at least one byte');
    const secrets = { renewSecret: secretOf(renew, 32, 32), cancelSecret: secretOf(cancel, 32, 32) };
    return {
      kind,
      index,
      shareNumber,
      bytes,
      ...secrets,
      uploadSecret: secretOf(upload, 1, 256),
      fence: fenceOf(fence),
    };
  });
  end();
  if (readBytes > jointMaxShareBytes) throw new MalformedMessage('more is asked for than goes into one answer');
  return parts;
}

export function encodeJointAnswer(outcomes: readonly JointOutcome[]): Uint8Array {
  const head = outcomes.map(({ status, bytes, error }) => [status, bytes?.length ?? 0, error ?? null]);
  return framed(
    encode(head),
    outcomes.map(({ bytes }) => bytes),
  );
}

/** @throws MalformedMessage also where it does not fit what was asked. Each range has memory of its own. */
export function decodeJointAnswer(body: Uint8Array, asked: readonly JointPart[]): JointOutcome[] {
  const { head, take, end } = opened(body);
  if (head.length !== asked.length) throw new MalformedMessage('not as many outcomes as parts');
  const outcomes = head.map((entry, at): JointOutcome => {
    const [code, length, said, ...others] = arrayOf(entry);
    const part = asked[at] as JointPart;
    const status = wholeNumber(code);
    const bytes = take(wholeNumber(length));
    const longest = part.kind === 'read' && status === 206 ? part.length : 0;
    const isProper = bytes.length <= longest && (status !== 206 || bytes.length > 0) && others.length === 0;
    if (!isProper || status < 200 || status > 599) throw new MalformedMessage('an outcome that fits no part');
    if (status < 400) return { status, bytes: bytes.length === 0 ? undefined : bytes.slice() };
    return { status, error: typeof said === 'string' ? said.slice(0, 200) : undefined };
  });
  end();
  return outcomes;
}

function framed(head: Uint8Array, contents: readonly (Uint8Array | undefined)[]): Uint8Array {
  const sizeBytes = contents.reduce((sum, bytes) => sum + (bytes?.length ?? 0), lengthBytes + head.length);
  // Memory of its own: it is given back at once when it has gone.
  const body = Buffer.allocUnsafeSlow(sizeBytes);
  body.writeUInt32BE(head.length);
  body.set(head, lengthBytes);
  let at = lengthBytes + head.length;
  for (const bytes of contents) {
    if (bytes === undefined) continue;
    body.set(bytes, at);
    at += bytes.length;
  }
  return body;
}

function opened(body: Uint8Array): { head: unknown[]; take: (bytes: number) => Uint8Array; end: () => void } {
  if (body.length < lengthBytes) throw new MalformedMessage('shorter than its head');
  let at = lengthBytes + new DataView(body.buffer, body.byteOffset).getUint32(0);
  if (at > body.length) throw new MalformedMessage('shorter than its head');
  const head = arrayOf(decodeBody(body.subarray(lengthBytes, at)));
  if (head.length === 0 || head.length > jointMaxParts) throw new MalformedMessage('no part, or too many of them');
  return {
    head,
    take(bytes) {
      const from = at;
      at += bytes;
      if (at > body.length) throw new MalformedMessage('shorter than its parts');
      return body.subarray(from, at);
    },
    end() {
      if (at !== body.length) throw new MalformedMessage('longer than its parts');
    },
  };
}

function arrayOf(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new MalformedMessage('not an array');
  return value;
}

function secretOf(value: unknown, leastBytes: number, mostBytes: number): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length < leastBytes || value.length > mostBytes)
    throw new MalformedMessage('not a secret');
  return value;
}

function fenceOf(value: unknown): Fence | undefined {
  if (value === null) return undefined;
  const fence = typeof value === 'string' ? parseFence(value) : null;
  if (fence === null) throw new MalformedMessage('the fence is not scope:generation');
  return fence;
}
