/**
 * What the store holds, as typed rows. docs/clickhouse.md says what each table is for; migrations/ makes them, and a test
 * holds both to the same names and types. Times are milliseconds since the epoch (UTC), sizes are bytes.
 */

import { grades } from '#mesh/grade.ts';
import { peerStates } from '#mesh/peer-state.ts';
import { campaignFiles, campaignProgress, campaignSteps, campaigns } from './campaign-tables.ts';
import {
  choice,
  digest,
  flag,
  float32,
  float64,
  int16,
  label,
  list,
  nullable,
  peerId,
  record,
  repeatedPeerId,
  storageIndex,
  text,
  timestamp,
  uint8,
  uint16,
  uint32,
  uint64,
  uint64Sum,
  uuid,
} from './row-binary/columns.ts';
import { defineTable, type Row, type Table } from './row-binary/table.ts';

export const placementStates = ['stored', 'lost', 'corrupt'] as const;
export const manifestOrigins = ['owner', 'derived'] as const;
export const repairOutcomes = ['repaired', 'partial', 'not-needed', 'failed', 'cancelled'] as const;
export const proofOutcomes = ['proven', 'failed', 'cancelled'] as const;
/** `critical` is what releases before the fifth migration wrote for `page`. */
export const alertSeverities = ['info', 'warning', 'critical', 'page'] as const;
export const alertStates = ['firing', 'resolved'] as const;

const grade = choice(grades);
const peerState = choice(peerStates);

/** Checkpoint of the analyzers' share map: the newest version of a key counts, and `lost` rows go in time. */
export const placements = defineTable('placements', {
  partition: uint16,
  storageIndex,
  shareNumber: uint8,
  peerId: repeatedPeerId,
  state: choice(placementStates),
  /** The peer's inventory that named it last. */
  generation: uint32,
  incarnation: uint64,
  sequence: uint64,
  version: uint64,
});

/** The last batch of each peer that the placements of a partition hold. */
export const applied = defineTable('applied', {
  partition: uint16,
  peerId,
  incarnation: uint64,
  sequence: uint64,
  /** The peer's last inventory that ended. */
  generation: uint32,
  /** The inventory that is under way, or 0. */
  openGeneration: uint32,
  version: uint64,
  /** Of a collector that speaks for owners: when it was heard last; 0 for a peer. */
  ownerHeardAt: timestamp,
});

export const files = defineTable('files', {
  partition: uint16,
  storageIndex,
  uebHash: digest,
  k: uint16,
  n: uint16,
  sizeBytes: uint64,
  origin: choice(manifestOrigins),
  tag: label,
  registeredAt: timestamp,
  deleted: flag,
  version: uint64,
});

/** The newest health of each file. */
export const fileHealth = defineTable('file_health', {
  partition: uint16,
  storageIndex,
  policy: label,
  grade,
  /** Of the row before this one; null where there was none. */
  previousGrade: nullable(grade),
  gradeSince: timestamp,
  sizeBytes: uint64,
  k: uint16,
  n: uint16,
  available: uint16,
  retained: uint16,
  /** Available and in grace: what the repair trigger looks at. */
  counted: uint16,
  margin: int16,
  happiness: uint16,
  distinctPeers: uint16,
  tolerancePeers: uint16,
  /** For each kind of failure domain, how many may go before the file cannot be recovered. */
  toleranceDomains: record(uint16),
  corrupt: uint16,
  /** log10 of the probability of loss over the policy's horizon; null where it was not computed. */
  log10Loss: nullable(float32),
  cause: text,
  at: timestamp,
  deleted: flag,
  version: uint64,
});

export const partitionOwners = defineTable('partition_owners', {
  partition: uint16,
  generation: uint64,
  analyzer: label,
  since: timestamp,
});

export const gradeChanges = defineTable('grade_changes', {
  at: timestamp,
  storageIndex,
  policy: label,
  /** Null for a file that was not known before. */
  fromGrade: nullable(grade),
  toGrade: grade,
  available: uint16,
  retained: uint16,
  margin: int16,
  sizeBytes: uint64,
  cause: text,
});

/** One row for every grade of every policy in each sweep of an analyzer, with zeros: all rows of a sweep share their `at`. */
export const gradeHistory = defineTable('grade_history', {
  at: timestamp,
  analyzer: label,
  policy: label,
  grade,
  files: uint64,
  bytes: uint64Sum,
});

/** One row for each margin that has files, in each sweep of an analyzer: all rows of a sweep share their `at`. */
export const marginHistory = defineTable('margin_history', {
  at: timestamp,
  analyzer: label,
  policy: label,
  margin: int16,
  files: uint64,
  bytes: uint64Sum,
});

export const peers = defineTable('peers', {
  peerId,
  name: text,
  state: peerState,
  stateSince: timestamp,
  domains: record(text),
  capacityBytes: uint64,
  usedBytes: uint64,
  shares: uint64,
  agentVersion: label,
  host: text,
  port: uint16,
  lastHeardAt: timestamp,
  incarnation: uint64,
  flapScore: float32,
  graceMs: uint32,
  version: uint64,
});

