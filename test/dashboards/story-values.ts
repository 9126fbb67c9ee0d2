/** What a minute of the story looks like to those who write it down. */
import { randomUUID } from 'node:crypto';
import type { Alert } from '#analyzer/alerts/alert.ts';
import { recoverabilityAlerts } from '#analyzer/alerts/recoverability.ts';
import type { FileRow, PlacementRow } from '#analyzer/files/share-map/kept-rows.ts';
import type { FileHealth, SweepTotals } from '#analyzer/files/share-map/share-map.ts';
import type { ExposureRecord } from '#analyzer/ports.ts';
import type { Grade } from '#mesh/grade.ts';
import type { Manifest } from '#mesh/manifest.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { type LivenessRules, newPeer } from '#peers/liveness/peer-liveness.ts';
import type { PeerFacts } from '#peers/liveness/peer-register.ts';
import { proofRow } from '#repairer/audit.ts';
import type { RepairReport } from '#repairer/repair/repair-report.ts';
import type { FigureName } from '#store/kept-figures.ts';
import type { ProofRow, ServiceFigureRow } from '#store/tables.ts';
import {
  isAvailable,
  minuteMs,
  moments,
  type StoryFile,
  type StoryMesh,
  type StoryPeer,
  type StoryRepair,
} from './story-mesh.ts';

const rules: LivenessRules = {
  suspectAfterHeartbeats: 3,
  defaultHeartbeatMs: 10_000,
  graceMs: 300_000,
  graceMaxMs: 3_600_000,
  departAfterMs: 864_000_000,
  memoryHalfLifeMs: 86_400_000,
};

export function manifestOf(file: StoryFile): Manifest {
  const { k, n } = file.policy;
  return { storageIndex: file.index, uebHash: file.uebHash, sizeBytes: file.sizeBytes, k, n };
}

export function fileRowOf(file: StoryFile, registeredAtMs: number): FileRow {
  return { manifest: manifestOf(file), origin: 'owner', tag: file.tag, deleted: false, registeredAtMs };
}

export function totalsOf(files: readonly StoryFile[]): SweepTotals {
  const byGrade = new Map<Grade, { files: number; bytes: number }>();
  const byPolicy = new Map<string, Map<Grade, { files: number; bytes: number }>>();
  const byMargin = new Map<string, Map<number, { files: number; bytes: number }>>();
  for (const { grade, policy, available, sizeBytes } of files) {
    if (grade === null) continue;
    add(byGrade, grade, sizeBytes);
    add(nested(byPolicy, policy.name), grade, sizeBytes);
    add(nested(byMargin, policy.name), available - policy.k, sizeBytes);
  }
  const bytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return { files: files.length, bytes, filesWithoutManifest: 0, settlingFiles: 0, byGrade, byPolicy, byMargin };
}

function nested<K>(maps: Map<string, Map<K, { files: number; bytes: number }>>, name: string) {
  const known = maps.get(name) ?? new Map<K, { files: number; bytes: number }>();
  maps.set(name, known);
  return known;
}

function add<K>(counts: Map<K, { files: number; bytes: number }>, key: K, sizeBytes: number): void {
  const { files, bytes } = counts.get(key) ?? { files: 0, bytes: 0 };
  counts.set(key, { files: files + 1, bytes: bytes + sizeBytes });
}

const domainsOf = ({ zone, region }: StoryPeer): Record<string, string> => ({ zone, region });

