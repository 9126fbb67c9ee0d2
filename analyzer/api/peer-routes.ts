/** Peers over HTTP: all of them, or a page of those that fit a question. */
import type { FastifyInstance } from 'fastify';
import { MeshwardError } from '#mesh/errors.ts';
import { parsePeerId, peerIdPattern } from '#mesh/peer-id.ts';
import { type PeerState, peerStates } from '#mesh/peer-state.ts';
import type { PeerFacts } from '#peers/liveness/peer-register.ts';
import type { Analyzer } from '../service.ts';
import { toDrainAnswer, toFreshnessAnswer, toPeerAnswer } from './answers.ts';
import type { HistoryQueries } from './history.ts';
import { PeerOrder } from './peer-order.ts';
import type { RunningRepairs } from './running-repairs.ts';
import type { AnswerName } from './schemas.ts';

export interface PeerRoutesOptions {
  readonly analyzer: Pick<Analyzer, 'peers' | 'peer' | 'meshFreshness'>;
  readonly history: Pick<HistoryQueries, 'leaving'>;
  readonly repairers: () => Promise<RunningRepairs>;
}

export interface PeerQuestion {
  readonly state?: PeerState;
  readonly kind?: string;
  readonly domain?: string;
  readonly search?: string;
  readonly limit?: number;
  readonly offset?: number;
}

const mostListed = 1000;
const word = { type: 'string', maxLength: 100 } as const;

export function addPeerRoutes(
  app: FastifyInstance,
  { analyzer, history, repairers }: PeerRoutesOptions,
  answers: (name: AnswerName) => Record<number, unknown>,
): void {
  const order = new PeerOrder();
  const params = {
    type: 'object',
    required: ['peerId'],
    properties: { peerId: { type: 'string', pattern: peerIdPattern } },
  };

  app.get<{ Querystring: PeerQuestion }>(
    '/v1/peers',
    {
      schema: {
        summary: 'Peers and their states',
        querystring: {
          type: 'object',
          additionalProperties: false,
          properties: {
            state: { type: 'string', enum: [...peerStates] },
            kind: { ...word, description: 'Kind of failure domain; of any kind without it.' },
            domain: { ...word, description: 'Only those in this failure domain.' },
            search: { ...word, description: 'Only those whose name holds it, or whose id begins so.' },
            limit: { type: 'integer', minimum: 1, maximum: mostListed, description: 'All of them without it.' },
            offset: { type: 'integer', minimum: 0, maximum: 10_000_000, default: 0 },
          },
        },
        response: answers('PeerList'),
      },
    },
    async ({ query }) => {
      const chosen = choosePeers(order.sort(analyzer.peers()), query);
      const { offset = 0, limit = chosen.length } = query;
      return {
        peers: chosen.slice(offset, offset + limit).map(toPeerAnswer),
        total: chosen.length,
        freshness: toFreshnessAnswer(analyzer.meshFreshness()),
      };
    },
  );

  app.get<{ Params: { peerId: string } }>(
    '/v1/peers/:peerId',
    { schema: { summary: 'One peer', params, response: answers('Peer') }, attachValidation: true },
    async (request) => toPeerAnswer(findPeer(analyzer, request.params.peerId)),
  );

  app.get<{ Params: { peerId: string } }>(
    '/v1/peers/:peerId/drain',
    {
      schema: { summary: 'Whether a draining peer may be switched off', params, response: answers('PeerDrain') },
      attachValidation: true,
    },
    async (request) => {
      const facts = findPeer(analyzer, request.params.peerId);
      const { stuckDrains } = await repairers();
      return toDrainAnswer(facts, await history.leaving(facts.peer), analyzer.meshFreshness(), stuckDrains);
    },
  );
}

export function choosePeers(peers: readonly PeerFacts[], question: PeerQuestion): readonly PeerFacts[] {
  const { state, kind, domain } = question;
  const search = question.search?.toLowerCase() ?? '';
  return peers.filter(
    (peer) =>
      (state === undefined || peer.state === state) &&
      (domain === undefined || isIn(peer, kind, domain)) &&
      (search === '' || peer.name.toLowerCase().includes(search) || peer.peer.toLowerCase().startsWith(search)),
  );
}

function isIn({ domains }: PeerFacts, kind: string | undefined, domain: string): boolean {
  return kind === undefined ? Object.values(domains).includes(domain) : domains[kind] === domain;
}

function findPeer(analyzer: Pick<Analyzer, 'peer'>, text: string): PeerFacts {
  const facts = analyzer.peer(parsePeerId(text));
  if (facts !== undefined) return facts;
  throw new MeshwardError('peer-unknown', 'no peer has this id', { next: 'See /v1/peers for those that are known.' });
}
