/**
 * Which recoverability alerts hold for a mesh, as a function of what the last sweep found. One alert a cause, not one a
 * file: a lost zone pages once, with the count of files at stake and the command to run.
 */
import type { Grade } from '#mesh/grade.ts';
import type { PeerState } from '#mesh/peer-state.ts';
import type { SweepTotals } from '../share-map/share-map.ts';

export type Severity = 'page' | 'warning';

export interface Alert {
  /** Names the alert: the same condition keeps its key while it holds. */
  readonly key: string;
  readonly severity: Severity;
  readonly summary: string;
  /** What the reader can do. */
  readonly next: string;
  readonly files: number;
  readonly details: Readonly<Record<string, string | number>>;
}

export interface AlertInput {
  readonly totals: SweepTotals;
  /** `silenceMs` is null for a peer that was never heard: it has not gone, it has not come yet. */
  readonly peers: readonly { readonly state: PeerState; readonly domains: Readonly<Record<string, string>>; readonly silenceMs: number | null }[];
  /** Why the mesh's health cannot be told now; empty where it can. */
  readonly staleReasons: readonly string[];
  /** Part of a domain's peers that must be gone for the domain to count as lost. */
  readonly lostDomainRatio: number;
}

export function recoverabilityAlerts(input: AlertInput): readonly Alert[] {
  const domains = lostDomains(input);
  const because =
    domains.length === 0
      ? ''
      : ` after the loss of ${domains.map(({ label, down }) => `${label} (${down} peers)`).join(', ')}`;
  const alerts: Alert[] = [];
  const byGrade = (grade: Grade): number => input.totals.byGrade.get(grade)?.files ?? 0;
  const files = (count: number): string => (count === 1 ? '1 file' : `${count} files`);

  const lost = byGrade('lost');
  if (lost > 0) {
    alerts.push({
      key: 'files-lost',
      severity: 'page',
      summary: `${files(lost)} cannot be recovered now${because}`,
      next: 'Bring peers back that hold their shares: `meshward file show CAP` names them; retained shares count as soon as a peer is up.',
      files: lost,
      details: {},
    });
  }
  const critical = byGrade('critical');
  if (critical > 0) {
    alerts.push({
      key: 'files-critical',
      severity: 'page',
      summary: `${files(critical)} critical: close to being lost${because}`,
      next: 'Repair of critical files is never held back: watch it with `meshward file at-risk`, and see that repairers run.',
      files: critical,
      details: {},
    });
  }
  const atRisk = byGrade('at-risk');
  if (atRisk > 0) {
    alerts.push({
      key: 'files-at-risk',
      severity: 'warning',
      summary: `${files(atRisk)} at risk: below the repair threshold${because}`,
      next: 'Repair has been asked for: `meshward file at-risk` shows the list and how far repair is.',
      files: atRisk,
      details: {},
    });
  }
  for (const domain of domains) {
    alerts.push({
      key: `domain-lost:${domain.label}`,
      severity: 'page',
      summary: `${domain.label} is gone: ${domain.down} of ${domain.peers} peers are down`,
      next: 'See `meshward peers --state down`. If they are to come back, a maintenance window keeps repair from starting.',
      files: lost + critical + atRisk,
      details: { peers: domain.peers, down: domain.down },
    });
  }
  if (input.staleReasons.length > 0) {
    alerts.push({
      key: 'health-stale',
      severity: 'page',
      summary: `health is stale: ${input.staleReasons.join('; ')}`,
      next: 'Nothing is declared lost meanwhile. Run `meshward doctor` to see which service is missing.',
      files: 0,
      details: {},
    });
  }
  return alerts;
}

interface LostDomain {
  readonly label: string;
  readonly peers: number;
  readonly down: number;
}

function lostDomains(input: AlertInput): readonly LostDomain[] {
  const counts = new Map<string, { peers: number; down: number }>();
  for (const peer of input.peers) {
    if (peer.state === 'departed' || peer.silenceMs === null) continue;
    for (const [kind, domain] of Object.entries(peer.domains)) {
      const label = `${kind} ${domain}`;
      const count = counts.get(label) ?? { peers: 0, down: 0 };
      count.peers++;
      if (peer.state === 'down') count.down++;
      counts.set(label, count);
    }
  }
  return [...counts]
    .filter(([, count]) => count.peers > 1 && count.down / count.peers >= input.lostDomainRatio)
    .map(([label, count]) => ({ label, ...count }));
}

export interface AlertChange {
  /** The same from firing to resolved. */
  readonly id: string;
  readonly alert: Alert;
  readonly state: 'firing' | 'changed' | 'resolved';
  readonly atMs: number;
  readonly sinceMs: number;
}

interface OpenAlert {
  readonly id: string;
  readonly alert: Alert;
  readonly sinceMs: number;
  readonly toldAtMs: number;
}

/** An alert whose words change is told again at most this often: its first words went out at once. */
const retellMs = 10_000;

/** Remembers which alerts hold, and says what began, what changed and what ended. */
export class AlertBoard {
  readonly #open = new Map<string, OpenAlert>();
  readonly #newId: () => string;

  constructor(newId: () => string) {
    this.#newId = newId;
  }

  update(alerts: readonly Alert[], atMs: number): readonly AlertChange[] {
    const changes: AlertChange[] = [];
    const keys = new Set(alerts.map((alert) => alert.key));
    for (const [key, { id, alert, sinceMs }] of this.#open) {
      if (keys.has(key)) continue;
      this.#open.delete(key);
      changes.push({ id, alert, state: 'resolved', atMs, sinceMs });
    }
    for (const alert of alerts) {
      const known = this.#open.get(alert.key);
      const id = known?.id ?? this.#newId();
      const sinceMs = known?.sinceMs ?? atMs;
      const tell = known === undefined || (known.alert.summary !== alert.summary && atMs - known.toldAtMs >= retellMs);
      if (tell) changes.push({ id, alert, state: known === undefined ? 'firing' : 'changed', atMs, sinceMs });
      // Words that were not told yet must still differ from those that were, so that they are told when it is time.
      this.#open.set(alert.key, tell ? { id, alert, sinceMs, toldAtMs: atMs } : { ...(known as OpenAlert) });
    }
    return changes;
  }

  open(): readonly { readonly alert: Alert; readonly sinceMs: number }[] {
    return [...this.#open.values()];
  }
}
