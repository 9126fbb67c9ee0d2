/** A peer is its key: a P-256 key pair whose public half gives the peer id (the GBS pin). */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  X509Certificate,
} from 'node:crypto';
import { MeshwardError } from '#mesh/errors.ts';
import { type PeerId, peerIdFromBytes } from '#mesh/peer-id.ts';

/** `privateKey` is a KeyObject, so that neither JSON nor a logger can print it by accident. */
export interface PeerKey {
  readonly peerId: PeerId;
  readonly privateKey: KeyObject;
}

/** P-256: every TLS stack takes it (OpenSSL, Twisted/pyOpenSSL, the JDK), and it signs an order faster than RSA. */
export function createPeerKey(): PeerKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { privateKey, peerId: peerIdOfPublicKey(publicKey) };
}

/**
 * @param pem a private key in PEM, PKCS#8 or SEC1; RSA and Ed25519 keys are taken as well (a Tahoe node's key is RSA).
 * @throws MeshwardError `bad-input`; the message never repeats the key.
 */
export function peerKeyFromPem(pem: string): PeerKey {
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(pem);
  } catch {
    // The cause is left out on purpose: what OpenSSL says may quote the input.
    throw new MeshwardError('bad-input', 'the peer key is not an unencrypted private key in PEM form', {
      next: 'Restore peer.key.pem from a backup, or remove it to give this peer a new identity (it must then be enrolled again).',
    });
  }
  return { privateKey, peerId: peerIdOfPublicKey(createPublicKey(privateKey)) };
}

/** PKCS#8 PEM: the secret itself, for the key file and the TLS stack only. */
export function privateKeyPem(key: PeerKey): string {
  return key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

/** base64url SHA-256 of the DER SubjectPublicKeyInfo (FORMAT section 11). */
export function peerIdOfPublicKey(publicKey: KeyObject): PeerId {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return peerIdFromBytes(createHash('sha256').update(spki).digest());
}

/** @param certificate parsed, or PEM text, or DER bytes. */
export function peerIdOfCertificate(certificate: X509Certificate | string | Uint8Array): PeerId {
  const parsed = certificate instanceof X509Certificate ? certificate : new X509Certificate(certificate);
  return peerIdOfPublicKey(parsed.publicKey);
}
