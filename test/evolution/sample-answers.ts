/** One answer of every kind that the HTTP interfaces give, by interface and name, each checked by its own schema. */
import type { z } from 'zod';
import {
  errorAnswer,
  fileDetailAnswer,
  fileListAnswer,
  meshAnswer,
  peerListAnswer,
  proofListAnswer,
  repairListAnswer,
} from '#analyzer/api/schemas.ts';
import { directoryAnswer, enrolAnswer, postAnswer, settings, tokenAnswer } from '#collector/gateway/bodies.ts';

/** By the folder and name of the file that holds the answer. */
export const answerSchemas: Readonly<Record<'api' | 'collector', Readonly<Record<string, z.ZodType>>>> = {
  api: {
    mesh: meshAnswer,
    file: fileDetailAnswer,
    'at-risk': fileListAnswer,
    peers: peerListAnswer,
    repairs: repairListAnswer,
    proofs: proofListAnswer,
    error: errorAnswer,
  },
  collector: {
    post: postAnswer,
    'post-duplicate': postAnswer,
    enrol: enrolAnswer,
    settings,
    token: tokenAnswer,
    directory: directoryAnswer,
  },
};

const atMs = 1_760_000_000_000;
const peerId = Buffer.from(Uint8Array.from({ length: 32 }, (_, i) => i + 1)).toString('base64url');
const storageIndex = '5fsbhvm3dzua36zgwfjbeg4bvy';
const freshness = { state: 'stale', asOfMs: atMs, reasons: ['no tick for 12 s'] };
const file = {
  storageIndex,
  k: 3,
  n: 10,
  sizeBytes: 1_048_601,
  verifyCap: `URI:CHK-Verifier:${storageIndex}:wfnvz5cv5d4drq3fmqouhvamhtmlxxg5gt73gmry2s3ryh3h45aq:3:10:1048601`,
  policy: '3-of-10',
  tag: 'photos',
  recoverableNow: true,
  available: 4,
  counted: 5,
  retained: 7,
  corrupt: 1,
  margin: 1,
  grade: 'critical',
  settling: false,
  distinctPeers: 4,
  tolerancePeers: 2,
  toleranceDomains: { zone: 1 },
  log10Loss: -4.5,
  repairBelow: 7,
  repairUpTo: 9,
  onAtRiskList: true,
  cause: '3 shares on peers that are down',
  freshness,
};
const peerSettings = {
  heartbeatMs: 5000,
  inventoryIntervalS: 86_400,
  verifyBytesPerSecond: 4_194_304,
  serveBytesPerSecond: 0,
  version: 7,
  inventoryRequest: 8,
};

export const sampleAnswers: Readonly<Record<'api' | 'collector', Readonly<Record<string, unknown>>>> = {
  api: {
    mesh: {
      freshness,
      files: 12,
      bytes: 34_567,
      filesWithoutManifest: 1,
      settlingFiles: 2,
      byGrade: [{ grade: 'critical', files: 3, bytes: 4 }],
      byMargin: [{ policy: '3-of-10', margin: -1, files: 5, bytes: 6 }],
      peersByState: [{ state: 'down', peers: 7 }],
      sweptAtMs: atMs,
      ownedPartitions: 8,
      partitions: 16,
      alerts: [{ key: 'lost', severity: 'page', summary: 's', next: 'n', files: 9, sinceMs: atMs }],
    },
    file: {
      ...file,
      placements: [{ shareNumber: 2, peerId, peerName: 'alder-07', peerState: 'up', available: true, corrupt: false }],
    },
    'at-risk': { files: [file], total: 17, freshness },
    peers: {
      peers: [
        {
          peerId,
          name: 'alder-07',
          state: 'suspect',
          domains: { zone: 'alder' },
          silenceMs: null,
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
        },
      ],
      freshness,
    },
    repairs: {
      repairs: [
        {
          id: '6f2c1f0e-3d0a-4a55-9f63-0f6d7f1f2a11',
          storageIndex,
          outcome: 'repaired',
          errorCode: '',
          startedAtMs: atMs,
          endedAtMs: atMs + 5000,
          k: 3,
          n: 10,
          availableBefore: 4,
          availableAfter: 9,
          sharesPlaced: 5,
          bytesRead: 1_048_604,
          bytesWritten: 1_747_670,
          cause: '3 shares on peers that are down',
        },
      ],
    },
    proofs: {
      proofs: [
        {
          id: '0a9d8a4e-6a49-4d5c-8f8e-4cf4e7d3a001',
          storageIndex,
          outcome: 'proven',
          errorCode: '',
          atMs,
          shares: 3,
          bytes: 1_048_601,
          durationMs: 412,
        },
      ],
    },
    error: { error: { code: 'file-unknown', message: 'm', next: 'n', retryable: true } },
  },
  collector: {
    post: { accepted: 4 },
    'post-duplicate': { accepted: 0, duplicate: true },
    enrol: { peerId, domains: { zone: 'alder' }, settings: peerSettings },
    settings: peerSettings,
    token: { token: 'mwt_not-a-real-token', expiresAtMs: atMs, collectorPin: peerId },
    directory: {
      peers: [
        {
          peerId,
          name: 'alder-07',
          domains: { zone: 'alder' },
          nurl: `pb://${peerId}@alder-07.example:34001/not-a-real-swissnum#v=1`,
          capacityBytes: 4_000_000_000_000,
          enrolledAtMs: atMs,
          revoked: true,
          revokedReason: 'stolen',
          settings: peerSettings,
        },
      ],
      next: peerId,
    },
  },
};
