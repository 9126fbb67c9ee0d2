import 'reflect-metadata';
import { KeyObject, webcrypto, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { selfSignedCertificate } from '#tahoe/identity/certificate.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import { peerIdOfCertificate, peerIdOfPublicKey } from '#tahoe/identity/peer-key.ts';
import { identityOfCertificate } from './identity.ts';
import { publicKeyInfoOf } from './public-key-info.ts';

test('the key that is cut from a certificate is the one that OpenSSL finds in it, whatever its names are', async () => {
  const names = fc.string({ minLength: 1, maxLength: 60, unit: fc.constantFrom('a', 'Z', '0', ' ', '-', '.', '_') });
  await fc.assert(
    fc.asyncProperty(names, async (commonName) => {
      const { certificatePem, peerId } = await createPeerIdentity({ commonName });
      const certificate = new X509Certificate(certificatePem);
      expect(publicKeyInfoOf(certificate.raw)).not.toBeNull();
      expect(identityOfCertificate(certificate)).toBe(peerId);
    }),
    { numRuns: 20 },
  );
});

test('keys of other kinds are left to OpenSSL', async () => {
  for (const algorithm of [
    { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', publicExponent: new Uint8Array([1, 0, 1]), modulusLength: 2048 },
    { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
    { name: 'Ed25519' },
  ]) {
    const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
    const made = await x509.X509CertificateGenerator.createSelfSigned({
      name: 'CN=other',
      signingAlgorithm: algorithm,
      keys,
    });
    const certificate = new X509Certificate(Buffer.from(made.rawData));
    expect(publicKeyInfoOf(certificate.raw)).toBeNull();
    expect(identityOfCertificate(certificate)).toBe(peerIdOfPublicKey(KeyObject.from(keys.publicKey)));
  }
});

test('a name that looks like a key is not taken for one', async () => {
  const other = await createPeerIdentity();
  const own = await createPeerIdentity();
  const otherInfo = publicKeyInfoOf(new X509Certificate(other.certificatePem).raw) as Uint8Array;
  const disguised = new X509Certificate(
    await selfSignedCertificate(own, { commonName: Buffer.from(otherInfo).toString('latin1').slice(0, 60) }),
  );
  expect(identityOfCertificate(disguised)).toBe(own.peerId);
});

test('a certificate with any byte changed or cut off never gives another answer than OpenSSL, and never throws', async () => {
  const own = await createPeerIdentity();
  const der = new X509Certificate(own.certificatePem).raw;
  fc.assert(
    fc.property(fc.nat(der.length - 1), fc.nat(255), fc.nat(der.length), (at, value, length) => {
      const changed = Buffer.from(der);
      changed[at] = value;
      expect(publicKeyInfoOf(changed.subarray(0, length))?.length ?? 91).toBe(91);
      const found = publicKeyInfoOf(changed);
      if (found === null) return;
      let byOpenSsl: string;
      try {
        byOpenSsl = peerIdOfCertificate(changed);
      } catch {
        return; // TLS would have refused it
      }
      expect(identityOfCertificate(new X509Certificate(changed))).toBe(byOpenSsl);
    }),
    { numRuns: 500 },
  );
});
