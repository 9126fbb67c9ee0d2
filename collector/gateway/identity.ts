/** Who is calling: the key of the client's certificate, which TLS has made the caller prove. */
import { hash, type X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { FastifyRequest } from 'fastify';
import { type PeerId, peerIdFromBytes } from '#mesh/peer-id.ts';
import { peerIdOfCertificate } from '#tahoe/identity/peer-key.ts';
import { publicKeyInfoOf } from './public-key-info.ts';

const identityOfSocket = new WeakMap<object, PeerId | null>();

/** The id of the caller's key, or null where it showed none. Hashed once for each connection. */
export function identityOf(request: FastifyRequest): PeerId | null {
  const socket = request.raw.socket as TLSSocket;
  const known = identityOfSocket.get(socket);
  if (known !== undefined) return known;
  const identity = readIdentity(socket);
  identityOfSocket.set(socket, identity);
  return identity;
}

/** A resumed session brings the certificate of the handshake that it goes back to. */
function readIdentity(socket: TLSSocket): PeerId | null {
  if (!socket.encrypted) return null;
  try {
    const certificate = socket.getPeerX509Certificate();
    return certificate === undefined ? null : identityOfCertificate(certificate);
  } catch {
    return null; // a key of a kind that this Node cannot read names nobody
  }
}

/** As `peerIdOfCertificate`, without a key object for the one kind of key that our own peers have. */
export function identityOfCertificate(certificate: X509Certificate): PeerId {
  const info = publicKeyInfoOf(certificate.raw);
  return info === null ? peerIdOfCertificate(certificate) : peerIdFromBytes(hash('sha256', info, 'buffer'));
}
