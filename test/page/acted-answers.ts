/** What an acted mesh has to tell of alerts, repairs and campaigns. */
import type { OpenAlert } from '#analyzer/alerts/alert-board.ts';
import type { AlertQueries } from '#analyzer/api/alert-answers.ts';
import type { AlertDetail, SilenceAnswer } from '#analyzer/api/alert-schemas.ts';
import type { CampaignQueries } from '#analyzer/api/campaign-routes.ts';
import type { CampaignAnswer } from '#analyzer/api/campaign-schemas.ts';
import type { MarginMoment } from '#analyzer/api/history.ts';
import type { RunningRepairs } from '#analyzer/api/running-repairs.ts';
import type { RepairAnswer } from '#analyzer/api/schemas.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { fileOf } from '#mesh/testing/share-events.ts';
import type { ActedMesh } from './acted-mesh.ts';

const minuteMs = 60_000;

export const zoneAlert: OpenAlert = {
  id: '3f2a91c0-5b1e-4c6e-9a55-0d6f5a3c8e11',
  sinceMs: Date.now() - 4 * minuteMs,
  alert: {
    key: 'domain-lost:zone alder',
    severity: 'page',
    summary: 'zone alder is gone: 22 of 22 peers are silent',
    next: 'Find out what its peers have in common. Repair goes on by itself for files that need it.',
    files: 212,
    bytes: 940_000_000,
    details: {},
  },
};
export const staleAlert: OpenAlert = {
  id: '77c0f6aa-1b34-4a0c-8a0e-35f0a3a9d812',
  sinceMs: Date.now() - 2 * minuteMs,
  alert: {
    ...zoneAlert.alert,
    key: 'files-at-risk',
    severity: 'warning',
    summary: '218 files are below their repair threshold',
    next: 'Nothing, while repair keeps up.',
  },
};

function detail({ id, alert, sinceMs }: OpenAlert): AlertDetail {
  const isZone = alert.key.startsWith('domain-lost');
  const name = isZone ? 'MeshwardDomainLost' : 'MeshwardFilesAtRisk';
  return {
    id,
    key: alert.key,
    alert: name,
    severity: alert.severity,
    labels: { alert: name, key: alert.key, severity: alert.severity, ...(isZone ? { zone: 'alder' } : {}) },
    summary: alert.summary,
    meaning: isZone
      ? 'Four fifths of the peers of a failure domain are silent.'
      : 'Files are below the repair threshold of their policy.',
    next: alert.next,
    command: isZone ? 'meshward peers --state down' : 'meshward file at-risk',
    files: alert.files,
    bytes: alert.bytes,
    timeLeft: 'no file comes nearer to k at the present rate',
    repair: '3 repairs are under way; done in about 6 min',
    sinceMs,
    silenced: '',
    acknowledged: '',
    runbookUrl: `http://mesh.example/runbooks/${name}.md`,
    dashboardUrl: '',
    told: [{ sink: 'pager', state: 'firing', severity: 'page', atMs: sinceMs + 900 }],
  };
}

/** Remembers what the page said, as an analyzer reads it in the log. */
export class ActedAlerts implements AlertQueries {
  readonly #mesh: ActedMesh;
  silenced: SilenceAnswer[] = [];
  acknowledged = new Map<string, string>();

  constructor(mesh: ActedMesh) {
    this.#mesh = mesh;
  }

  open(): ReturnType<AlertQueries['open']> {
    const silenced = this.silenced.some(({ isActive }) => isActive) ? 'silenced by ada: new switches' : '';
    const alerts = this.#mesh.health().alerts.map((open) => {
      return { ...detail(open), silenced, acknowledged: this.acknowledged.get(open.alert.key) ?? '' };
    });
    return Promise.resolve({ alerts, isTeller: true });
  }

  one(): ReturnType<AlertQueries['one']> {
    return Promise.reject(new MeshwardError('alert-unknown', 'no alert of this id is open', { next: 'Look.' }));
  }

  history(): ReturnType<AlertQueries['history']> {
    const changes = this.#mesh.health().alerts.map(({ id, alert, sinceMs }) => {
      const { key, severity, summary, files } = alert;
      return {
        id,
        key,
        alert: 'MeshwardDomainLost',
        severity,
        state: 'firing' as const,
        summary,
        files,
        sinceMs,
        atMs: sinceMs,
      };
    });
    return Promise.resolve(changes);
  }

  silences(): readonly SilenceAnswer[] {
    return this.silenced;
  }

  sinks(): ReturnType<AlertQueries['sinks']> {
    return { isTeller: true, sinks: [] };
  }

  objective(): ReturnType<AlertQueries['objective']> {
    return { windowMs: 30 * 86_400_000, objectives: [] };
  }
}

