/**
 * Which recoverability alerts hold for a mesh, as a function of what the last sweep found. One page a cause, not one a
 * file: a lost zone pages once, with the count of files at stake and the command to run. Alerts of files that it explains
 * are warnings beside it.
 */
import type { Grade } from '#mesh/grade.ts';
import type { SweepTotals } from '../files/share-map/share-map.ts';
import { type StaleReason, staleReasonWords } from '../mesh/stale-reason.ts';
import type { Alert } from './alert.ts';
import { readerAlerts } from './reader-alerts.ts';
import { type AlertPeer, type ReadPeer, type SilentDomain, silentDomains } from './silent-domains.ts';

export interface AlertInput {
  readonly totals: SweepTotals;
  readonly peers: readonly AlertPeer[];
  /** What readers found at them. */
  readonly readPeers?: readonly ReadPeer[];
  /** Why the mesh's health cannot be told now; empty where it can. */
  readonly staleReasons: readonly StaleReason[];
  /** Part of a domain's peers that must be silent for the domain to count as lost. */
  readonly lostDomainRatio: number;
  /** Events of files that found no room. */
  readonly refusedEvents: number;
  /** Records of the log that were never read and are not made good yet. */
  readonly truncatedRecords: number;
  /** Inventories of peers that will make them good. */
  readonly owedInventories: number;
  /** Files that have shares and, for long, no manifest. */
  readonly unwatchedFiles: number;
}

export const staleAlertKey = 'health-stale';

export function recoverabilityAlerts(input: AlertInput): readonly Alert[] {
  const of = (grade: Grade): Count => input.totals.byGrade.get(grade) ?? { files: 0, bytes: 0 };
  const stake: Stake = { lost: of('lost'), critical: of('critical'), atRisk: of('at-risk') };
  const domains = lostDomains(input, stake);
  return [
    ...domains.map((domain) => domainAlert(domain, stake)),
    ...fileAlerts(stake, domains).map((alert) =>
      explainedBy(maintenanceWords(input.peers, input.totals, worstOf(alert)), alert),
    ),
    ...staleAlert(input.staleReasons),
    ...readerAlerts(input.readPeers ?? []),
    ...operationAlerts(input),
  ];
}

/** Which files an alert would still be told for, were those in maintenance up. */
function worstOf({ key }: Alert): readonly Grade[] {
  // One that is lost now may be critical without the window: whoever is paged for either must hear of it.
  return key === 'files-at-risk' ? needingRepair : ['lost', 'critical'];
}

const needingRepair: readonly Grade[] = ['lost', 'critical', 'at-risk'];

/**
 * Why files have fewer shares, where that is a maintenance window and nothing else: were the announced peers up, no file would have one
 * of these grades. Peers that are down, disks that were wiped and corrupt shares explain themselves: they count for nothing here, and
 * keep nothing back. Empty where it is not so, or not known: a peer in its grace was not announced.
 */
export function maintenanceWords(
  peers: readonly AlertPeer[],
  { byCountedGrade }: Pick<SweepTotals, 'byCountedGrade'>,
  worst: readonly Grade[] = needingRepair,
): string {
  const count = (...states: readonly AlertPeer['state'][]): number =>
    peers.filter(({ state }) => states.includes(state)).length;
  const announced = count('maintenance');
  if (announced === 0 || count('suspect') > 0) return '';
  // Reports of earlier releases do not say it: then any peer that is away may be the reason.
  if (byCountedGrade === undefined && count('down') > 0) return '';
  if (worst.some((grade) => (byCountedGrade?.get(grade)?.files ?? 0) > 0)) return '';
  return announced === 1 ? 'explained by 1 peer in maintenance' : `explained by ${announced} peers in maintenance`;
}

/** What is explained is shown, and told to nobody. */
export function explainedBy(words: string, alert: Alert): Alert {
  return words === '' ? alert : { ...alert, details: { ...alert.details, explainedBy: words } };
}

interface Count {
  readonly files: number;
  readonly bytes: number;
}

interface Stake {
  readonly lost: Count;
  readonly critical: Count;
  readonly atRisk: Count;
}

/** Peers in grace count once files are at stake: the page that names the cause must not come after its effects. */
function lostDomains({ peers, lostDomainRatio }: AlertInput, stake: Stake): readonly SilentDomain[] {
  const grave = stake.lost.files + stake.critical.files > 0;
  return silentDomains(peers, lostDomainRatio).filter(({ down, peers: all }) => grave || down / all >= lostDomainRatio);
}

function domainAlert({ label, peers, silent, down }: SilentDomain, stake: Stake): Alert {
  const inGrace = silent - down;
  return {
    key: `domain-lost:${label}`,
    severity: 'page',
    summary: `${label} is gone: ${silent} of ${peers} peers are silent${inGrace === 0 ? '' : ` (${inGrace} still in grace)`}; ${stakeWords(stake)}`,
    next: 'See `meshward peers --state down`. If they are to come back, a maintenance window keeps repair from starting.',
    files: stake.lost.files + stake.critical.files + stake.atRisk.files,
    bytes: stake.lost.bytes + stake.critical.bytes + stake.atRisk.bytes,
    details: { peers, silent, down },
  };
}

