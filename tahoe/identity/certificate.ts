/**
 * Self-signed certificates for peers. Whoever connects checks the key alone (the pin), so a certificate is a mere envelope:
 * it names no host, and its dates are as wide as RFC 5280 allows, since a peer must not fall off the mesh on a birthday
 * of its certificate or because its clock is wrong.
 */
import { randomBytes, webcrypto } from 'node:crypto';
import { MeshwardError } from '#mesh/errors.ts';
import type { PeerKey } from './peer-key.ts';

/** RFC 5280 section 4.1.2.5: the value for a certificate without a well-defined end. */
const noWellDefinedEnd = new Date('9999-12-31T23:59:59Z');
const beforeEveryPeer = new Date('2020-01-01T00:00:00Z');

/** @returns the certificate in PEM. @throws MeshwardError `bad-input` for a key other than P-256. */
export async function selfSignedCertificate(key: PeerKey, options: { commonName?: string } = {}): Promise<string> {
  if (key.privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new MeshwardError('bad-input', 'certificates are made for P-256 keys only', {
      next: 'Put the certificate that belongs to this key beside it as peer.cert.pem, or let a new peer key be made.',
    });
  }
  // A fifth of what it takes to start a command, and one that has its certificate makes none.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const pkcs8 = key.privateKey.export({ type: 'pkcs8', format: 'der' });
  const privateKey = await webcrypto.subtle.importKey('pkcs8', new Uint8Array(pkcs8), algorithm, true, ['sign']);
  const { kty, crv, x, y } = await webcrypto.subtle.exportKey('jwk', privateKey);
  const publicJwk = { kty, crv, x, y } as webcrypto.JsonWebKey;
  const publicKey = await webcrypto.subtle.importKey('jwk', publicJwk, algorithm, true, ['verify']);
  const serial = randomBytes(16);
  serial[0] = ((serial[0] as number) & 0x7f) | 0x01; // a positive number without leading zero bytes
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial.toString('hex'),
      name: [{ CN: [options.commonName ?? 'meshward-peer'] }],
      notBefore: beforeEveryPeer,
      notAfter: noWellDefinedEnd,
      signingAlgorithm: algorithm,
      keys: { privateKey, publicKey },
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      ],
    },
    webcrypto,
  );
  return `${certificate.toString('pem').trim()}\n`;
}