/** Of zones, regions and the twenty worst peers, as a sweep finds it. */
export function exposureOf(mesh: StoryMesh, atMs: number): ExposureRecord[] {
  const counts = new Map<string, { kind: string; domain: string; filesBelowK: number; filesBelowRepair: number }>();
  for (const file of mesh.files) {
    const within = new Map<string, { kind: string; domain: string; shares: number }>();
    for (const peer of file.holders) {
      if (peer === null || !isAvailable(peer.state)) continue;
      for (const [kind, domain] of [...Object.entries(domainsOf(peer)), ['peer', peer.id]] as [string, string][]) {
        const known = within.get(`${kind} ${domain}`) ?? { kind, domain, shares: 0 };
        within.set(`${kind} ${domain}`, { ...known, shares: known.shares + 1 });
      }
    }
    for (const [key, { kind, domain, shares }] of within) {
      const left = file.available - shares;
      const row = counts.get(key) ?? { kind, domain, filesBelowK: 0, filesBelowRepair: 0 };
      if (file.available >= file.policy.k && left < file.policy.k) row.filesBelowK++;
      if (file.available >= file.policy.repairBelow && left < file.policy.repairBelow) row.filesBelowRepair++;
      counts.set(key, row);
    }
  }
  // What is exposed no more is told of too.
  for (const peer of mesh.peers)
    for (const [kind, domain] of Object.entries(domainsOf(peer)))
      if (!counts.has(`${kind} ${domain}`))
        counts.set(`${kind} ${domain}`, { kind, domain, filesBelowK: 0, filesBelowRepair: 0 });
  const rows = [...counts.values()].map((row) => ({ ...row, atMs }));
  const peers = rows
    .filter(({ kind }) => kind === 'peer')
    .sort((a, b) => b.filesBelowK - a.filesBelowK)
    .slice(0, 20);
  return [...rows.filter(({ kind }) => kind !== 'peer'), ...peers];
}

export function sharesByPeer(mesh: StoryMesh): ReadonlyMap<StoryPeer, { shares: number; bytes: number }> {
  const held = new Map<StoryPeer, { shares: number; bytes: number }>();
  for (const { holders, sizeBytes, policy } of mesh.files)
    for (const peer of holders) {
      if (peer === null) continue;
      const { shares, bytes } = held.get(peer) ?? { shares: 0, bytes: 0 };
      held.set(peer, { shares: shares + 1, bytes: bytes + Math.ceil(sizeBytes / policy.k) });
    }
  return held;
}

export function factsOf(mesh: StoryMesh, minute: number): PeerFacts[] {
  const held = sharesByPeer(mesh);
  const load = 0.25 + 0.2 * Math.sin((minute / 1440) * 2 * Math.PI - 2);
  return mesh.peers.map((peer) => {
    const { shares, bytes } = held.get(peer) ?? { shares: 0, bytes: 0 };
    const silent = peer.state === 'down' || peer.state === 'suspect';
    const usedBytes = Math.round(peer.capacityBytes * (0.6 + minute * 1e-5)) + bytes;
    return {
      peer: peer.id,
      life: {
        ...newPeer(rules, 0),
        order: { incarnation: peer.agentVersion === '0.2.0' ? 2 : 1, sequence: minute },
        name: peer.name,
        host: `${peer.name}.example`,
        port: 7000,
        agentVersion: peer.agentVersion,
        capacityBytes: peer.capacityBytes,
        vitals: {
          cpuUsedRatio: Math.min(1, load + mesh.random() * 0.15),
          memoryUsedBytes: 3e9 + Math.round(mesh.random() * 5e8),
          diskUsedBytes: usedBytes,
          diskCapacityBytes: peer.capacityBytes,
          networkReceivedBytes: peer.networkReceived,
          networkSentBytes: peer.networkSent,
          sharesHeld: shares,
          shareBytesHeld: bytes,
          sharesVerified: peer.sharesVerified,
          spooledBatches: spooledBy(peer, minute),
          spoolDroppedInventories: 0,
          processMemoryBytes: 90e6,
        },
      },
      name: peer.name,
      domains: domainsOf(peer),
      state: peer.state,
      revoked: false,
      capacityBytes: peer.capacityBytes,
      inventoryRequest: 0,
      outdatedAtMs: 0,
      outdatedEvents: 0,
      silenceMs: silent ? (minute - peer.stateSince + 1) * minuteMs : 2000,
      inStateMs: (minute - peer.stateSince) * minuteMs,
      graceMs: 300_000,
      flapScore: peer.flapScore,
      unreachableMs: null,
      claims: { held: 0, failed: 0 },
      doubtedMs: null,
    };
  });
}

/** Many for half an hour after the loss; one from then on. */
function spooledBy({ name }: StoryPeer, minute: number): number {
  if (minute <= moments.zoneLost) return 0;
  if (name === 'birch-01') return 12;
  return minute < moments.zoneLost + 30 ? 3 : 0;
}

