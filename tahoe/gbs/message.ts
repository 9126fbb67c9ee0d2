/**
 * The CBOR bodies of GBS, checked at the border: what comes out of here has the right shape and bounded size.
 * Sets are tag 258 (`#6.258`), the keys of the version map are byte strings.
 */
import { decode, encode, Tagged } from 'cborg';
import type { ByteRange } from './range-set.ts';

export const cborType = 'application/cbor';
export const shareType = 'application/octet-stream';
/** Longest CBOR body that a server of ours takes and that a client of ours accepts. */
export const messageMaxBytes = 64 * 1024;
/** Longest text of a corruption advisory, in UTF-8 (Tahoe's own limit). */
export const reasonMaxBytes = 32_765;
/** What servers of ours say that they are: from 0.2 on they take whole shares in one exchange, from 0.3 on longer ones, from 0.4 on joint exchanges. */
export const ownVersion = 'meshward/0.4';
const setTag = 258;
const v1Key = 'http://allmydata.org/tahoe/protocols/storage/v1';

/** A body that does not have the shape which the protocol gives it. */
export class MalformedMessage extends Error {}

export interface StorageVersion {
  readonly applicationVersion: string;
  readonly maximumShareBytes: number;
  readonly availableBytes: number;
}

export interface AllocateRequest {
  readonly shareNumbers: ReadonlySet<number>;
  readonly allocatedBytes: number;
}

export interface AllocateReply {
  readonly alreadyHave: ReadonlySet<number>;
  readonly allocated: ReadonlySet<number>;
}

export function encodeVersion(version: StorageVersion): Uint8Array {
  const storage = new Map<Uint8Array, unknown>([
    [ascii('maximum-immutable-share-size'), version.maximumShareBytes],
    [ascii('maximum-mutable-share-size'), 0],
    [ascii('available-space'), version.availableBytes],
  ]);
  return encode(
    new Map<Uint8Array, unknown>([
      [ascii(v1Key), storage],
      [ascii('application-version'), Buffer.from(version.applicationVersion)],
    ]),
  );
}

export function decodeVersion(body: Uint8Array): StorageVersion {
  const outer = textKeys(decodeBody(body));
  const storage = textKeys(outer.get(v1Key));
  const applicationVersion = outer.get('application-version');
  if (!(applicationVersion instanceof Uint8Array))
    throw new MalformedMessage('application-version is not a byte string');
  return {
    applicationVersion: Buffer.from(applicationVersion).toString('utf8').slice(0, 200),
    maximumShareBytes: amount(storage.get('maximum-immutable-share-size')),
    availableBytes: amount(storage.get('available-space')),
  };
}

const mebibyte = 1024 * 1024;
/** Longest share that a server of ours takes in one exchange: it is held in memory until it is on the disk. */
export const wholeShareMaxBytes = 4 * mebibyte;

/** Longest share that the server takes in one exchange; 0 where it takes none. */
export function wholeShareMaxBytesOf({ applicationVersion }: StorageVersion): number {
  const minor = minorOf(applicationVersion);
  if (minor >= 3) return wholeShareMaxBytes;
  return minor === 2 ? mebibyte : 0;
}

/** Whether the server answers joint exchanges (`joint-message.ts`). */
export function takesJointExchanges({ applicationVersion }: StorageVersion): boolean {
  return minorOf(applicationVersion) >= 4;
}

/** Of our peers' `0.<minor>`; infinite for what comes after, 0 for others' software. */
function minorOf(applicationVersion: string): number {
  const [, major = '', minor = ''] = /^meshward\/(\d{1,4})\.(\d{1,4})/.exec(applicationVersion) ?? [];
  return Number(major) > 0 ? Number.POSITIVE_INFINITY : Number(minor);
}

export function encodeShareNumbers(numbers: Iterable<number>): Uint8Array {
  return encode(tagSet(numbers));
}

export function decodeShareNumbers(body: Uint8Array): Set<number> {
  return shareNumbers(decodeBody(body));
}

export function encodeAllocateRequest(request: { shareNumbers: Iterable<number>; allocatedBytes: number }): Uint8Array {
  return encode({ 'share-numbers': tagSet(request.shareNumbers), 'allocated-size': request.allocatedBytes });
}