/** What the analyzer must remember of a peer's life to go on judging it: JSON of analyzer/peers. */
export const peerLives = defineTable('peer_lives', {
  peerId,
  life: text,
  version: uint64,
});

/** How far peer-events are in the lives, and the log's own time there. */
export const livenessMarks = defineTable('liveness_marks', {
  partition: uint16,
  nextOffset: uint64,
  watermarkMs: uint64,
  elapsedMs: uint64,
  version: uint64,
});

export const peerStateHistory = defineTable('peer_states', {
  at: timestamp,
  peerId,
  /** Null for a peer that was not known before. */
  fromState: nullable(peerState),
  toState: peerState,
  reason: text,
  shares: uint64,
});

/** Host figures of heartbeats. Network figures and verified shares count from the agent's start. */
export const peerVitals = defineTable('peer_vitals', {
  at: timestamp,
  peerId: repeatedPeerId,
  cpuUsedRatio: float32,
  memoryUsedBytes: uint64,
  diskUsedBytes: uint64,
  diskCapacityBytes: uint64,
  networkReceivedBytes: uint64,
  networkSentBytes: uint64,
  shares: uint64,
  shareBytes: uint64,
  sharesVerified: uint64,
  spooledBatches: uint64,
  spoolDroppedInventories: uint64,
  processMemoryBytes: uint64,
});

/** Figures that the services count of themselves; counters count from the start of the process. */
export const serviceFigures = defineTable('service_figures', {
  at: timestamp,
  figure: label,
  /** Such as `class=critical,ending=failed`; empty where the figure has none. */
  labels: label,
  service: label,
  instance: label,
  value: float64,
});

/** Files that the loss of one whole failure domain would push below k, or below the repair threshold. Kind `peer` is a single peer. */
export const domainExposure = defineTable('domain_exposure', {
  at: timestamp,
  analyzer: label,
  kind: label,
  domain: label,
  filesBelowK: uint64,
  filesBelowRepair: uint64,
});

/** One row for each repair that was tried, written when it ended. */
export const repairs = defineTable('repairs', {
  id: uuid,
  storageIndex,
  /** Empty where no campaign asked for it. */
  campaign: label,
  startedAt: timestamp,
  endedAt: timestamp,
  durationMs: uint64,
  k: uint16,
  n: uint16,
  sizeBytes: uint64,
  availableBefore: uint16,
  availableAfter: uint16,
  wantedShares: list(uint8),
  writtenShares: list(uint8),
  /** Peers that were read from. */
  sources: list(repeatedPeerId),
  /** Peers that took the written shares, in the order of `writtenShares`. */
  targets: list(repeatedPeerId),
  bytesRead: uint64,
  bytesWritten: uint64,
  outcome: choice(repairOutcomes),
  errorCode: label,
  errorMessage: text,
  /** Fence of the partition's owner. */
  generation: uint64,
  cause: text,
  traceId: text,
});

/** Real recoveries from k shares, checked against the manifest. */
export const proofs = defineTable('proofs', {
  id: uuid,
  storageIndex,
  at: timestamp,
  /** Such as `scheduled` or `operator`. */
  reason: label,
  shares: list(uint8),
  sources: list(repeatedPeerId),
  outcome: choice(proofOutcomes),
  durationMs: uint64,
  bytesRead: uint64,
  sizeBytes: uint64,
  errorCode: label,
  errorMessage: text,
  traceId: text,
});

/** Each change of an alert: it is open while its newest row says `firing`. */
export const alerts = defineTable('alerts', {
  id: uuid,
  at: timestamp,
  kind: label,
  severity: choice(alertSeverities),
  state: choice(alertStates),
  summary: text,
  /** JSON. */
  details: text,
  files: uint64,
});

export const allTables: readonly Table[] = [
  placements,
  applied,
  files,
  fileHealth,
  partitionOwners,
  gradeChanges,
  gradeHistory,
  marginHistory,
  peers,
  peerLives,
  livenessMarks,
  peerStateHistory,
  peerVitals,
  serviceFigures,
  domainExposure,
  repairs,
  proofs,
  alerts,
  campaigns,
  campaignFiles,
  campaignSteps,
  campaignProgress,
];

export type PlacementRow = Row<typeof placements>;
export type AppliedRow = Row<typeof applied>;
export type FileRow = Row<typeof files>;
export type FileHealthRow = Row<typeof fileHealth>;
export type GradeChangeRow = Row<typeof gradeChanges>;
export type GradeHistoryRow = Row<typeof gradeHistory>;
export type MarginHistoryRow = Row<typeof marginHistory>;
export type PeerRow = Row<typeof peers>;
export type PeerLifeRow = Row<typeof peerLives>;
export type LivenessMarkRow = Row<typeof livenessMarks>;
export type PeerStateRow = Row<typeof peerStateHistory>;
export type PeerVitalsRow = Row<typeof peerVitals>;
export type ServiceFigureRow = Row<typeof serviceFigures>;
export type DomainExposureRow = Row<typeof domainExposure>;
export type RepairRow = Row<typeof repairs>;
export type ProofRow = Row<typeof proofs>;
export type AlertRow = Row<typeof alerts>;
