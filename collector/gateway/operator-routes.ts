/** What operators do: tokens, the directory of peers, files, a peer's standing, and alerts. */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { parseCap } from '#mesh/caps.ts';
import { MeshwardError } from '#mesh/errors.ts';
import {
  type EnrolledPeer,
  EnrolledPeerSchema,
  PeerEventSchema,
  PeerEventsRecordSchema,
  PeerSettingsSchema,
} from '#mesh/generated/events_pb.js';
import { maxPostBytes } from '#mesh/limits.ts';
import { type PeerId, parsePeerId, peerIdFromBytes, peerIdToBytes } from '#mesh/peer-id.ts';
import { parseStorageIndex, partitionOfStorageIndex } from '#mesh/storage-index.ts';
import { findingRecord } from '#peers/reader-words.ts';
import { alertRoutes } from './alert-routes.ts';
import { Refusal } from './answers.ts';
import {
  type DirectoryAnswer,
  type DirectoryPeer,
  directoryAnswer,
  directoryQuery,
  drainBody,
  type FilesBody,
  type FindingsBody,
  fileParams,
  filesBody,
  findingsBody,
  jsonSchema,
  type MaintenanceBody,
  maintenanceBody,
  peerParams,
  postAnswer,
  reasonBody,
  requirePrintable,
  type SettingsAnswer,
  type SettingsBody,
  settings,
  settingsBody,
  type TokenAnswer,
  type TokenBody,
  tokenAnswer,
  tokenBody,
} from './bodies.ts';
import { admitOperator, requireOperator, withinRate } from './callers.ts';
import { campaignRoutes } from './campaign-routes.ts';
import { operatorEnrolmentRoutes } from './operator-enrolment.ts';
import { operatorHeaders } from './operator-headers.ts';
import type { OwnedFile } from './owner-batches.ts';
import { settingsAnswer } from './peer-routes.ts';
import { inventoryRequestOf, settingsOf, withInventoryRequest } from './peer-settings.ts';
import { repairRoutes } from './repair-routes.ts';
import type { GatewayApp, GatewayService } from './service.ts';
import { createToken, forgetExpiredTokens } from './tokens.ts';

const directoryPageSize = 10_000;
const maxOpenTokens = 10_000;
const done = { accepted: 1 };

export function operatorRoutes(service: GatewayService) {
  return (app: GatewayApp): void => {
    app.addHook('onRequest', async (request, reply) => {
      withinRate(service.postRate, `operator:${await admitOperator(service, request)}`, 1, 'requests');
      reply.header('cache-control', 'no-store');
    });
    app.addHook('preHandler', (request, reply, next) => {
      const admitted = service.admission.admit(0);
      if (request.raw.socket.destroyed) admitted.release();
      else reply.raw.once('close', () => admitted.release());
      next();
    });
    app.addHook('preHandler', (request, _reply, next) => {
      requirePrintable(request.body);
      next();
    });
    tokenRoutes(service, app);
    directoryRoutes(service, app);
    fileRoutes(service, app);
    findingRoutes(service, app);
    standingRoutes(service, app);
    eventRoutes(service, app);
    alertRoutes(service, app);
    campaignRoutes(service, app);
    repairRoutes(service, app);
    operatorEnrolmentRoutes(service, app);
  };
}

function tokenRoutes(service: GatewayService, app: GatewayApp): void {
  app.post<{ Body: TokenBody }>(
    '/v1/tokens',
    { schema: { body: jsonSchema(tokenBody), response: { 200: jsonSchema(tokenAnswer) } } },
    async (request): Promise<TokenAnswer> => {
      const { domains, lifetimeMs, replacesPeerId } = request.body;
      await forgetExpiredTokens(service.enrolments, service.clock);
      if (service.enrolments.table.tokenCount >= maxOpenTokens) {
        throw new Refusal(503, 'service-busy', `there are ${maxOpenTokens} tokens already`, {
          next: 'Wait until some of them are forgotten, a week after they expired.',
          retryAfterMs: 60_000,
        });
      }
      if (replacesPeerId !== undefined) knownPeer(service, replacesPeerId);
      const created = await createToken(service.log, service.topics, service.clock, {
        ...(domains === undefined ? {} : { domains }),
        lifetimeMs: lifetimeMs ?? service.config.tokenLifetimeMs,
        replacesPeerId: replacesPeerId === undefined ? undefined : parsePeerId(replacesPeerId),
      });
      return { ...created, collectorPin: service.pin };
    },
  );
}

