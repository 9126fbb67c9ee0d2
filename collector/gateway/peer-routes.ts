/** What a peer asks for besides posting: to be enrolled, and its settings. */
import type { FastifyRequest } from 'fastify';
import type { EnrolledPeer, PeerSettings } from '#mesh/generated/events_pb.js';
import {
  type AddressAnswer,
  type AddressBody,
  addressAnswer,
  addressBody,
  type EnrolAnswer,
  type EnrolBody,
  enrolAnswer,
  enrolBody,
  jsonSchema,
  requirePrintable,
  type SettingsAnswer,
  settings,
} from './bodies.ts';
import { admitPeer, requireKey, requirePeer, withinRate } from './callers.ts';
import { lastIncarnationOf } from './incarnations.ts';
import type { GatewayApp, GatewayService } from './service.ts';
import { settingsTag } from './settings-tag.ts';
import { changeAddress, enrolPeer } from './tokens.ts';

/** Largest body of an enrolment. */
export const maxEnrolBytes = 16 * 1024;

export function peerRoutes(service: GatewayService) {
  return (app: GatewayApp): void => {
    app.post<{ Body: EnrolBody }>(
      '/v1/enrol',
      {
        schema: { body: jsonSchema(enrolBody), response: { 200: jsonSchema(enrolAnswer) } },
        bodyLimit: maxEnrolBytes,
        onRequest: (request, _reply, done) => {
          requireKey(request);
          withinRate(service.enrolRate, '', 1, 'enrolments');
          done();
        },
      },
      async (request, reply): Promise<EnrolAnswer> => {
        const id = requireKey(request);
        requirePrintable(request.body);
        reply.header('cache-control', 'no-store');
        const admitted = service.enrolAdmission.admit(maxEnrolBytes);
        try {
          const peer = await enrolPeer(service.enrolments, service.clock, id, request.body);
          service.connections.known(request.raw.socket);
          service.metrics.enrolment('enrolled');
          service.logger.info({ peerId: id, name: peer.name }, 'a peer was enrolled');
          return { peerId: id, domains: peer.domains, settings: settingsAnswer(peer) };
        } catch (error) {
          service.metrics.enrolment('refused');
          throw error;
        } finally {
          admitted.release();
        }
      },
    );

    app.put<{ Body: AddressBody }>(
      '/v1/address',
      {
        schema: { body: jsonSchema(addressBody), response: { 200: jsonSchema(addressAnswer) } },
        bodyLimit: maxEnrolBytes,
        onRequest: limitToPeers(service),
      },
      async (request, reply): Promise<AddressAnswer> => {
        const { id } = requirePeer(service, request);
        reply.header('cache-control', 'no-store');
        return { changed: await changeAddress(service.enrolments, id, request.body.nurl) };
      },
    );

    app.get(
      '/v1/settings',
      { schema: { response: { 200: jsonSchema(settings), 304: { type: 'null' } } }, onRequest: limitToPeers(service) },
      async (request, reply) => {
        const { peer } = requirePeer(service, request);
        const answer = settingsAnswer(peer);
        const etag = settingsTag(answer.version, answer.inventoryRequest);
        reply.header('etag', etag).header('cache-control', 'private, no-cache');
        if (request.headers['if-none-match'] === etag) return reply.code(304).send();
        return answer;
      },
    );
  };
}

function limitToPeers(service: GatewayService) {
  return async (request: FastifyRequest): Promise<void> => {
    withinRate(service.postRate, await admitPeer(service, request), 1, 'requests');
  };
}

export function settingsAnswer(peer: EnrolledPeer): SettingsAnswer {
  const said: PeerSettings | undefined = peer.settings;
  return {
    heartbeatMs: said?.heartbeatMs ?? 0,
    inventoryIntervalS: said?.inventoryIntervalS ?? 0,
    verifyBytesPerSecond: Number(said?.verifyBytesPerSecond ?? 0n),
    serveBytesPerSecond: Number(said?.serveBytesPerSecond ?? 0n),
    version: Number(said?.version ?? 0n),
    inventoryRequest: Number(said?.inventoryRequest ?? 0n),
    lastIncarnation: lastIncarnationOf(peer),
  };
}
