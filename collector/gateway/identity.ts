/** Who is calling: the key of the client's certificate, which TLS has made the caller prove. */
import type { TLSSocket } from 'node:tls';
import type { FastifyRequest } from 'fastify';
import type { PeerId } from '#mesh/peer-id.ts';
import { peerIdOfCertificate } from '#tahoe/identity/peer-key.ts';

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

function readIdentity(socket: TLSSocket): PeerId | null {
  if (!socket.encrypted) return null;
  try {
    const certificate = socket.getPeerX509Certificate();
    return certificate === undefined ? null : peerIdOfCertificate(certificate);
  } catch {
    return null; // a key of a kind that this Node cannot read names nobody
  }
}