function directoryRoutes(service: GatewayService, app: GatewayApp): void {
  app.get<{ Querystring: { after?: string; limit?: string } }>(
    '/v1/directory',
    { schema: { querystring: jsonSchema(directoryQuery), response: { 200: jsonSchema(directoryAnswer) } } },
    (request): DirectoryAnswer => {
      const { after, limit } = request.query;
      const pageSize = Math.min(Number(limit ?? directoryPageSize), directoryPageSize);
      const rest = [...service.enrolments.table.peers()]
        .map(directoryEntry)
        .filter((peer) => after === undefined || peer.peerId > after)
        .sort((a, b) => (a.peerId < b.peerId ? -1 : 1));
      const peers = rest.slice(0, pageSize);
      return { peers, next: rest.length > pageSize ? (peers.at(-1)?.peerId ?? null) : null };
    },
  );
}

function fileRoutes(service: GatewayService, app: GatewayApp): void {
  app.post<{ Body: FilesBody }>(
    '/v1/files',
    { schema: { body: jsonSchema(filesBody), response: { 200: jsonSchema(postAnswer) } }, bodyLimit: maxPostBytes },
    async (request) => {
      const files = request.body.files.map(({ cap, tag }, index) => ownedFile(cap, tag ?? '', index));
      await service.ownerBatches.register(files, operatorHeaders(requireOperator(service, request)));
      return { accepted: files.length };
    },
  );

  app.delete<{ Params: { storageIndex: string } }>(
    '/v1/files/:storageIndex',
    { schema: { params: jsonSchema(fileParams), response: { 200: jsonSchema(postAnswer) } } },
    async (request) => {
      const storageIndex = parseStorageIndex(request.params.storageIndex);
      await service.ownerBatches.delete(storageIndex, operatorHeaders(requireOperator(service, request)));
      return done;
    },
  );
}

/** An operator's own proof found them: they count by themselves, until their peers have verified them. */
function findingRoutes(service: GatewayService, app: GatewayApp): void {
  app.post<{ Body: FindingsBody }>(
    '/v1/findings',
    { schema: { body: jsonSchema(findingsBody), response: { 200: jsonSchema(postAnswer) } } },
    async (request) => {
      const headers = operatorHeaders(requireOperator(service, request));
      const { name, partitions } = service.topics.shareEvents;
      const records = request.body.findings.map(({ storageIndex, peerId, shareNumber, reason }) => {
        const finding = {
          storageIndex: parseStorageIndex(storageIndex),
          share: { shareNumber, peerId: parsePeerId(peerId) },
          reader: 'operator',
          reason,
          atMs: service.clock.nowMs(),
        };
        return { ...findingRecord(finding, partitions), headers };
      });
      await service.log.append(name, records);
      return { accepted: records.length };
    },
  );
}

function standingRoutes(service: GatewayService, app: GatewayApp): void {
  const answers = { params: jsonSchema(peerParams), response: { 200: jsonSchema(postAnswer) } };
  type PeerParams = { peerId: string };

  app.post<{ Params: PeerParams; Body: { reason: string } }>(
    '/v1/peers/:peerId/revoke',
    { schema: { ...answers, body: jsonSchema(reasonBody) } },
    async (request) => {
      const id = knownPeer(service, request.params.peerId);
      const { reason } = request.body;
      await service.enrolments.changePeer(id, (peer) => changed(peer, { revoked: true, revokedReason: reason }));
      service.logger.warn({ peerId: id, operatorId: requireOperator(service, request), reason }, 'a peer was revoked');
      return done;
    },
  );

  app.post<{ Params: PeerParams }>('/v1/peers/:peerId/restore', { schema: answers }, async (request) => {
    const id = knownPeer(service, request.params.peerId);
    await service.enrolments.changePeer(id, (peer) => changed(peer, { revoked: false, revokedReason: '' }));
    service.logger.warn({ peerId: id, operatorId: requireOperator(service, request) }, 'a peer was restored');
    return done;
  });

  app.put<{ Params: PeerParams; Body: SettingsBody }>(
    '/v1/peers/:peerId/settings',
    { schema: { params: answers.params, body: jsonSchema(settingsBody), response: { 200: jsonSchema(settings) } } },
    async (request): Promise<SettingsAnswer> => {
      const id = knownPeer(service, request.params.peerId);
      const peer = await service.enrolments.changePeer(id, (current) => withSettings(current, request.body));
      return settingsAnswer(peer as EnrolledPeer);
    },
  );

  app.post<{ Params: PeerParams }>('/v1/peers/:peerId/inventory', { schema: answers }, async (request) => {
    const id = knownPeer(service, request.params.peerId);
    // Fixed before the change is made, so that making it again where changes crossed asks once.
    const wanted = inventoryRequestOf(service.enrolments.table.peer(id)?.peer) + 1n;
    await service.enrolments.changePeer(id, (peer) => withInventoryRequest(peer, wanted));
    service.logger.info(
      { peerId: id, operatorId: requireOperator(service, request) },
      'a peer was asked for an inventory',
    );
    return done;
  });
}

/**
 * Events that an operator says about a peer. They carry incarnation 0 and sequence 0, which no peer may use: they stand
 * outside of the peer's own order and count in the order of the log.
 */