export function decodeAllocateRequest(body: Uint8Array): AllocateRequest {
  const map = textKeys(decodeBody(body));
  return {
    shareNumbers: shareNumbers(map.get('share-numbers')),
    allocatedBytes: wholeNumber(map.get('allocated-size')),
  };
}

export function encodeAllocateReply(reply: { alreadyHave: Iterable<number>; allocated: Iterable<number> }): Uint8Array {
  return encode({ 'already-have': tagSet(reply.alreadyHave), allocated: tagSet(reply.allocated) });
}

export function decodeAllocateReply(body: Uint8Array): AllocateReply {
  const map = textKeys(decodeBody(body));
  return { alreadyHave: shareNumbers(map.get('already-have')), allocated: shareNumbers(map.get('allocated')) };
}

export function encodeRequired(ranges: readonly ByteRange[]): Uint8Array {
  return encode({ required: ranges.map(({ begin, end }) => ({ begin, end })) });
}

export function decodeRequired(body: Uint8Array): ByteRange[] {
  const ranges = textKeys(decodeBody(body)).get('required');
  if (!Array.isArray(ranges)) throw new MalformedMessage('required is not an array');
  return ranges.map((range: unknown) => {
    const map = textKeys(range);
    return { begin: wholeNumber(map.get('begin')), end: wholeNumber(map.get('end')) };
  });
}

export function encodeReason(reason: string): Uint8Array {
  return encode({ reason });
}

export function decodeReason(body: Uint8Array): string {
  const reason = textKeys(decodeBody(body)).get('reason');
  if (typeof reason !== 'string' || reason === '') throw new MalformedMessage('reason is not a text');
  if (Buffer.byteLength(reason) > reasonMaxBytes) throw new MalformedMessage('reason is too long');
  return reason;
}

/** Why a server of ours refused; Tahoe's send plain text or nothing. */
export function encodeRefusal(error: string): Uint8Array {
  return encode({ error });
}

/** @returns null where the body is something else. Never throws: it is read while another error is being told. */
export function decodeRefusal(body: Uint8Array): string | null {
  try {
    const error = textKeys(decodeBody(body)).get('error');
    return typeof error === 'string' ? error.slice(0, 200) : null;
  } catch {
    return null;
  }
}

/** Any CBOR of bounded length. @throws MalformedMessage */
export function decodeBody(body: Uint8Array): unknown {
  if (body.length > messageMaxBytes) throw new MalformedMessage('longer than a message may be');
  try {
    return decode(body, {
      useMaps: true,
      rejectDuplicateMapKeys: true,
      allowIndefinite: true,
      tags: { [setTag]: (content) => new Set(arrayOf(content())) },
    });
  } catch (error) {
    if (error instanceof MalformedMessage) throw error;
    // Also a RangeError for nesting that would overflow the stack: the body is small, so this is where depth ends.
    throw new MalformedMessage('not CBOR', { cause: error });
  }
}

function tagSet(numbers: Iterable<number>): Tagged {
  return new Tagged(setTag, [...numbers]);
}

function arrayOf(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new MalformedMessage('a set is not an array');
  return value;
}

function textKeys(value: unknown): Map<string, unknown> {
  if (!(value instanceof Map)) throw new MalformedMessage('not a map');
  return new Map(
    [...value].map(([key, content]: [unknown, unknown]) => {
      if (typeof key === 'string') return [key, content];
      if (key instanceof Uint8Array) return [Buffer.from(key).toString('latin1'), content];
      throw new MalformedMessage('a key is neither text nor bytes');
    }),
  );
}

/** Share numbers are below 256: what zfec can make, and what the whole mesh counts with. */
function shareNumbers(value: unknown): Set<number> {
  if (!(value instanceof Set)) throw new MalformedMessage('not a set of share numbers');
  if (value.size > 256) throw new MalformedMessage('more than 256 share numbers');
  for (const number of value as Set<unknown>) {
    if (typeof number !== 'number' || !Number.isInteger(number) || number < 0 || number > 255) {
      throw new MalformedMessage('a share number is not between 0 and 255');
    }
  }
  return value as Set<number>;
}

export function wholeNumber(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new MalformedMessage('not a whole number');
  return value;
}

/** An amount of space may be any 64-bit number, or a bignum from Python: what JavaScript cannot count is simply enough. */
function amount(value: unknown): number {
  return typeof value === 'bigint' && value >= 0n ? Number.MAX_SAFE_INTEGER : wholeNumber(value);
}

function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'ascii');
}