export function alertsOf(mesh: StoryMesh, totals: SweepTotals): readonly Alert[] {
  return recoverabilityAlerts({
    totals,
    peers: mesh.peers.map((peer) => ({ state: peer.state, domains: domainsOf(peer), silenceMs: 0 })),
    staleReasons: [],
    lostDomainRatio: 0.8,
    refusedEvents: 0,
    truncatedRecords: 0,
    owedInventories: 0,
    unwatchedFiles: 0,
  });
}

export function healthOf(file: StoryFile): FileHealth {
  const { available, counted, policy, tag, grade } = file;
  const holders = new Set(file.holders.filter((peer) => peer !== null));
  const zones = new Set([...holders].map((peer) => peer?.zone)).size;
  return {
    storageIndex: file.index,
    manifest: manifestOf(file),
    tag,
    policy,
    available,
    counted,
    retained: file.holders.filter((peer) => peer !== null).length,
    corrupt: 0,
    margin: available - policy.k,
    grade: grade ?? 'lost',
    settling: false,
    distinctPeers: holders.size,
    happiness: available,
    tolerancePeers: Math.max(0, available - policy.k + 1),
    toleranceDomains: { zone: Math.max(0, Math.min(zones - 1, Math.floor((available - policy.k) / 10))) },
  };
}

export function causeOf(file: StoryFile, mesh: StoryMesh): string {
  const gone = file.holders.filter((peer) => peer?.zone === mesh.lostZone && !isAvailable(peer.state)).length;
  return gone > 0 ? `zone ${mesh.lostZone} is silent (${gone} shares)` : 'shares are missing on peers that are up';
}

const blockBytes = (file: StoryFile): number => Math.ceil(file.sizeBytes / file.policy.k);

export function reportOf(repair: StoryRepair, beginMs: number, random: () => number): RepairReport {
  const { file, minute, before, wanted, targets, sources, failed } = repair;
  const durationMs = Math.round(400 + random() * 4000);
  const placements = targets.map((peer, i) => ({ shareNumber: wanted[i] as number, peerId: peer.id }));
  const bytesRead = failed ? 0 : blockBytes(file) * file.policy.k;
  const bytesWritten = blockBytes(file) * targets.length;
  return {
    id: randomUUID(),
    entry: {
      manifest: manifestOf(file),
      tag: file.tag,
      grade: file.grade ?? 'lost',
      available: before,
      retained: before,
      counted: before,
      margin: before - file.policy.k,
      placements: [],
      cause: 'shares are missing',
      sinceMs: 0,
      updatedAtMs: 0,
      risk: 1,
      repairUpTo: file.policy.repairUpTo,
      maxSharesPerPeer: 1,
      maxSharesPerDomain: 50,
      revision: 1,
      ownerGeneration: 1,
    },
    fence: { scope: '0', generation: 1 },
    ending: failed ? 'failed' : targets.length < wanted.length ? 'partial' : 'repaired',
    errorCode: failed ? 'repair-no-target' : '',
    errorMessage: failed ? 'no peer took a share' : '',
    startedAtMs: beginMs + minute * minuteMs,
    durationMs,
    availableBefore: before,
    availableAfter: before + targets.length,
    wanted,
    written: placements,
    found: [],
    taken: placements,
    sources: failed ? [] : sources.map((peer) => peer.id),
    corrupt: [],
    failedTargets: [],
    bytesRead,
    bytesWritten,
    cost: { bytesRead, bytesWritten, bytesPerShareOfMargin: 0 },
  };
}

export function proofOf(file: StoryFile, atMs: number, number: number): ProofRow {
  const failed = number === 7;
  const shares = file.holders.flatMap((peer, shareNumber) => (peer === null ? [] : [{ shareNumber, peerId: peer.id }]));
  const result = {
    id: randomUUID(),
    outcome: failed ? ('failed' as const) : ('proven' as const),
    startedAtMs: atMs + number * 1000,
    durationMs: 800,
    shares: shares.slice(0, file.policy.k),
    sharesLocated: shares.length,
    damaged: [],
    unreachable: 0,
    corrupt: [],
    bytesRead: file.sizeBytes,
    bytesProven: failed ? 0 : file.sizeBytes,
    plaintextSha256: null,
    errorCode: failed ? ('not-enough-shares' as const) : ('' as const),
    errorMessage: failed ? 'only 20 shares were good' : '',
  };
  return proofRow(result, manifestOf(file), 'scheduled', 'b'.repeat(32));
}

