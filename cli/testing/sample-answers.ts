/** Answers of the API as tests need them. */
import type { AlertChangeAnswer, AlertDetail, SilenceAnswer } from '#analyzer/api/alert-schemas.ts';
import type { CampaignSummary } from '#analyzer/api/campaign-schemas.ts';
import type { FileDetailAnswer, MeshAnswer, PeerAnswer, RepairAnswer } from '#analyzer/api/schemas.ts';
import type { LetterSummary } from '#collector/dead-letters/letters.ts';
import { parsePeerId } from '#mesh/peer-id.ts';

export const sampleFile: FileDetailAnswer = {
  storageIndex: '5fsbhvm3dzua36zgwfjbeg4bvy',
  k: 25,
  n: 100,
  sizeBytes: 1_048_601,
  verifyCap:
    'URI:CHK-Verifier:5fsbhvm3dzua36zgwfjbeg4bvy:wfnvz5cv5d4drq3fmqouhvamhtmlxxg5gt73gmry2s3ryh3h45aq:25:100:1048601',
  policy: '25-of-100',
  tag: '',
  recoverableNow: true,
  available: 98,
  counted: 99,
  retained: 100,
  corrupt: 0,
  margin: 73,
  grade: 'healthy',
  settling: false,
  distinctPeers: 100,
  tolerancePeers: 74,
  toleranceDomains: { zone: 4 },
  log10Loss: -12.34,
  repairBelow: 50,
  repairUpTo: 93,
  onAtRiskList: false,
  cause: '2 shares on peers that are not up',
  freshness: { state: 'fresh', asOfMs: 1_760_000_000_000, reasons: [] },
  placements: [
    {
      shareNumber: 7,
      peerId: 'b'.repeat(43),
      peerName: 'birch-01',
      peerState: 'down',
      available: false,
      corrupt: false,
    },
    { shareNumber: 2, peerId: 'a'.repeat(43), peerName: 'alder-01', peerState: 'up', available: true, corrupt: false },
  ],
};

export function samplePeer(name: string, changes: Partial<PeerAnswer> = {}): PeerAnswer {
  return {
    peerId: 'p'.repeat(43),
    name,
    state: 'up',
    domains: { zone: 'alder', region: 'north' },
    silenceMs: 900,
    graceMs: 900_000,
    flapScore: 0.26,
    revoked: false,
    capacityBytes: 1_000_000,
    freeBytes: 500_000,
    shares: 12,
    shareBytes: 4096,
    sharesVerified: 3,
    agentVersion: '0.1.0',
    incarnation: 1,
    outdatedAtMs: null,
    outdatedEvents: 0,
    cpuUsedRatio: 0.1,
    spooledBatches: 0,
    unreachableMs: null,
    claimsHeld: 0,
    claimsFailed: 0,
    ...changes,
  };
}

export const sampleAlert: AlertDetail = {
  id: '3f2a91c0-1b2c-4d5e-8f90-a1b2c3d4e5f6',
  key: 'domain-lost:zone=alder',
  alert: 'DomainLost',
  severity: 'page',
  labels: { alert: 'DomainLost', zone: 'alder' },
  summary: '12 of 12 peers of zone alder are down: 51 files are at risk, 3 of them critical',
  meaning: 'A whole failure domain has gone silent.',
  next: 'See whether the zone has power and network.',
  command: 'meshward peers --domain zone=alder',
  files: 51,
  bytes: 123_456_789,
  timeLeft: 'about 3 h at the present rate',
  repair: '4 repairs are running, 47 wait; about 12 min',
  sinceMs: 1_760_000_000_000,
  silenced: '',
  acknowledged: '',
  runbookUrl: 'https://example.org/DomainLost.md',
  dashboardUrl: '',
  told: [],
};

export const sampleChange: AlertChangeAnswer = { ...sampleAlert, state: 'firing', atMs: 1_760_000_000_000 };

export const sampleSilence: SilenceAnswer = {
  id: '9b1c0d2e-1b2c-4d5e-8f90-a1b2c3d4e5f6',
  selector: 'DomainLost,zone=alder',
  createdAtMs: 1_760_000_000_000,
  untilMs: 1_760_007_200_000,
  why: 'new switches in the racks of the whole zone',
  by: 'ada',
  isActive: true,
  endedAtMs: null,
  endedBy: '',
};

export const sampleCampaign: CampaignSummary = {
  id: '0f2a91c0-1b2c-4d5e-8f90-a1b2c3d4e5f6',
  name: 'birch',
  state: 'running',
  revision: 3,
  kind: 'drain',
  description: 'drain birch-01, birch-02: files with a share there get as many elsewhere',
  createdAtMs: 1_760_000_000_000,
  changedAtMs: 1_760_000_000_000,
  plannedFiles: 12_345,
  files: 1234,
  atRest: false,
};

export const sampleRepair: RepairAnswer = {
  id: '7f2a91c0-1b2c-4d5e-8f90-a1b2c3d4e5f6',
  storageIndex: '5fsbhvm3dzua36zgwfjbeg4bvy',
  outcome: 'repaired',
  errorCode: '',
  startedAtMs: 1_760_000_000_000,
  endedAtMs: 1_760_000_003_000,
  k: 25,
  n: 100,
  availableBefore: 48,
  availableAfter: 93,
  sharesPlaced: 45,
  bytesRead: 1_048_576,
  bytesWritten: 1_887_436,
  cause: '52 shares on peers that are down',
};

export const sampleLetter: LetterSummary = {
  number: 1234,
  appendedAtMs: 1_760_000_000_000,
  code: 'batch-malformed',
  reason: 'the columns of the batch have different lengths: 12 storage indexes, 11 share numbers',
  source: 'gateway',
  peerId: parsePeerId('p'.repeat(42) + 'A'),
  contentType: 'application/x-protobuf',
  payloadBytes: 1234,
  keptBytes: 1234,
  replayed: null,
};

export const sampleMesh: MeshAnswer = {
  freshness: sampleFile.freshness,
  files: 100,
  bytes: 123_456_789,
  filesWithoutManifest: 0,
  settlingFiles: 0,
  byGrade: [
    { grade: 'at-risk', files: 2, bytes: 1_000_000 },
    { grade: 'healthy', files: 98, bytes: 122_456_789 },
  ],
  byMargin: [
    { policy: '25-of-100', margin: 3, files: 2, bytes: 1_000_000 },
    { policy: '25-of-100', margin: 75, files: 98, bytes: 122_456_789 },
  ],
  peersByState: [
    { state: 'up', peers: 118 },
    { state: 'down', peers: 2 },
  ],
  sweptAtMs: 1_760_000_000_000,
  ownedPartitions: 4,
  partitions: 4,
  alerts: [],
};
