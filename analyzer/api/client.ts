/** The HTTP API as a program asks it. @throws MeshwardError of the API's own code, or `service-unavailable` where nobody answers. */

import { type ApiSender, plainSender } from '#access/api-sender.ts';
import type { Denial } from '#access/denials.ts';
import type { ApiError } from '#mesh/api-error.ts';
import type { CampaignDefinition } from '#mesh/campaigns/definition.ts';
import type { CampaignPlan } from '#mesh/campaigns/plan.ts';
import { describeError, errorCodes, MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { PeerState } from '#mesh/peer-state.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type {
  AlertChangeAnswer,
  AlertDetail,
  AlertListAnswer,
  ObjectiveAnswer,
  SilenceAnswer,
  SinkListAnswer,
} from './alert-schemas.ts';
import type {
  CampaignAnswer,
  CampaignReport,
  CampaignSummary,
  LimitsAnswer,
  ScheduleAnswer,
} from './campaign-schemas.ts';
import type {
  FileDetailAnswer,
  FileListAnswer,
  MeshAnswer,
  PeerDrainAnswer,
  PeerListAnswer,
  ProofAnswer,
  RepairAnswer,
} from './schemas.ts';

export interface ApiClient {
  mesh(): Promise<MeshAnswer>;
  file(index: StorageIndex): Promise<FileDetailAnswer>;
  atRisk(limit: number): Promise<FileListAnswer>;
  peers(state?: PeerState): Promise<PeerListAnswer>;
  drain(peer: PeerId): Promise<PeerDrainAnswer>;
  repairs(limit: number): Promise<readonly RepairAnswer[]>;
  proofs(limit: number, index?: StorageIndex): Promise<readonly ProofAnswer[]>;
  alerts(): Promise<AlertListAnswer>;
  /** By its id, or by the beginning of it. */
  alert(id: string): Promise<AlertDetail>;
  alertHistory(limit: number): Promise<readonly AlertChangeAnswer[]>;
  silences(): Promise<readonly SilenceAnswer[]>;
  alertSinks(): Promise<SinkListAnswer>;
  objective(): Promise<ObjectiveAnswer>;
  /** What a campaign would do; without effect. */
  planCampaign(definition: CampaignDefinition): Promise<CampaignPlan>;
  campaigns(): Promise<readonly CampaignSummary[]>;
  /** By id or name. */
  campaign(reference: string): Promise<CampaignAnswer>;
  campaignReport(reference: string, withRemaining: boolean): Promise<CampaignReport>;
  schedules(): Promise<readonly ScheduleAnswer[]>;
  repairLimits(): Promise<LimitsAnswer>;
  /** Newest first; for approvers. */
  denials(limit: number): Promise<readonly Denial[]>;
}

export function createApiClient(url: string, timeoutMs = 10_000, send: ApiSender = plainSender): ApiClient {
  const ask = async <T>(path: string, body?: unknown): Promise<T> => {
    let response: Response;
    const sent =
      body === undefined
        ? {}
        : { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    try {
      response = await send(new URL(path, url), { ...sent, signal: AbortSignal.timeout(timeoutMs) });
    } catch (error) {
      if (error instanceof MeshwardError) throw error;
      throw new MeshwardError('service-unavailable', `the API does not answer: ${describeError(error)}`, {
        next: 'See that the analyzer runs: `meshward doctor`.',
        retryable: true,
        cause: error,
      });
    }
    if (response.ok) return (await response.json()) as T;
    throw refusal(response.status, await response.text());
  };
  const get = <T>(path: string): Promise<T> => ask<T>(path);
  const query = (values: Record<string, string | number | undefined>): string => {
    const set = Object.entries(values).flatMap(([name, value]): [string, string][] =>
      value === undefined ? [] : [[name, String(value)]],
    );
    return set.length === 0 ? '' : `?${new URLSearchParams(set).toString()}`;
  };
  return {
    mesh: () => get('/v1/mesh'),
    file: (index) => get(`/v1/files/${index}`),
    atRisk: (limit) => get(`/v1/files/at-risk${query({ limit })}`),
    peers: (state) => get(`/v1/peers${query({ state })}`),
    drain: (peer) => get(`/v1/peers/${peer}/drain`),
    repairs: async (limit) => (await get<{ repairs: RepairAnswer[] }>(`/v1/repairs${query({ limit })}`)).repairs,
    proofs: async (limit, storageIndex) =>
      (await get<{ proofs: ProofAnswer[] }>(`/v1/proofs${query({ limit, storageIndex })}`)).proofs,
    alerts: () => get('/v1/alerts'),
    alert: (id) => get(`/v1/alerts/${encodeURIComponent(id)}`),
    alertHistory: async (limit) =>
      (await get<{ changes: AlertChangeAnswer[] }>(`/v1/alerts/history${query({ limit })}`)).changes,
    silences: async () => (await get<{ silences: SilenceAnswer[] }>('/v1/silences')).silences,
    alertSinks: () => get('/v1/alert-sinks'),
    objective: () => get('/v1/objective'),
    planCampaign: (definition) => ask('/v1/campaigns/plan', definition),
    campaigns: async () => (await get<{ campaigns: CampaignSummary[] }>('/v1/campaigns')).campaigns,
    campaign: (reference) => get(`/v1/campaigns/${encodeURIComponent(reference)}`),
    schedules: async () => (await get<{ schedules: ScheduleAnswer[] }>('/v1/schedules')).schedules,
    repairLimits: () => get('/v1/repair/limits'),
    denials: async (limit) => (await get<{ denials: Denial[] }>(`/v1/access/denials${query({ limit })}`)).denials,
    campaignReport: (reference, remaining) =>
      get(`/v1/campaigns/${encodeURIComponent(reference)}/report${query({ remaining: String(remaining) })}`),
  };
}

function refusal(status: number, body: string): MeshwardError {
  try {
    const { error } = JSON.parse(body) as ApiError;
    const code = errorCodes.find((known) => known === error.code) ?? 'internal';
    return new MeshwardError(code, error.message, { next: error.next, retryable: error.retryable });
  } catch {
    return new MeshwardError('service-unavailable', `the API answered with status ${status}`, {
      next: 'Look into the log of the analyzer.',
      retryable: true,
    });
  }
}