export function placementRows(mesh: StoryMesh): PlacementRow[] {
  return mesh.files.flatMap(({ index, holders }) =>
    holders.flatMap((peer, shareNumber) =>
      peer === null
        ? []
        : [{ storageIndex: index, shareNumber, peer: peer.id as PeerId, state: 'stored' as const, generation: 1 }],
    ),
  );
}

/** Figures as the services' metrics stand then; the repairer restarts once. */
export function figuresAt(mesh: StoryMesh, minute: number, at: number): ServiceFigureRow[] {
  const row = (service: string, figure: FigureName, value: number, labels = ''): ServiceFigureRow => ({
    at,
    figure,
    labels,
    service,
    instance: `host-${service}`,
    value,
  });
  const since = minute < 600 ? minute : minute - 600;
  const damaged = minute >= moments.zoneLost && minute < moments.zoneReturns;
  const waiting = mesh.files.filter(({ counted, policy }) => counted < policy.repairBelow).length;
  return [
    row('analyzer', 'meshward_process_memory_bytes', 220e6 + minute * 1e4),
    row('repairer', 'meshward_process_memory_bytes', 140e6),
    row('analyzer', 'meshward_process_uptime_seconds', minute * 60),
    row('repairer', 'meshward_process_uptime_seconds', since * 60),
    row('analyzer', 'meshward_health_stale', minute >= 600 && minute < 603 ? 1 : 0),
    row('analyzer', 'meshward_analyzer_events', minute * 3000 + (damaged ? (minute - moments.zoneLost) * 500 : 0)),
    row('analyzer', 'meshward_analyzer_malformed_records', Math.floor(minute / 300), 'reason=batch-malformed'),
    row('analyzer', 'meshward_analyzer_truncated_events', 0),
    row('analyzer', 'meshward_analyzer_refused_events', 0),
    row('analyzer', 'meshward_analyzer_sweep_seconds_count', minute * 12),
    row('analyzer', 'meshward_analyzer_sweep_seconds_sum', minute * 12 * 0.012),
    row('repairer', 'meshward_repairer_files', Math.min(waiting, 4), 'class=critical'),
    row('repairer', 'meshward_repairer_files', Math.max(0, waiting - 4), 'class=at-risk'),
    row('repairer', 'meshward_repairer_running', waiting > 0 ? 4 : 0),
    row('repairer', 'meshward_repairer_brake', minute >= moments.zoneLost && minute < moments.repairBegins ? 1 : 0),
    row('repairer', 'meshward_repairer_budget_bytes_per_second', 100e6),
    row('repairer', 'meshward_repairer_confirm_seconds_count', since),
    row('repairer', 'meshward_repairer_confirm_seconds_sum', since * 1.4),
    row('analyzer', 'meshward_store_queued_bytes', 2e6 + (damaged ? 4e6 : 0)),
    row('analyzer', 'meshward_store_queue_limit_bytes', 268e6),
    row('analyzer', 'meshward_store_oldest_waiting_seconds', damaged ? 2.5 : 0.8),
    row('analyzer', 'meshward_store_insert_retries', minute > 600 ? 3 : 0),
    row('analyzer', 'meshward_store_insert_seconds_count', minute * 30, 'table=file_health'),
    row('analyzer', 'meshward_store_insert_seconds_sum', minute * 30 * 0.02, 'table=file_health'),
    row('analyzer', 'meshward_store_inserted_rows', minute * 9000),
    row('analyzer', 'meshward_log_read_records', minute * 700),
    row('analyzer', 'meshward_log_unread_records', damaged ? 4_800 : 12),
    row('repairer', 'meshward_log_read_records', since * 40),
  ];
}
