import { MeshwardError } from './errors.ts';

declare const brand: unique symbol;

/** A peer is its key: base64url (no padding, 43 characters) of SHA-256 over the DER SubjectPublicKeyInfo; the GBS pin. */
export type PeerId = string & { readonly [brand]: 'PeerId' };

export const peerIdBytes = 32;

/** The same as a regular expression: the last character holds four bits. */
export const peerIdPattern = '^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$';

export function isPeerId(text: string): text is PeerId {
  return /^[A-Za-z0-9_-]{43}$/.test(text) && Buffer.from(text, 'base64url').toString('base64url') === text;
}

/** @throws MeshwardError `bad-input` where the text is not 43 canonical base64url characters. */
export function parsePeerId(text: string): PeerId {
  if (!isPeerId(text)) {
    throw new MeshwardError('bad-input', `"${text.slice(0, 60)}" is not a peer id`, {
      next: 'A peer id is 43 characters of base64url; `meshward peers` lists them.',
    });
  }
  return text;
}

export function peerIdFromBytes(bytes: Uint8Array): PeerId {
  if (bytes.length !== peerIdBytes) throw new RangeError('a peer id has 32 bytes');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64url') as PeerId;
}

export function peerIdToBytes(peer: PeerId): Uint8Array {
  return new Uint8Array(Buffer.from(peer, 'base64url'));
}
