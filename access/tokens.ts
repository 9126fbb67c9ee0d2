/**
 * Access tokens: `mwa_` and 16 digits that name the token, `_` and 43 characters of secret. What is kept of it is the SHA-256 of the secret: with
 * 256 random bits nothing slower is needed, since nobody can try them all.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Role } from '#mesh/role.ts';

export interface TokenRecord {
  /** Public: it stands in logs and lists. */
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** Of the secret; hex. */
  readonly sha256: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** Null while it is good. */
  readonly revokedAtMs: number | null;
}

export interface NewToken {
  /** Shown once, and kept nowhere. */
  readonly token: string;
  readonly record: TokenRecord;
}

const tokenForm = /^mwa_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;
const idBytes = 8;
const secretBytes = 32;

export function createToken(about: Pick<TokenRecord, 'name' | 'role' | 'createdAtMs' | 'expiresAtMs'>): NewToken {
  const id = randomBytes(idBytes).toString('hex');
  const secret = randomBytes(secretBytes).toString('base64url');
  return {
    token: `mwa_${id}_${secret}`,
    record: { id, ...about, sha256: digestOf(secret).toString('hex'), revokedAtMs: null },
  };
}

export type TokenAnswer =
  | { readonly kind: 'good'; readonly record: TokenRecord }
  | { readonly kind: 'malformed-token' | 'unknown-token' | 'expired-token' | 'revoked-token' };

/** Compared in constant time, and against something where no such token is known. */
const nothing = Buffer.alloc(32);

export function checkToken(text: string, records: ReadonlyMap<string, TokenRecord>, nowMs: number): TokenAnswer {
  const [, id = '', secret = ''] = tokenForm.exec(text) ?? [];
  if (id === '') return { kind: 'malformed-token' };
  const record = records.get(id);
  const isEqual = timingSafeEqual(digestOf(secret), record === undefined ? nothing : Buffer.from(record.sha256, 'hex'));
  if (record === undefined || !isEqual) return { kind: 'unknown-token' };
  return stateOf(record, nowMs);
}

/** Whether a token whose owner is known is still good. */
export function stateOf(record: TokenRecord, nowMs: number): TokenAnswer {
  if (record.revokedAtMs !== null) return { kind: 'revoked-token' };
  return nowMs >= record.expiresAtMs ? { kind: 'expired-token' } : { kind: 'good', record };
}

function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
