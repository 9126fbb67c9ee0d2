/** The analyzer's values as the API answers them. */
import { formatVerifyCap } from '#mesh/caps.ts';
import { grades } from '#mesh/grade.ts';
import { peerStates } from '#mesh/peer-state.ts';
import { freeBytesOf, type PeerFacts } from '#peers/liveness/peer-register.ts';
import type { LeavingCounts } from '#store/queries/drain.ts';
import type { FileAnswer } from '../files/file-answer.ts';
import type { Freshness } from '../mesh/freshness.ts';

import { staleReasonsInWords } from '../mesh/stale-reason.ts';
import type { MeshHealth } from '../service.ts';

import type { RunningRepairs } from './running-repairs.ts';
import type { FileAnswerBody, FreshnessAnswer, MeshAnswer, PeerAnswer, PeerDrainAnswer } from './schemas.ts';

export function toFreshnessAnswer({ state, asOfMs, reasons }: Freshness): FreshnessAnswer {
  return { state, asOfMs, reasons: staleReasonsInWords(reasons) };
}

export function toMeshAnswer(health: MeshHealth): MeshAnswer {
  const { totals } = health;
  return {
    freshness: toFreshnessAnswer(health.freshness),
    files: totals?.files ?? null,
    bytes: totals?.bytes ?? null,
    filesWithoutManifest: totals?.filesWithoutManifest ?? null,
    settlingFiles: totals?.settlingFiles ?? null,
    byGrade:
      totals === null
        ? []
        : grades.map((grade) => ({ grade, ...(totals.byGrade.get(grade) ?? { files: 0, bytes: 0 }) })),
    byMargin: [...(totals?.byMargin ?? [])].flatMap(([policy, margins]) =>
      [...margins].sort(([a], [b]) => a - b).map(([margin, count]) => ({ policy, margin, ...count })),
    ),
    peersByState: countByState(health.peers),
    sweptAtMs: health.sweptAtMs,
    ownedPartitions: health.ownedPartitions,
    partitions: health.partitions,
    alerts: health.alerts.map(({ alert: { key, severity, summary, next, files }, sinceMs }) => ({
      key,
      severity,
      summary,
      next,
      files,
      sinceMs,
    })),
  };
}

function countByState(peers: readonly PeerFacts[]): MeshAnswer['peersByState'] {
  const counts = new Map(peerStates.map((state) => [state, 0]));
  for (const { state } of peers) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => ({ state, peers: count }));
}

export function toFileAnswer(answer: FileAnswer): FileAnswerBody {
  const { health, cause, log10Loss, listed, freshness } = answer;
  const { manifest, policy } = health;
  return {
    storageIndex: manifest.storageIndex,
    k: manifest.k,
    n: manifest.n,
    sizeBytes: manifest.sizeBytes,
    verifyCap: formatVerifyCap(manifest),
    policy: policy.name,
    tag: health.tag,
    recoverableNow: health.margin >= 0,
    available: health.available,
    counted: health.counted,
    retained: health.retained,
    corrupt: health.corrupt,
    margin: health.margin,
    grade: health.grade,
    settling: health.settling,
    distinctPeers: health.distinctPeers,
    tolerancePeers: health.tolerancePeers,
    toleranceDomains: { ...health.toleranceDomains },
    log10Loss,
    repairBelow: policy.repairBelow,
    repairUpTo: policy.repairUpTo,
    onAtRiskList: listed,
    cause,
    freshness: toFreshnessAnswer(freshness),
  };
}

/** With what repairers tell of it, where the last repair did not end well. */
export function withTries<T extends FileAnswerBody>(file: T, failing: RunningRepairs['failing']): T {
  const tries = failing.get(file.storageIndex);
  if (tries === undefined) return file;
  const { storageIndex: _storageIndex, ...repair } = tries;
  return { ...file, repair };
}

export function toPeerAnswer(facts: PeerFacts): PeerAnswer {
  const { life } = facts;
  const vitals = life.vitals;
  return {
    peerId: facts.peer,
    name: facts.name,
    state: facts.state,
    domains: { ...facts.domains },
    silenceMs: facts.silenceMs === null ? null : Math.max(0, Math.round(facts.silenceMs)),
    graceMs: Math.round(facts.graceMs),
    flapScore: Math.round(facts.flapScore * 100) / 100,
    revoked: facts.revoked,
    capacityBytes: facts.capacityBytes,
    freeBytes: freeBytesOf(facts),
    shares: vitals?.sharesHeld ?? 0,
    shareBytes: vitals?.shareBytesHeld ?? 0,
    sharesVerified: vitals?.sharesVerified ?? 0,
    agentVersion: life.agentVersion,
    incarnation: life.order.incarnation,
    outdatedAtMs: facts.outdatedAtMs === 0 ? null : facts.outdatedAtMs,
    outdatedEvents: facts.outdatedEvents,
    cpuUsedRatio: vitals?.cpuUsedRatio ?? 0,
    spooledBatches: vitals?.spooledBatches ?? 0,
    unreachableMs: facts.unreachableMs === null ? null : Math.max(0, Math.round(facts.unreachableMs)),
    doubtedMs: facts.doubtedMs === null ? null : Math.max(0, Math.round(facts.doubtedMs)),
    claimsHeld: rounded(facts.claims.held),
    claimsFailed: rounded(facts.claims.failed),
  };
}

function stuckWords(files: number): string {
  if (files === 0) return '';
  return `; of ${files === 1 ? '1 file' : `${files} files`} no peer took them so far: \`meshward peers\` shows who has room, and a peer takes no more shares of one file than its policy says`;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

/** @param stuck files of which shares could not be moved off draining peers so far. */
export function toDrainAnswer(
  facts: PeerFacts,
  counts: LeavingCounts,
  freshness: Freshness,
  stuck: number,
): PeerDrainAnswer {
  const sharesLeft = counts.shares - counts.sharesWithoutManifest;
  const reason =
    facts.state !== 'draining'
      ? `it is ${facts.state} and not draining`
      : freshness.state !== 'fresh'
        ? 'health is stale: what is elsewhere may not be there any more'
        : sharesLeft > 0
          ? `${sharesLeft} ${sharesLeft === 1 ? 'share is' : 'shares are'} nowhere else${stuckWords(stuck)}`
          : '';
  return {
    peerId: facts.peer,
    state: facts.state,
    maySwitchOff: reason === '',
    reason,
    sharesLeft,
    filesLeft: counts.files,
    sharesOfUnknownFiles: counts.sharesWithoutManifest,
    freshness: toFreshnessAnswer(freshness),
  };
}
