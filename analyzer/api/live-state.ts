/** What every viewer of the page sees at once: figures, domains, the most urgent files, running work. Bounded, whatever the mesh's size. */
import { type PeerState, peerStates } from '#mesh/peer-state.ts';
import type { PeerFacts } from '#peers/liveness/peer-register.ts';
import type { AtRiskAnswer } from '../files/file-answers.ts';
import type { MeshHealth } from '../service.ts';
import { toMeshAnswer } from './answers.ts';
import type { MarginMoment } from './history.ts';
import type { LiveChanges } from './live-changes.ts';
import { domainsOf } from './risk-routes.ts';
import type { RunningRepairs } from './running-repairs.ts';
import type { RepairAnswer } from './schemas.ts';

export interface Observed {
  readonly health: MeshHealth;
  readonly atRisk: AtRiskAnswer;
  readonly repairing: RunningRepairs;
  readonly repairs: readonly RepairAnswer[];
}

/** Files and repairs that stand on the first view; more are asked for by the page. */
export const listedFiles = 12;
export const listedRepairs = 20;
const listedRunning = 12;
const listedAlerts = 20;
/** A kind with more domains than this is looked at with a question of one's own: `/v1/exposure`. */
const mostDomains = 200;

export function noteState(changes: LiveChanges, { health, atRisk, repairing, repairs }: Observed): void {
  const { freshness, byMargin, sweptAtMs, alerts, ...figures } = toMeshAnswer(health);
  const { asOfMs, ...fresh } = freshness;
  changes.set('pulse', { asOfMs, sweptAtMs });
  changes.set('mesh', { ...figures, freshness: fresh });
  changes.set('alerts', { total: alerts.length, open: alerts.slice(0, listedAlerts) });
  changes.set('margins', sumByMargin(byMargin));
  changes.set('atRisk', { total: atRisk.total, files: atRisk.files.map(brief) });
  changes.set('running', { total: repairing.running.length, repairs: repairing.running.slice(0, listedRunning) });
  changes.set('repairers', { answering: repairing.repairers, brake: repairing.brake });
  changes.set('repairs', repairs);
  changes.setRows('domains', domainRows(health.peers));
}

function brief({ health, cause }: AtRiskAnswer['files'][number]): Readonly<Record<string, unknown>> {
  const { storageIndex, grade, available, counted, margin } = health;
  const { k, n, sizeBytes } = health.manifest;
  return { storageIndex, grade, available, counted, margin, k, n, sizeBytes, cause };
}

export function sumByMargin(
  byMargin: readonly { readonly margin: number; readonly files: number }[],
): MarginMoment['files'] {
  const files = new Map<number, number>();
  for (const { margin, files: count } of byMargin) files.set(margin, (files.get(margin) ?? 0) + count);
  return [...files].sort(([a], [b]) => a - b);
}

/** By kind and domain: its peers in each state, in the order of `peerStates`. */
function domainRows(peers: readonly PeerFacts[]): Map<string, readonly number[]> {
  const rows = new Map<string, readonly number[]>();
  const counts = (states: ReadonlyMap<PeerState, number>): readonly number[] =>
    peerStates.map((state) => states.get(state) ?? 0);
  for (const [kind, named] of domainsOf(peers)) {
    if (named.size > mostDomains) continue;
    for (const [domain, states] of named) rows.set(`${kind}=${domain}`, counts(states));
  }
  return rows;
}
