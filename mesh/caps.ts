/**
 * Tahoe-LAFS capability strings for immutable files: read caps, verify caps and literal caps. An immutable directory is such a file under
 * another name (`URI:DIR2-CHK:`, `URI:DIR2-CHK-Verifier:`, `URI:DIR2-LIT:`): its shares are those of any other.
 */
import { createHash } from 'node:crypto';
import { decodeBase32, encodeBase32 } from './base32.ts';
import { checkCoding } from './coding.ts';
import { MeshwardError } from './errors.ts';
import type { Manifest } from './manifest.ts';
import { isStorageIndex, type StorageIndex, storageIndexFromBytes } from './storage-index.ts';

/** Reads the file. `key` is the 16-byte AES key: a secret, never to be logged or stored by a service. */
export interface ReadCap {
  readonly kind: 'read';
  readonly key: Uint8Array;
  readonly manifest: Manifest;
}

/** Checks and repairs the file without being able to read it. */
export interface VerifyCap {
  readonly kind: 'verify';
  readonly manifest: Manifest;
}

/** The file itself (at most 55 bytes): it has no shares, so nothing can be lost and nothing needs watching. */
export interface LiteralCap {
  readonly kind: 'literal';
  readonly data: Uint8Array;
}

export type Cap = ReadCap | VerifyCap | LiteralCap;

/** Files of at most this many bytes are literal caps. */
export const literalMaxBytes = 55;

const directoryPrefix = 'DIR2-';

/** @throws MeshwardError `bad-cap`; the message never repeats a read cap's key. */
export function parseCap(text: string): Cap {
  const fields = text.trim().split(':');
  const [scheme, name = '', subject = '', uebHashText, k, n, size] = fields;
  if (scheme !== 'URI' || fields.length < 3) throw badCap('it does not begin with URI: and a kind');
  const kind = name.startsWith(directoryPrefix) ? name.slice(directoryPrefix.length) : name;
  if (kind === 'LIT') {
    const data = fields.length === 3 ? decodeBase32(subject) : null;
    if (data === null) throw badCap('its literal data is not base32');
    return { kind: 'literal', data };
  }
  if ((kind !== 'CHK' && kind !== 'CHK-Verifier') || fields.length !== 7)
    throw badCap(unsupportedKind(name, kind, fields.length));
  const uebHash = decodeBase32(uebHashText as string);
  if (uebHash?.length !== 32) throw badCap('its UEB hash is not 32 bytes of base32');
  const coding = checkCoding(decimal(k as string, 'k'), decimal(n as string, 'n'));
  const sizeBytes = decimal(size as string, 'size');
  if (kind === 'CHK-Verifier') {
    if (!isStorageIndex(subject)) throw badCap('its storage index is not 16 bytes of base32');
    return { kind: 'verify', manifest: { storageIndex: subject, uebHash, ...coding, sizeBytes } };
  }
  const key = decodeBase32(subject);
  if (key?.length !== 16) throw badCap('its key is not 16 bytes of base32');
  return { kind: 'read', key, manifest: { storageIndex: storageIndexOfKey(key), uebHash, ...coding, sizeBytes } };
}

/** The manifest that a read or verify cap names. @throws MeshwardError `bad-cap` for a literal cap. */
export function parseManifest(text: string): Manifest {
  const cap = parseCap(text);
  if (cap.kind === 'literal') {
    throw new MeshwardError('bad-cap', 'a literal cap holds the file itself and has no shares', {
      next: `Files of at most ${literalMaxBytes} bytes live in their cap: keep the cap, there is nothing to check or repair.`,
    });
  }
  return cap.manifest;
}

export function formatCap(cap: Cap): string {
  switch (cap.kind) {
    case 'literal':
      return `URI:LIT:${encodeBase32(cap.data)}`;
    case 'verify':
      return formatVerifyCap(cap.manifest);
    case 'read':
      return `URI:CHK:${encodeBase32(cap.key)}:${formatTail(cap.manifest)}`;
  }
}

export function formatVerifyCap(manifest: Manifest): string {
  return `URI:CHK-Verifier:${manifest.storageIndex}:${formatTail(manifest)}`;
}

/** First 16 bytes of the tagged SHA-256d of the AES key (FORMAT section 1). */
export function storageIndexOfKey(key: Uint8Array): StorageIndex {
  const tag = 'allmydata_immutable_key_to_storage_index_v1';
  const once = createHash('sha256').update(`${tag.length}:${tag},`).update(key).digest();
  return storageIndexFromBytes(createHash('sha256').update(once).digest());
}

function formatTail(manifest: Manifest): string {
  return `${encodeBase32(manifest.uebHash)}:${manifest.k}:${manifest.n}:${manifest.sizeBytes}`;
}

function decimal(text: string, field: string): number {
  if (!/^(0|[1-9]\d{0,15})$/.test(text) || !Number.isSafeInteger(Number(text)))
    throw badCap(`its ${field} is not a whole number`);
  return Number(text);
}

function unsupportedKind(name: string, kind: string, fieldCount: number): string {
  if (/^CHK(-Verifier)?$/.test(kind) && fieldCount !== 7) return 'it does not have seven fields';
  if (/^(SSK|MDMF|DIR2(?!-CHK|-LIT|-DIR2))/.test(name))
    return `${name.slice(0, 20)} caps name mutable files or directories, which need their write cap to repair`;
  return `its kind "${name.slice(0, 20)}" is unknown`;
}

function badCap(reason: string): MeshwardError {
  return new MeshwardError('bad-cap', `not a usable cap: ${reason}`, {
    next: 'Give a cap such as URI:CHK:…:…:25:100:SIZE (read) or URI:CHK-Verifier:…:…:25:100:SIZE (verify).',
  });
}
