/** The UEB (URI extension block): the numbers and root hashes of a file, pinned by the cap (FORMAT section 7). */
import { MeshwardError } from '#mesh/errors.ts';
import type { Manifest } from '#mesh/manifest.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { taggedHash } from '#native/hash.ts';
import { computeLayout, type FileShape, hashBytes, type ShareLayout, type ShareVersion } from './layout.ts';
import { shareError } from './share-errors.ts';

export interface Ueb extends FileShape {
  readonly shareRootHash: Uint8Array;
  readonly crypttextRootHash: Uint8Array;
  /** Over the whole ciphertext; null where an old uploader left it out. */
  readonly crypttextHash: Uint8Array | null;
  /** As it stands in the share. Shares are regenerated with these bytes: old files may hold fields unknown here. */
  readonly bytes: Uint8Array;
}

/** Readers refuse a UEB of this length or more. */
export const uebLimitBytes = 2000;

export function uebHash(bytes: Uint8Array): Uint8Array {
  return taggedHash('allmydata_uri_extension_v1', bytes);
}

/** @throws MeshwardError `share-malformed` where the bytes are not a consistent UEB. */
export function parseUeb(bytes: Uint8Array): Ueb {
  if (bytes.length >= uebLimitBytes) throw malformed(`it has ${bytes.length} bytes, the limit is ${uebLimitBytes}`);
  const fields = parseFields(bytes);
  const k = decimal(fields, 'needed_shares');
  const n = decimal(fields, 'total_shares');
  const ueb: Ueb = {
    k,
    n,
    sizeBytes: decimal(fields, 'size'),
    segmentBytes: decimal(fields, 'segment_size'),
    shareRootHash: hash(fields, 'share_root_hash'),
    crypttextRootHash: hash(fields, 'crypttext_root_hash'),
    crypttextHash: fields.has('crypttext_hash') ? hash(fields, 'crypttext_hash') : null,
    bytes,
  };
  const layout = layoutOfUeb(ueb);
  expectText(fields, 'codec_name', 'crs');
  expectText(fields, 'codec_params', `${ueb.segmentBytes}-${k}-${n}`);
  expectText(fields, 'tail_codec_params', `${layout.tailBlockBytes * k}-${k}-${n}`);
  expectText(fields, 'num_segments', String(layout.segmentCount));
  return ueb;
}

/** @throws MeshwardError `share-malformed` where the UEB's numbers make no share that can be handled. */
export function layoutOfUeb(ueb: Ueb, version?: ShareVersion): ShareLayout {
  try {
    return computeLayout(ueb, version);
  } catch (error) {
    if (error instanceof MeshwardError)
      throw shareError('share-malformed', `its UEB: ${error.message}`, { cause: error });
    throw error;
  }
}

/**
 * The UEB, once it is known to be the one that `manifest` pins.
 *
 * @throws MeshwardError `share-mismatch` where it is a sound UEB of another file, else `share-corrupt`.
 */
export function parseUebOf(bytes: Uint8Array, manifest: Manifest): Ueb {
  if (Buffer.compare(uebHash(bytes), manifest.uebHash) !== 0) throw explainForeignUeb(bytes, manifest);
  const ueb = parseUeb(bytes);
  if (!hasSameNumbers(ueb, manifest)) {
    throw shareError('share-mismatch', `the file is ${describe(ueb)}, and not ${describe(manifest)} as the cap says`);
  }
  return ueb;
}

/**
 * The manifest that a share itself states. Trust on first share: nothing binds the storage index to the UEB, so
 * a lying peer can forge it; a cap from the file's owner cannot be forged.
 */
export function deriveManifest(storageIndex: StorageIndex, ueb: Ueb): Manifest {
  return { storageIndex, uebHash: uebHash(ueb.bytes), k: ueb.k, n: ueb.n, sizeBytes: ueb.sizeBytes };
}

