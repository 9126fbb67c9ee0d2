/**
 * AES-128 in counter mode, starting from zero: how Tahoe-LAFS turns plaintext into ciphertext and back. Every file has
 * its own key, which is why a fixed start is safe; a key must never be used for two files.
 */
import { createCipheriv, randomBytes } from 'node:crypto';
import { type ReadCap, storageIndexOfKey } from '#mesh/caps.ts';
import { type EncodeRequest, type EncodeResult, encodeShares } from './encode.ts';

export const keyBytes = 16;

/** A key for one new file, out of the system's random source. */
export function newFileKey(): Uint8Array {
  return new Uint8Array(randomBytes(keyBytes));
}

/** Encrypts or decrypts, which is the same in counter mode. The chunks keep their lengths. */
export async function* applyKey(
  key: Uint8Array,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const cipher = createCipheriv('aes-128-ctr', key, new Uint8Array(16));
  for await (const chunk of chunks) yield cipher.update(chunk);
}

export interface EncodePlaintextRequest extends Omit<EncodeRequest, 'storageIndex' | 'ciphertext'> {
  readonly plaintext: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** 16 bytes, for this file alone. */
  readonly key: Uint8Array;
}

/** Encrypts and encodes. The read cap in the result opens the file: keep it out of logs and services. */
export async function encodePlaintext(
  request: EncodePlaintextRequest,
): Promise<EncodeResult & { readonly readCap: ReadCap }> {
  const { plaintext, key, ...rest } = request;
  const result = await encodeShares({
    ...rest,
    storageIndex: storageIndexOfKey(key),
    ciphertext: applyKey(key, plaintext),
  });
  return { ...result, readCap: { kind: 'read', key, manifest: result.manifest } };
}
