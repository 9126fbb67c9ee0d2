/** What would be lost: exposure by failure domain, and resilience against losses that a reader supposes. */
import type { FastifyInstance } from 'fastify';
import type { Clock } from '#mesh/clock.ts';
import { isAvailableState, type PeerState, peerStates } from '#mesh/peer-state.ts';
import type { PeerFacts } from '#peers/liveness/peer-register.ts';
import type { Exposure } from '#store/queries/health.ts';
import { resilienceOf } from '../risk/resilience.ts';
import type { FileGroups, HistoryQueries } from './history.ts';
import type { ExposureAnswer, ResilienceAnswer } from './risk-schemas.ts';
import type { AnswerName } from './schemas.ts';

export interface RiskRoutesOptions {
  readonly mesh: { peers(): readonly PeerFacts[]; health(): { readonly totals: { readonly files: number } | null } };
  readonly history: Pick<HistoryQueries, 'exposure' | 'fileGroups'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

/** Every file is looked at for it: viewers who move a slider share one look. */
const groupsServeMs = 15_000;
const mostDomains = 400;
const mostPeers = 50;

export function addRiskRoutes(
  app: FastifyInstance,
  options: RiskRoutesOptions,
  answers: (name: AnswerName) => Record<number, unknown>,
): void {
  const { mesh, history, clock } = options;
  let groups: Promise<FileGroups> | undefined;
  let askedAtMs = 0;
  const groupsOfLate = (): Promise<FileGroups> => {
    const nowMs = clock.monotonicMs();
    if (groups !== undefined && nowMs - askedAtMs < groupsServeMs) return groups;
    const asked = history.fileGroups();
    groups = asked;
    askedAtMs = nowMs;
    asked.catch(() => {
      groups = undefined;
    });
    return asked;
  };

  app.get(
    '/v1/exposure',
    { schema: { summary: 'What the loss of each failure domain would do', response: answers('Exposure') } },
    async (): Promise<ExposureAnswer> =>
      toExposureAnswer(await history.exposure(), mesh.peers(), mesh.health().totals?.files ?? null),
  );

  app.get<{ Querystring: { lostPeers?: number; repairedTo?: number } }>(
    '/v1/resilience',
    {
      schema: {
        summary: 'Files that could not be recovered, by how much is lost',
        querystring: {
          type: 'object',
          additionalProperties: false,
          properties: {
            lostPeers: { type: 'integer', minimum: 0, maximum: 1_000_000, default: 0 },
            repairedTo: {
              type: 'number',
              minimum: 0,
              maximum: 1,
              description: 'As if all files were repaired up to this part of the span from k to n.',
            },
          },
        },
        response: answers('Resilience'),
      },
    },
    async ({ query }): Promise<ResilienceAnswer> => {
      const { shares, domains } = await groupsOfLate();
      const up = mesh.peers().filter(({ state }) => isAvailableState(state));
      return resilienceOf(shares, domains, {
        peers: up.length,
        domains: new Map([...domainsOf(up)].map(([kind, named]) => [kind, named.size])),
        lostPeers: query.lostPeers ?? 0,
        repairedTo: query.repairedTo ?? null,
      }) as ResilienceAnswer;
    },
  );
}

type DomainPeers = Map<string, Map<PeerState, number>>;

/** By kind and domain, peers by state. */
export function domainsOf(peers: readonly Pick<PeerFacts, 'domains' | 'state'>[]): Map<string, DomainPeers> {
  const kinds = new Map<string, DomainPeers>();
  for (const { domains, state } of peers) {
    for (const [kind, domain] of Object.entries(domains)) {
      const named = kinds.get(kind) ?? new Map<string, Map<PeerState, number>>();
      kinds.set(kind, named);
      const states = named.get(domain) ?? new Map<PeerState, number>();
      named.set(domain, states);
      states.set(state, (states.get(state) ?? 0) + 1);
    }
  }
  return kinds;
}

export function toExposureAnswer(
  exposed: readonly Exposure[],
  peers: readonly PeerFacts[],
  files: number | null,
): ExposureAnswer {
  const figures = new Map(exposed.map((row) => [`${row.kind} ${row.domain}`, row]));
  const names = new Map(peers.map(({ peer, name }) => [peer as string, name]));
  const kinds = [...domainsOf(peers)].map(([kind, named]) => ({
    kind,
    count: named.size,
    domains: [...named]
      .map(([domain, states]) => ({
        domain,
        peers: peerStates.map((state) => ({ state, peers: states.get(state) ?? 0 })),
        filesBelowK: figures.get(`${kind} ${domain}`)?.filesBelowK ?? 0,
        filesBelowRepair: figures.get(`${kind} ${domain}`)?.filesBelowRepair ?? 0,
      }))
      .sort(
        (a, b) =>
          b.filesBelowK - a.filesBelowK ||
          b.filesBelowRepair - a.filesBelowRepair ||
          a.domain.localeCompare(b.domain, 'en', { numeric: true }),
      )
      .slice(0, mostDomains),
  }));
  return {
    atMs: exposed.reduce((newest, { at }) => Math.max(newest, at), 0),
    files,
    kinds: kinds.sort((a, b) => a.count - b.count),
    peers: exposed
      .filter(({ kind, filesBelowK, filesBelowRepair }) => kind === 'peer' && filesBelowK + filesBelowRepair > 0)
      .slice(0, mostPeers)
      .map(({ domain, filesBelowK, filesBelowRepair }) => ({
        peerId: domain,
        name: names.get(domain) ?? domain.slice(0, 8),
        filesBelowK,
        filesBelowRepair,
      })),
  };
}