export function actedRepairs(mesh: ActedMesh): readonly RepairAnswer[] {
  if ((mesh.options.lostZones ?? []).length === 0) return [];
  return Array.from({ length: 14 }, (_, i) => ({
    id: `r${i}`,
    storageIndex: fileOf(i * 9 + 2),
    outcome: i === 4 ? 'failed' : 'repaired',
    errorCode: i === 4 ? 'repair-no-target' : '',
    startedAtMs: Date.now() - (i + 1) * 7300 - 2100,
    endedAtMs: Date.now() - (i + 1) * 7300,
    k: 25,
    n: 100,
    availableBefore: 41 + (i % 8),
    availableAfter: i === 4 ? 41 + (i % 8) : 93,
    sharesPlaced: i === 4 ? 0 : 93 - 41 - (i % 8),
    bytesRead: 1_200_000 + i * 90_000,
    bytesWritten: i === 4 ? 0 : 2_400_000 + i * 80_000,
    cause: 'zone alder is gone',
  }));
}

export function actedRunning(mesh: ActedMesh): RunningRepairs {
  const isLost = (mesh.options.lostZones ?? []).length > 0;
  return {
    running: isLost
      ? mesh.listed
          .filter(({ health }) => health.margin >= 0)
          .slice(0, 3)
          .map(({ health }, i) => ({
            storageIndex: health.storageIndex,
            grade: health.grade,
            shares: 93 - health.available,
            progress: 0.2 + i * 0.31,
            bytes: 420_000 * (i + 1),
          }))
      : [],
    brake: null,
    failing: new Map(),
    stuckDrains: 0,
    repairers: 1,
  };
}

/** Half an hour in which margins fall with a zone, where one is lost, and are mended. */
export function actedMoments(mesh: ActedMesh): readonly MarginMoment[] {
  if (mesh.options.files === 0) return [];
  const isLost = (mesh.options.lostZones ?? []).length > 0;
  return Array.from({ length: 90 }, (_, i) => {
    const since = isLost ? Math.max(0, i - 70) : 0;
    const fallen = since === 0 ? 0 : Math.min(1, since / 5) - Math.max(0, since - 9) / 60;
    const files = Array.from({ length: 12 }, (_, j): readonly [number, number] => [
      75 - Math.round(fallen * 36) - j * (since > 0 ? 4 : 1),
      Math.round(400 / (1 + j * j)) + (j < 4 ? 30 : 0),
    ]);
    return { atMs: Date.now() - (90 - i) * 20_000, files: [...files].reverse() };
  });
}

const steps = [
  ['plan', 'ada', 'two machines go next week'],
  ['approve', 'grace', 'looked at the cost'],
  ['start', 'ada', 'truck is here'],
] as const;

export function actedCampaigns(): readonly CampaignAnswer[] {
  const plan = {
    atMs: Date.now() - 50 * minuteMs,
    files: 480,
    filesToRepair: 480,
    sharesToWrite: 3120,
    sharesToRead: 12_000,
    bytesRead: 6_100_000_000,
    bytesWritten: 1_590_000_000,
    peers: [],
    domains: [],
    duration: { leastMs: 20 * minuteMs, mostMs: 45 * minuteMs, basis: 'repairs of the last day' },
    cost: { currency: 'EUR', read: 0.1, write: 0.1, keepMonthly: 0.01 },
    marginsBefore: [],
    marginsAfter: [],
    ninesGained: 2,
    stillAtRisk: [],
  };
  const campaign = (name: string, state: CampaignAnswer['state'], files: number): CampaignAnswer => ({
    id: `00000000-0000-4000-8000-00000000000${name.length}`,
    name,
    state,
    revision: 3,
    kind: 'drain',
    description: 'move what birch-01 and birch-02 hold to other peers',
    createdAtMs: Date.now() - 48 * minuteMs,
    changedAtMs: Date.now() - 30 * minuteMs,
    plannedFiles: 480,
    files,
    atRest: false,
    definition: {
      kind: 'verify',
      selection: {},
      upTo: null,
      leave: [],
      onto: null,
      domainKind: null,
      priority: 'after-repairs',
      budgetShare: 0.5,
    },
    plan,
    planHash: 'a'.repeat(64),
    needsApproval: true,
    steps: steps.map(([what, operatorName, why], i) => ({
      revision: i + 1,
      what,
      operatorId: 'o'.repeat(43),
      operatorName,
      why,
      planHash: '',
      atMs: Date.now() - (48 - i * 9) * minuteMs,
    })),
    totals: {
      files,
      outcomes: [
        { outcome: 'repaired', errorCode: '', files: files - 2 },
        { outcome: 'failed', errorCode: 'repair-no-target', files: 2 },
      ] as CampaignAnswer['totals']['outcomes'],
      sharesWritten: files * 6,
      bytesRead: files * 12_700_000,
      bytesWritten: files * 3_300_000,
      inFlight: 2,
      finishedParts: 5,
      waits: [{ reason: 'files that need repair go first', parts: 3 }],
      atMs: Date.now(),
    },
    parts: 16,
    runningMs: 18 * minuteMs,
  });
  return [campaign('birch', 'running', 312), campaign('spring verify', 'done', 480)];
}

export function campaignQueries(campaigns: readonly CampaignAnswer[]): CampaignQueries {
  const never = (): never => {
    throw new MeshwardError('campaign-unknown', 'no campaign is called so', { next: '`meshward campaign list`.' });
  };
  return {
    plan: never,
    list: () => campaigns,
    campaign: (reference) => campaigns.find(({ id, name }) => id === reference || name === reference) ?? never(),
    report: never,
    schedules: () => [],
    limits: never,
  };
}
