/** The secrets of GBS in HTTP headers, as both sides write and read them (FORMAT section 11). */
import { createHash, timingSafeEqual } from 'node:crypto';

export const secretsHeader = 'X-Tahoe-Authorization';
export const fenceHeader = 'X-Meshward-Fence';

export const secretNames = ['lease-renew-secret', 'lease-cancel-secret', 'upload-secret'] as const;
export type SecretName = (typeof secretNames)[number];
export type Secrets = Readonly<Partial<Record<SecretName, Uint8Array>>>;

const uploadSecretMaxBytes = 256;

export function authorizationValue(swissnum: string): string {
  return `Tahoe-LAFS ${Buffer.from(swissnum).toString('base64')}`;
}

export function secretValue(name: SecretName, secret: Uint8Array): string {
  return `${name} ${Buffer.from(secret.buffer, secret.byteOffset, secret.length).toString('base64')}`;
}

/** @returns null unless `values` hold exactly the `required` secrets, each once and of a proper length. */
export function parseSecrets(values: readonly string[], required: readonly SecretName[]): Secrets | null {
  if (values.length !== required.length) return null;
  const secrets: Partial<Record<SecretName, Uint8Array>> = {};
  for (const value of values) {
    const match = /^([a-z-]{1,32}) +([A-Za-z0-9+/]{1,400}={0,2})$/.exec(value.trim());
    const name = required.find((candidate) => candidate === match?.[1]);
    if (match === null || name === undefined || secrets[name] !== undefined) return null;
    const secret = Buffer.from(match[2] as string, 'base64');
    const lengthFits =
      name === 'upload-secret' ? secret.length >= 1 && secret.length <= uploadSecretMaxBytes : secret.length === 32;
    if (!lengthFits) return null;
    secrets[name] = secret;
  }
  return secrets;
}

/** A secret that is compared in constant time and cannot be read back. */
export class SecretDigest {
  readonly #digest: Buffer;

  constructor(secret: Uint8Array | string) {
    this.#digest = createHash('sha256').update(secret).digest();
  }

  matches(secret: Uint8Array | string): boolean {
    return timingSafeEqual(this.#digest, createHash('sha256').update(secret).digest());
  }
}
