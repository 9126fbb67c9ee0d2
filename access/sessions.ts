/** Logins of the page: a signed cookie that names a token by its id and says when it ends. It is no token, and ends with its token. */
import { createHmac, timingSafeEqual } from 'node:crypto';

export interface Session {
  readonly tokenId: string;
  readonly endsAtMs: number;
}

const sessionForm = /^([0-9a-f]{16})\.(\d{1,15})\.([A-Za-z0-9_-]{43})$/;

export class Sessions {
  readonly #key: Uint8Array;

  /** @param key 32 bytes or more. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  write({ tokenId, endsAtMs }: Session): string {
    const said = `${tokenId}.${endsAtMs}`;
    return `${said}.${this.#sign(said).toString('base64url')}`;
  }

  /** Null for what was not written with this key. Whether it has ended is the caller's to look at. */
  read(text: string): Session | null {
    const [, tokenId = '', endsAt = '', signature = ''] = sessionForm.exec(text) ?? [];
    if (tokenId === '') return null;
    const signed = Buffer.from(signature, 'base64url');
    const isOurs = timingSafeEqual(signed, this.#sign(`${tokenId}.${endsAt}`));
    return isOurs ? { tokenId, endsAtMs: Number(endsAt) } : null;
  }

  #sign(said: string): Buffer {
    return createHmac('sha256', this.#key).update(`meshward session ${said}`).digest();
  }
}