/** The UEB of a new file, as Tahoe-LAFS 1.20 writes it. */
export function buildUeb(
  layout: ShareLayout,
  hashes: { crypttextHash: Uint8Array; crypttextRootHash: Uint8Array; shareRootHash: Uint8Array },
): Ueb {
  const { k, n, segmentBytes, sizeBytes } = layout;
  const fields: [string, string | Uint8Array][] = [
    ['codec_name', 'crs'],
    ['codec_params', `${segmentBytes}-${k}-${n}`],
    ['crypttext_hash', hashes.crypttextHash],
    ['crypttext_root_hash', hashes.crypttextRootHash],
    ['needed_shares', String(k)],
    ['num_segments', String(layout.segmentCount)],
    ['segment_size', String(segmentBytes)],
    ['share_root_hash', hashes.shareRootHash],
    ['size', String(sizeBytes)],
    ['tail_codec_params', `${layout.tailBlockBytes * k}-${k}-${n}`],
    ['total_shares', String(n)],
  ];
  const parts = fields.flatMap(([key, value]) => [
    Buffer.from(`${key}:${value.length}:`),
    typeof value === 'string' ? Buffer.from(value) : value,
    Buffer.from(','),
  ]);
  const { crypttextHash, crypttextRootHash, shareRootHash } = hashes;
  const bytes = new Uint8Array(Buffer.concat(parts));
  return { k, n, sizeBytes, segmentBytes, crypttextHash, crypttextRootHash, shareRootHash, bytes };
}

/** Its length before its hashes are known: they have 32 bytes whatever they are. */
export function uebBytesOf(layout: ShareLayout): number {
  const blank = new Uint8Array(hashBytes);
  return buildUeb(layout, { crypttextHash: blank, crypttextRootHash: blank, shareRootHash: blank }).bytes.length;
}

/** `key:` + netstring, again and again, to the end. */
function parseFields(bytes: Uint8Array): Map<string, Uint8Array> {
  const fields = new Map<string, Uint8Array>();
  const colon = 0x3a;
  let position = 0;
  while (position < bytes.length) {
    const keyEnd = bytes.indexOf(colon, position);
    const lengthEnd = keyEnd < 0 ? -1 : bytes.indexOf(colon, keyEnd + 1);
    if (lengthEnd < 0) throw malformed('a field has no end');
    const key = latin1(bytes.subarray(position, keyEnd));
    const length = wholeNumber(latin1(bytes.subarray(keyEnd + 1, lengthEnd)), 'a length');
    const valueEnd = lengthEnd + 1 + length;
    if (bytes[valueEnd] !== 0x2c) throw malformed('a field is not a netstring');
    if (fields.has(key)) throw malformed('a field stands in it twice');
    fields.set(key, bytes.subarray(lengthEnd + 1, valueEnd));
    position = valueEnd + 1;
  }
  return fields;
}

function explainForeignUeb(bytes: Uint8Array, manifest: Manifest): MeshwardError {
  let other: Ueb | null = null;
  try {
    other = parseUeb(bytes);
  } catch (error) {
    if (!(error instanceof MeshwardError)) throw error;
  }
  if (other !== null && !hasSameNumbers(other, manifest)) {
    return shareError('share-mismatch', `a share of another file (${describe(other)}, not ${describe(manifest)})`);
  }
  return shareError('share-corrupt', 'the UEB does not match its hash in the cap');
}

function hasSameNumbers(
  a: Pick<Manifest, 'k' | 'n' | 'sizeBytes'>,
  b: Pick<Manifest, 'k' | 'n' | 'sizeBytes'>,
): boolean {
  return a.k === b.k && a.n === b.n && a.sizeBytes === b.sizeBytes;
}

function describe(file: Pick<Manifest, 'k' | 'n' | 'sizeBytes'>): string {
  return `${file.k}-of-${file.n}, ${file.sizeBytes} bytes`;
}

function decimal(fields: Map<string, Uint8Array>, key: string): number {
  return wholeNumber(latin1(field(fields, key)), key);
}

function wholeNumber(text: string, what: string): number {
  if (!/^(0|[1-9]\d{0,15})$/.test(text) || !Number.isSafeInteger(Number(text))) throw malformed(`${what} is no number`);
  return Number(text);
}

function hash(fields: Map<string, Uint8Array>, key: string): Uint8Array {
  const value = field(fields, key);
  if (value.length !== hashBytes) throw malformed(`${key} has ${value.length} bytes and not ${hashBytes}`);
  return value;
}

function field(fields: Map<string, Uint8Array>, key: string): Uint8Array {
  const value = fields.get(key);
  if (value === undefined) throw malformed(`${key} is missing`);
  return value;
}

/** Readers take these fields as a check only, so a UEB may lack them. */
function expectText(fields: Map<string, Uint8Array>, key: string, expected: string): void {
  const value = fields.get(key);
  if (value !== undefined && latin1(value) !== expected) throw malformed(`its ${key} contradicts its other numbers`);
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

function malformed(reason: string): MeshwardError {
  return shareError('share-malformed', `not a usable UEB: ${reason}`);
}
