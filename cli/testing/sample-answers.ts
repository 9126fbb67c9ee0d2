/** Answers of the API as tests need them. */
import type { FileDetailAnswer, PeerAnswer } from '#analyzer/api/schemas.ts';

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