function eventRoutes(service: GatewayService, app: GatewayApp): void {
  const answers = { params: jsonSchema(peerParams), response: { 200: jsonSchema(postAnswer) } };
  type PeerParams = { peerId: string };
  type Said = NonNullable<MessageInitShape<typeof PeerEventSchema>['body']>;

  const say = async (operator: PeerId, peer: PeerId, body: Said) => {
    const peerId = peerIdToBytes(peer);
    const event = create(PeerEventSchema, {
      peerId,
      incarnation: 0n,
      sequence: 0n,
      observedAtMs: BigInt(service.clock.nowMs()),
      body,
    });
    const { name, partitions } = service.topics.peerEvents;
    const value = toBinary(
      PeerEventsRecordSchema,
      create(PeerEventsRecordSchema, { body: { case: 'event', value: event } }),
    );
    const partition = partitionOfStorageIndex(peerId, 0, partitions);
    await service.log.append(name, [{ partition, key: peerId, value, headers: operatorHeaders(operator) }]);
    return done;
  };

  app.post<{ Params: PeerParams; Body: { draining: boolean } }>(
    '/v1/peers/:peerId/drain',
    { schema: { ...answers, body: jsonSchema(drainBody) } },
    (request) => {
      const body = { case: 'drain', value: { draining: request.body.draining } } as const;
      return say(requireOperator(service, request), knownPeer(service, request.params.peerId), body);
    },
  );
  app.post<{ Params: PeerParams; Body: MaintenanceBody }>(
    '/v1/peers/:peerId/maintenance',
    { schema: { ...answers, body: jsonSchema(maintenanceBody) } },
    (request) => {
      const { untilMs, reason } = request.body;
      const body = { case: 'maintenance', value: { untilMs: BigInt(untilMs), reason } } as const;
      return say(requireOperator(service, request), knownPeer(service, request.params.peerId), body);
    },
  );
  app.post<{ Params: PeerParams; Body: { reason: string } }>(
    '/v1/peers/:peerId/depart',
    { schema: { ...answers, body: jsonSchema(reasonBody) } },
    (request) => {
      const body = { case: 'depart', value: { reason: request.body.reason } } as const;
      return say(requireOperator(service, request), knownPeer(service, request.params.peerId), body);
    },
  );
}

function knownPeer(service: GatewayService, text: string): PeerId {
  const id = parsePeerId(text);
  if (service.enrolments.table.peer(id) !== undefined) return id;
  throw new Refusal(404, 'peer-unknown', `no peer ${id} is enrolled`, {
    next: '`meshward peers` lists those that are.',
  });
}

/** @throws MeshwardError `bad-cap`, `bad-coding`; neither repeats the cap. */
function ownedFile(text: string, tag: string, index: number): OwnedFile {
  const cap = parseCap(text);
  if (cap.kind === 'verify') return { manifest: cap.manifest, tag };
  const reason =
    cap.kind === 'read'
      ? 'a read cap: it can read the file, and must not be given away'
      : 'a literal cap: it has no shares';
  throw new MeshwardError('bad-cap', `file ${index} of the request is named by ${reason}`, {
    next: 'Register files by their verify caps (URI:CHK-Verifier:…); `meshward` makes them from read caps on your machine.',
  });
}

function changed(
  peer: EnrolledPeer | undefined,
  change: Partial<Pick<EnrolledPeer, 'revoked' | 'revokedReason'>>,
): EnrolledPeer | null {
  return peer === undefined ? null : create(EnrolledPeerSchema, { ...peer, ...change });
}

function withSettings(peer: EnrolledPeer | undefined, said: SettingsBody): EnrolledPeer | null {
  if (peer === undefined) return null;
  const { version: _version, ...current } = settingsAnswer(peer);
  const wanted = { ...current, ...said };
  const same = (Object.keys(current) as (keyof typeof current)[]).every((name) => wanted[name] === current[name]);
  if (same) return peer;
  // What a newer release has set stays.
  const next = create(PeerSettingsSchema, {
    ...settingsOf(peer),
    heartbeatMs: wanted.heartbeatMs,
    inventoryIntervalS: wanted.inventoryIntervalS,
    verifyBytesPerSecond: BigInt(wanted.verifyBytesPerSecond),
    serveBytesPerSecond: BigInt(wanted.serveBytesPerSecond),
    version: (peer.settings?.version ?? 0n) + 1n,
  });
  return create(EnrolledPeerSchema, { ...peer, settings: next });
}

function directoryEntry(peer: EnrolledPeer): DirectoryPeer {
  return {
    peerId: peerIdFromBytes(peer.peerId),
    name: peer.name,
    domains: peer.domains,
    nurl: peer.nurl,
    capacityBytes: Number(peer.capacityBytes),
    enrolledAtMs: Number(peer.enrolledAtMs),
    revoked: peer.revoked,
    revokedReason: peer.revokedReason,
    outdatedAtMs: Number(peer.outdatedAtMs),
    settings: settingsAnswer(peer),
  };
}
