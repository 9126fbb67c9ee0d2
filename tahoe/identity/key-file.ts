/**
 * Private keys from a file that somebody else has made and mounted: nothing is written beside it. The certificate is made anew at
 * each start, since whoever connects checks the key alone.
 */
import { readFile, stat } from 'node:fs/promises';
import { MeshwardError } from '#mesh/errors.ts';
import { selfSignedCertificate } from './certificate.ts';
import type { PeerIdentity } from './key-folder.ts';
import { type PeerKey, peerKeyFromPem } from './peer-key.ts';

const pemBlock = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+?-----END [A-Z ]*PRIVATE KEY-----/g;

/** Every private key that stands in the text, in its order. @throws MeshwardError `bad-input` where one cannot be read. */
export function keysInPem(pem: string): readonly PeerKey[] {
  return [...pem.matchAll(pemBlock)].map(([block]) => peerKeyFromPem(block));
}

/**
 * @param setting the key of the configuration that names the file.
 * @throws MeshwardError `config-invalid` where it cannot be read, holds no key, or others than its owner and group can read it.
 */
export async function readKeyFile(
  path: string,
  setting: string,
  commonName: string,
): Promise<{ readonly first: PeerIdentity; readonly keys: readonly PeerKey[] }> {
  const keys = keysInPem((await readSecretFile(path, setting)).toString('utf8'));
  const [key] = keys;
  if (key === undefined) {
    throw new MeshwardError('config-invalid', `${path} (${setting}) holds no private key in PEM form`, {
      next: 'Mount what `meshward keys create` makes.',
    });
  }
  return { first: { ...key, certificatePem: await selfSignedCertificate(key, { commonName }) }, keys };
}

/** A mounted secret may be readable by the group that the service runs as, and by nobody else. */
export async function readSecretFile(path: string, setting: string): Promise<Buffer> {
  let bytes: Buffer;
  let mode: number;
  try {
    mode = (await stat(path)).mode & 0o777;
    bytes = await readFile(path);
  } catch (error) {
    throw new MeshwardError('config-invalid', `${path} (${setting}) cannot be read`, {
      next: 'Check that the secret is mounted there, and that this user may read it.',
      cause: error,
    });
  }
  if ((mode & 0o027) === 0) return bytes;
  throw new MeshwardError(
    'config-invalid',
    `${path} (${setting}) can be read or changed by others than its owner and group (mode ${mode.toString(8)})`,
    { next: `Run: chmod 600 ${path}, or mount the secret with mode 0440.` },
  );
}
