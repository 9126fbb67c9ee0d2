import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isPeerId } from '#mesh/peer-id.ts';
import { createPeerIdentity, loadKeyFolder, openKeyFolder, saveKeyFolder } from './key-folder.ts';
import { peerIdOfCertificate, peerKeyFromPem, privateKeyPem } from './peer-key.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshward-keys-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a peer identity', () => {
  it('has the SHA-256 of its public key as its id, in its certificate as well', async () => {
    const identity = await createPeerIdentity();
    const certificate = new X509Certificate(identity.certificatePem);
    const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
    expect(isPeerId(identity.peerId)).toBe(true);
    expect(identity.peerId).toBe(createHash('sha256').update(spki).digest('base64url'));
    expect(peerIdOfCertificate(identity.certificatePem)).toBe(identity.peerId);
    expect(peerIdOfCertificate(certificate.raw)).toBe(identity.peerId);
    expect(certificate.checkPrivateKey(identity.privateKey)).toBe(true);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
  });

  it('has a certificate that does not expire in practice', async () => {
    const certificate = new X509Certificate((await createPeerIdentity({ commonName: 'peer seven' })).certificatePem);
    expect(new Date(certificate.validTo).getUTCFullYear()).toBe(9999);
    expect(certificate.subject).toBe('CN=peer seven');
  });

  it('takes the key of a Tahoe node, which is RSA', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const key = peerKeyFromPem(privateKey.export({ type: 'pkcs1', format: 'pem' }) as string);
    expect(isPeerId(key.peerId)).toBe(true);
  });

  it('does not print its key, and an error about a key does not repeat it', async () => {
    const identity = await createPeerIdentity();
    const secretLine = privateKeyPem(identity).split('\n')[1] as string;
    expect(inspect(identity, { depth: 5 })).not.toContain(secretLine);
    expect(JSON.stringify(identity)).not.toContain(secretLine);
    const broken = privateKeyPem(identity).replace('END PRIVATE', 'END');
    expect(() => peerKeyFromPem(broken)).toThrow(
      expect.objectContaining({ code: 'bad-input', message: expect.not.stringContaining(secretLine) }),
    );
  });
});

describe('a key folder', () => {
  it('keeps the identity over restarts, with a key file for its owner alone', async () => {
    const first = await openKeyFolder(folder);
    const again = await openKeyFolder(folder);
    expect(again.peerId).toBe(first.peerId);
    expect(again.certificatePem).toBe(first.certificatePem);
    expect((await stat(join(folder, 'peer.key.pem'))).mode & 0o777).toBe(0o600);
    expect((await readdir(folder)).sort()).toEqual(['peer.cert.pem', 'peer.key.pem']);
  });

  it('gives all that open it at once the same identity', async () => {
    const opened = await Promise.all(Array.from({ length: 8 }, () => openKeyFolder(folder)));
    expect(new Set(opened.map((identity) => identity.peerId)).size).toBe(1);
    expect((await loadKeyFolder(folder)).peerId).toBe(opened[0]?.peerId);
  });

  it.each([0o640, 0o604, 0o660])('is refused while its key has mode %o', async (mode) => {
    await openKeyFolder(folder);
    await chmod(join(folder, 'peer.key.pem'), mode);
    await expect(openKeyFolder(folder)).rejects.toMatchObject({
      code: 'config-invalid',
      next: expect.stringContaining('chmod 600'),
    });
  });

  it('never overwrites a key', async () => {
    const first = await openKeyFolder(folder);
    await saveKeyFolder(folder, await createPeerIdentity());
    expect((await loadKeyFolder(folder)).peerId).toBe(first.peerId);
  });

  it('makes a missing certificate anew for the same key, and refuses a foreign one', async () => {
    const first = await openKeyFolder(folder);
    await rm(join(folder, 'peer.cert.pem'));
    expect((await openKeyFolder(folder)).peerId).toBe(first.peerId);
    await writeFile(join(folder, 'peer.cert.pem'), (await createPeerIdentity()).certificatePem);
    await expect(openKeyFolder(folder)).rejects.toMatchObject({
      code: 'config-invalid',
      next: expect.stringContaining('peer.cert.pem'),
    });
    await writeFile(join(folder, 'peer.cert.pem'), 'no certificate');
    await expect(openKeyFolder(folder)).rejects.toMatchObject({ code: 'config-invalid' });
  });

  it('says which file is missing', async () => {
    await expect(loadKeyFolder(folder)).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringContaining('peer.key.pem'),
    });
    await expect(readFile(join(folder, 'peer.key.pem'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
