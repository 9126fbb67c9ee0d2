/** The page before an acted mesh: the real API, stream and files of the page on a port of loopback; only the mesh is made up. */
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { HttpAccess } from '#access/http-access.ts';
import { createApi } from '#analyzer/api/api.ts';
import { campaignRoutes } from '#analyzer/api/campaign-routes.ts';
import type { HistoryQueries } from '#analyzer/api/history.ts';
import type { Analyzer } from '#analyzer/service.ts';
import type { PageActions } from '#dashboards/page/action-routes.ts';
import { loadPage, type PageOptions } from '#dashboards/page/page-routes.ts';
import { systemClock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { silentLogger } from '#mesh/logger.ts';
import { isAvailableState } from '#mesh/peer-state.ts';
import {
  ActedAlerts,
  actedCampaigns,
  actedMoments,
  actedRepairs,
  actedRunning,
  campaignQueries,
} from './acted-answers.ts';
import type { ActedMesh } from './acted-mesh.ts';

export interface StageOptions {
  readonly mesh: ActedMesh;
  /** The database is away. */
  readonly storeIsAway?: boolean;
  /** Answers of the database never come. */
  readonly storeHangs?: boolean;
  readonly guide?: boolean;
  readonly reader?: PageOptions['reader'];
  readonly addRoutes?: (app: FastifyInstance) => void;
  readonly access?: HttpAccess;
}

export interface Stage extends AsyncDisposable {
  readonly url: string;
  readonly mesh: ActedMesh;
  readonly alerts: ActedAlerts;
  close(): Promise<void>;
}

export async function openStage(options: StageOptions): Promise<Stage> {
  const { mesh } = options;
  const alerts = new ActedAlerts(mesh);
  const addPage = await loadPage({
    guide: options.guide ?? false,
    actions: actionsOn(alerts),
    reader: options.reader ?? null,
  });
  const app = await createApi({
    analyzer: analyzerOf(mesh),
    history: historyOf(options),
    alerts,
    running: () => Promise.resolve(actedRunning(mesh)),
    config: {
      host: '127.0.0.1',
      port: 0,
      repairerUrls: [],
      maxStreams: 50,
      publicUrl: '',
      tlsCertFile: '',
      tlsKeyFile: '',
      pageActions: true,
      guide: false,
    },
    clock: systemClock,
    logger: silentLogger,
    version: '0.0.0',
    ...(options.access === undefined ? {} : { access: options.access }),
    addRoutes(routes) {
      addPage(routes);
      campaignRoutes(campaignQueries(mesh.options.files === 0 ? [] : actedCampaigns()), routes);
      options.addRoutes?.(routes);
    },
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const close = (): Promise<void> => app.close();
  return {
    url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`,
    mesh,
    alerts,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function analyzerOf(mesh: ActedMesh): Analyzer {
  const listed = ({ limit, offset = 0, grade }: { limit: number; offset?: number; grade?: string }) => {
    const fitting = mesh.listed.filter(({ health }) => grade === undefined || health.grade === grade);
    const many = mesh.options.alsoFiles === undefined ? 0 : 240_000;
    return { files: fitting.slice(offset, offset + limit), total: fitting.length + many };
  };
  return {
    health: () => mesh.health(),
    meshFreshness: () => mesh.freshness,
    peers: () => mesh.peers,
    peer: (id: string) => mesh.peers.find(({ peer }) => peer === id),
    onChange: (listener: () => void) => mesh.onChange(listener),
    lookUp: (index: Parameters<ActedMesh['find']>[0]) => Promise.resolve(mesh.find(index)),
    listAtRisk: (query: { limit: number }) => Promise.resolve(listed(query)),
    atRisk: listed,
  } as unknown as Analyzer;
}

function historyOf({ mesh, storeIsAway, storeHangs }: StageOptions): HistoryQueries {
  const answer = <T>(value: T): Promise<T> => {
    if (storeHangs === true) return new Promise(() => undefined);
    if (storeIsAway !== true) return Promise.resolve(value);
    return Promise.reject(
      new MeshwardError('store-unavailable', 'ClickHouse does not answer', {
        next: 'See `meshward doctor`.',
        retryable: true,
      }),
    );
  };
  return {
    repairs: (limit) => answer(actedRepairs(mesh).slice(0, limit)),
    proofs: () => answer([]),
    leaving: () => answer({ shares: 0, sharesWithoutManifest: 0, files: 0 }),
    marginHistory: () => answer(actedMoments(mesh)),
    exposure: () => answer(exposureOf(mesh)),
    fileGroups: () => answer(groupsOf(mesh)),
  };
}

/** By trying: each domain is taken away, and files that are too few then are counted. */
function exposureOf(mesh: ActedMesh): Awaited<ReturnType<HistoryQueries['exposure']>> {
  const domains = new Map<string, Set<string>>();
  for (const facts of mesh.peers)
    for (const [kind, domain] of Object.entries(facts.domains)) {
      const key = `${kind} ${domain}`;
      domains.set(key, (domains.get(key) ?? new Set()).add(facts.peer));
    }
  return [...domains].map(([key, peers]) => {
    const [kind = '', domain = ''] = key.split(' ');
    let filesBelowK = 0;
    let filesBelowRepair = 0;
    for (const { health, placements } of mesh.files) {
      const left = placements.filter(({ available, peer }) => available && !peers.has(peer)).length;
      if (health.available >= health.policy.k && left < health.policy.k) filesBelowK++;
      else if (health.available >= health.policy.repairBelow && left < health.policy.repairBelow) filesBelowRepair++;
    }
    return { kind, domain, at: mesh.sweptAtMs - 8000, filesBelowK, filesBelowRepair };
  });
}

function groupsOf(mesh: ActedMesh): Awaited<ReturnType<HistoryQueries['fileGroups']>> {
  return {
    shares: mesh.files.map(({ health }) => ({
      k: health.policy.k,
      n: health.policy.n,
      available: health.available,
      tolerancePeers: health.tolerancePeers,
      files: 1,
      bytes: health.manifest.sizeBytes,
    })),
    domains: mesh.files.flatMap(({ health }) =>
      Object.entries(health.toleranceDomains).map(([kind, tolerance]) => ({ kind, tolerance, files: 1 })),
    ),
  };
}

function actionsOn(alerts: ActedAlerts): PageActions {
  return {
    nowMs: () => Date.now(),
    silence(wish) {
      const id = `0b5f1c9a-2a77-4a3c-8d2f-00000000000${alerts.silenced.length}`;
      const state = { createdAtMs: Date.now(), by: 'ada', isActive: true, endedAtMs: null, endedBy: '' };
      alerts.silenced = [{ id, ...wish, ...state }, ...alerts.silenced];
      return Promise.resolve({ id });
    },
    endSilence(id) {
      alerts.silenced = alerts.silenced.map((silence) =>
        silence.id === id ? { ...silence, isActive: false, endedBy: 'ada', endedAtMs: Date.now() } : silence,
      );
      return Promise.resolve();
    },
    acknowledge({ alertKey, why }) {
      alerts.acknowledged.set(alertKey, `ada, for 2 h${why === '' ? '' : `: ${why}`}`);
      return Promise.resolve();
    },
  };
}

/** Peers that are up, for a test to choose from. */
export function peersUp(mesh: ActedMesh): readonly string[] {
  return mesh.peers.filter(({ state }) => isAvailableState(state)).map(({ name }) => name);
}
