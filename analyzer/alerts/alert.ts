/** What an alert is: a condition that holds, its stake, and what to do about it. */

export type Severity = 'page' | 'warning';

export interface Alert {
  /** Names the alert: the same condition keeps its key while it holds. `KIND` or `KIND:CAUSE`. */
  readonly key: string;
  readonly severity: Severity;
  readonly summary: string;
  /** What the reader can do. */
  readonly next: string;
  readonly files: number;
  /** Of these files. */
  readonly bytes: number;
  readonly details: Readonly<Record<string, string | number>>;
}

/** What is known of each kind of alert beside the moment: one list for sinks, runbooks and documents. */
export interface AlertKind {
  /** As sinks, rules and runbooks call it. */
  readonly name: `Meshward${string}`;
  /** When it holds. */
  readonly meaning: string;
  /** The first command to run. */
  readonly command: string;
}

export const alertKinds = {
  'domain-lost': {
    name: 'MeshwardDomainLost',
    meaning: 'Four fifths of the peers of a failure domain are silent.',
    command: 'meshward peers --state down',
  },
  'files-lost': {
    name: 'MeshwardFilesLost',
    meaning: 'Files have fewer than k shares on peers that are up.',
    command: 'meshward file at-risk --grade lost',
  },
  'files-critical': {
    name: 'MeshwardFilesCritical',
    meaning: 'Files are below the critical threshold of their policy.',
    command: 'meshward file at-risk --grade critical',
  },
  'files-at-risk': {
    name: 'MeshwardFilesAtRisk',
    meaning: 'Files are below the repair threshold of their policy.',
    command: 'meshward file at-risk',
  },
  'health-stale': {
    name: 'MeshwardHealthStale',
    meaning: 'What is known of the mesh is not up to date.',
    command: 'meshward doctor',
  },
  'files-refused': {
    name: 'MeshwardFilesRefused',
    meaning: 'An analyzer is full, and files beyond its limit are not watched.',
    command: 'meshward doctor',
  },
  'events-truncated': {
    name: 'MeshwardEventsTruncated',
    meaning: 'Records left the log before they were read.',
    command: 'meshward peers',
  },
  'files-unwatched': {
    name: 'MeshwardFilesUnwatched',
    meaning: 'Peers hold shares of files of which nobody has said what they are.',
    command: 'meshward peers',
  },
  'claims-fail': {
    name: 'MeshwardClaimsFail',
    meaning:
      'A peer does not hold shares that it says to hold: several that were drawn at random were not there or not sound.',
    command: 'meshward peers',
  },
  'peers-unreachable': {
    name: 'MeshwardPeersUnreachable',
    meaning: 'Peers are heard, but their shares cannot be reached.',
    command: 'meshward peers',
  },
  'objective-recoverable': {
    name: 'MeshwardRecoverableBudgetBurn',
    meaning: 'Files that cannot be recovered burn the error budget of the objective too fast.',
    command: 'meshward file at-risk --grade lost',
  },
  'objective-above-repair': {
    name: 'MeshwardRepairBudgetBurn',
    meaning: 'Files below the repair threshold burn the error budget of the objective too fast.',
    command: 'meshward file at-risk',
  },
  'proof-disagrees': {
    name: 'MeshwardProofDisagrees',
    meaning: 'A file that can be recovered by its margin was really fetched, and could not be recovered.',
    command: 'meshward schedule list',
  },
  'sink-failing': {
    name: 'MeshwardAlertSinkFailing',
    meaning: 'A sink of alerts takes nothing: those it is for hear of nothing.',
    command: 'meshward doctor',
  },
} as const satisfies Readonly<Record<string, AlertKind>>;

export const watchdogKind: AlertKind = {
  name: 'MeshwardWatchdog',
  meaning: 'Always fires: when it stops, alerts reach nobody.',
  command: 'meshward doctor',
};

export const testKind: AlertKind = {
  name: 'MeshwardTest',
  meaning: '`meshward alerts test` was run.',
  command: 'meshward alerts',
};

/** Of an alert by its key. One that a later release told, and this one does not know, is called by its key. */
export function kindOf(key: string): AlertKind {
  const [kind = ''] = key.split(':', 1);
  const known = (alertKinds as Readonly<Record<string, AlertKind>>)[kind];
  if (known !== undefined) return known;
  const words = kind.split('-').map((word) => word.slice(0, 1).toUpperCase() + word.slice(1));
  return { name: `Meshward${words.join('')}`, meaning: 'An alert of another release.', command: 'meshward alerts' };
}

/** What tells alerts of one kind apart, as labels: `domain-lost:zone eu-1` is of `{zone: 'eu-1'}`. */
export function causeLabels(key: string): Readonly<Record<string, string>> {
  const at = key.indexOf(':');
  if (at === -1) return {};
  const cause = key.slice(at + 1);
  const space = cause.indexOf(' ');
  const kind = space === -1 ? '' : cause.slice(0, space);
  return isLabelName(kind) ? { [kind]: cause.slice(space + 1) } : { cause };
}

/** Of an alert as selectors see them. */
export function selectorLabels({ key, severity }: Pick<Alert, 'key' | 'severity'>): Readonly<Record<string, string>> {
  return { ...causeLabels(key), key, severity, alert: kindOf(key).name };
}

/** Names that Prometheus takes, and that mean nothing else here. */
function isLabelName(text: string): boolean {
  return /^[a-z][a-z0-9_]{0,62}$/i.test(text) && !['alert', 'alertname', 'severity', 'mesh', 'key'].includes(text);
}