function stakeWords({ lost, critical, atRisk }: Stake): string {
  const parts = [
    ...(lost.files > 0 ? [`${files(lost.files)} cannot be recovered now`] : []),
    ...(critical.files > 0 ? [`${files(critical.files)} critical`] : []),
    ...(atRisk.files > 0 ? [`${files(atRisk.files)} at risk`] : []),
  ];
  return parts.length === 0 ? 'no file is at risk by it' : parts.join(', ');
}

function fileAlerts({ lost, critical, atRisk }: Stake, domains: readonly SilentDomain[]): readonly Alert[] {
  const because =
    domains.length === 0
      ? ''
      : ` after the loss of ${domains.map(({ label, silent }) => `${label} (${silent} peers)`).join(', ')}`;
  const severity = domains.length === 0 ? 'page' : 'warning';
  const alerts: Alert[] = [];
  if (lost.files > 0) {
    alerts.push({
      key: 'files-lost',
      severity,
      summary: `${files(lost.files)} cannot be recovered now${because}`,
      next: 'Bring peers back that hold their shares: `meshward file show CAP` names them; retained shares count as soon as a peer is up.',
      ...lost,
      details: {},
    });
  }
  if (critical.files > 0) {
    alerts.push({
      key: 'files-critical',
      severity,
      summary: `${files(critical.files)} critical: close to being lost${because}`,
      next: 'The brake does not hold their repair. `meshward file at-risk` shows what each was tried with and when it is tried again; `meshward file repair CAP` tries now.',
      ...critical,
      details: {},
    });
  }
  if (atRisk.files > 0) {
    alerts.push({
      key: 'files-at-risk',
      severity: 'warning',
      summary: `${files(atRisk.files)} at risk: below the repair threshold${because}`,
      next: 'Files that lack too much without counting peers in grace are on the repair list; the others wait for the grace to end. `meshward file at-risk` shows the list with tries and reasons.',
      ...atRisk,
      details: {},
    });
  }
  return alerts;
}

function staleAlert(reasons: readonly StaleReason[]): readonly Alert[] {
  if (reasons.length === 0) return [];
  return [
    {
      key: staleAlertKey,
      severity: 'page',
      summary: `health is stale: ${reasons.map(staleReasonWords).join('; ')}`,
      next: 'Nothing is declared lost meanwhile. Run `meshward doctor` to see which service is missing.',
      files: 0,
      bytes: 0,
      details: {},
    },
  ];
}

/** What keeps the analyzer from seeing everything. */
function operationAlerts({
  refusedEvents,
  truncatedRecords,
  owedInventories,
  unwatchedFiles,
}: AlertInput): readonly Alert[] {
  const alerts: Alert[] = [];
  if (refusedEvents > 0) {
    alerts.push({
      key: 'files-refused',
      severity: 'page',
      summary: `the analyzer is full: ${refusedEvents} events of files beyond analyzer.maxFiles were refused, and those files are not watched`,
      next: 'Start another analyzer, or raise analyzer.maxFiles where there is memory, and restart.',
      files: 0,
      bytes: 0,
      details: { refusedEvents },
    });
  }
  if (owedInventories > 0) {
    const lost = truncatedRecords === 0 ? 'records' : `${truncatedRecords} records`;
    alerts.push({
      key: 'events-truncated',
      severity: 'page',
      summary: `${lost} of the log were never read: figures may be wrong until ${owedInventories === 1 ? '1 inventory' : `${owedInventories} inventories`} of peers have come`,
      next: 'Nothing is declared lost by it. Peers that are there are asked for one by collectors, others send one when they return; `meshward peers` shows who is away. Files that owners put or deleted meanwhile must be put or deleted again. Where retention was faster, raise log.retentionMs and log.retentionBytes, or start more analyzers; where records cannot be read, `meshward dead-letters list --code log-corrupt` says why.',
      files: 0,
      bytes: 0,
      details: { truncatedRecords, owedInventories },
    });
  }
  if (unwatchedFiles > 0) {
    alerts.push({
      key: 'files-unwatched',
      severity: 'warning',
      summary: `${files(unwatchedFiles)} not watched: peers hold shares, and nobody has said what the files are`,
      next: 'An inventory brings what peers can read from their shares: `meshward peer inventory`. What stays has no share that can be read: its owner must register it again, or a peer holds what is no file of this mesh.',
      files: unwatchedFiles,
      bytes: 0,
      details: {},
    });
  }
  return alerts;
}

function files(count: number): string {
  return count === 1 ? '1 file' : `${count} files`;
}
