/** A peer's key and certificate on disk: `peer.key.pem` (mode 0600) and `peer.cert.pem`, made once and never overwritten. */
import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshwardError } from '#mesh/errors.ts';
import { selfSignedCertificate } from './certificate.ts';
import { createPeerKey, type PeerKey, peerIdOfCertificate, peerKeyFromPem, privateKeyPem } from './peer-key.ts';

/** What a peer needs to prove itself: to those who read shares from it, and to the collector. */
export interface PeerIdentity extends PeerKey {
  readonly certificatePem: string;
}

export const keyFileName = 'peer.key.pem';
export const certificateFileName = 'peer.cert.pem';

/** A new identity that is in memory only. */
export async function createPeerIdentity(options: { commonName?: string } = {}): Promise<PeerIdentity> {
  const key = createPeerKey();
  return { ...key, certificatePem: await selfSignedCertificate(key, options) };
}

/**
 * Loads the identity in `folder`, and makes it there where there is none. Two processes that start at once agree on one key:
 * the key file appears whole or not at all, and the second finds the first's.
 */
export async function openKeyFolder(folder: string, options: { commonName?: string } = {}): Promise<PeerIdentity> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (!(await exists(join(folder, keyFileName)))) await saveKeyFolder(folder, await createPeerIdentity(options));
  if (!(await exists(join(folder, certificateFileName)))) {
    const key = await loadKey(folder);
    await writeWhole(join(folder, certificateFileName), await selfSignedCertificate(key, options), 0o644, 'replace');
  }
  return loadKeyFolder(folder);
}

/** Writes key and certificate; a key that is there already stays, and then the certificate stays as well. */
export async function saveKeyFolder(folder: string, identity: PeerIdentity): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const isNew = await writeWhole(join(folder, keyFileName), privateKeyPem(identity), 0o600, 'keep');
  if (isNew) await writeWhole(join(folder, certificateFileName), identity.certificatePem, 0o644, 'replace');
}

/** @throws MeshwardError `config-invalid` where files are missing, readable by others, or do not belong together. */
export async function loadKeyFolder(folder: string): Promise<PeerIdentity> {
  const key = await loadKey(folder);
  const certificatePath = join(folder, certificateFileName);
  const certificatePem = await readText(certificatePath, 'the peer certificate');
  let certified: string;
  try {
    certified = peerIdOfCertificate(certificatePem);
  } catch (error) {
    throw new MeshwardError('config-invalid', `${certificatePath} is not a certificate in PEM form`, {
      next: `Remove ${certificatePath}: a new certificate is made for the key that is there.`,
      cause: error,
    });
  }
  if (certified !== key.peerId) {
    throw new MeshwardError(
      'config-invalid',
      `${certificatePath} belongs to another key than ${keyFileName} beside it`,
      {
        next: `Remove ${certificatePath}: a new certificate is made for the key that is there.`,
      },
    );
  }
  return { ...key, certificatePem };
}

async function loadKey(folder: string): Promise<PeerKey> {
  const path = join(folder, keyFileName);
  const pem = await readText(path, 'the peer key');
  const mode = (await stat(path)).mode & 0o777;
  if ((mode & 0o077) !== 0) {
    throw new MeshwardError(
      'config-invalid',
      `${path} can be read by others than its owner (mode ${mode.toString(8)})`,
      {
        next: `Run: chmod 600 ${path}. If others may have read it, remove it and enrol the peer again with a new key.`,
      },
    );
  }
  return peerKeyFromPem(pem);
}

async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new MeshwardError('config-invalid', `${what} cannot be read from ${path}`, {
      next: 'Check the path of the key folder and who owns it. In an empty folder a peer makes a new key by itself.',
      cause: error,
    });
  }
}

/** Writes beside, syncs, then puts in place: no reader ever sees half a file. @returns whether `path` holds `text` now. */
async function writeWhole(path: string, text: string, mode: number, existing: 'keep' | 'replace'): Promise<boolean> {
  const beside = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(beside, 'wx', mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  if (existing === 'replace') {
    await rename(beside, path);
    return true;
  }
  try {
    await link(beside, path); // unlike rename, link fails where the name is taken
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(beside);
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
