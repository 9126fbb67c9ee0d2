import { describe, expect, it } from 'vitest';
import type { PeerVitals } from '#mesh/events/peer-event.ts';
import { peerIdFromBytes } from '#mesh/peer-id.ts';
import { BusyPeers } from './busy-peers.ts';
import type { PeerFacts } from './liveness/peer-register.ts';

const peer = peerIdFromBytes(new Uint8Array(32).fill(1));
const calm: PeerVitals = {
  cpuUsedRatio: 0.2,
  memoryUsedBytes: 0,
  diskUsedBytes: 0,
  diskCapacityBytes: 0,
  networkReceivedBytes: 0,
  networkSentBytes: 0,
  sharesHeld: 0,
  shareBytesHeld: 0,
  sharesVerified: 0,
  spooledBatches: 0,
  spoolDroppedInventories: 0,
  processMemoryBytes: 0,
};
const says = (vitals: Partial<PeerVitals> | null): PeerFacts[] => [
  { peer, life: { vitals: vitals === null ? null : { ...calm, ...vitals } } } as PeerFacts,
];
const rules = { cpuUsedRatio: 0.9, diskWaitRatio: 0.5, networkBytesPerSecond: 1000 };

describe('a peer is busy', () => {
  it('by its processors or its disk, as its last heartbeat says', () => {
    const busy = new BusyPeers(rules);
    expect(busy.look(says(null), 0).size).toBe(0);
    expect(busy.look(says({}), 0).size).toBe(0);
    expect(busy.look(says({ cpuUsedRatio: 0.95 }), 0).get(peer)).toContain('processors');
    expect(busy.look(says({ diskWaitRatio: 0.5 }), 0).get(peer)).toContain('disk');
    expect(busy.look(says({}), 0).size).toBe(0);
  });

  it('by its network, as the last two heartbeats say', () => {
    const busy = new BusyPeers(rules);
    const first = says({ networkReceivedBytes: 1e9 });
    expect(busy.look(first, 0).size).toBe(0);
    expect(busy.look(first, 1000).size).toBe(0);
    const second = says({ networkReceivedBytes: 1e9 + 6000, networkSentBytes: 4000 });
    expect(busy.look(second, 10_000).get(peer)).toContain('network');
    // The same heartbeat says so for as long as there is no newer one.
    expect(busy.look(second, 15_000).get(peer)).toContain('network');
    expect(busy.look(says({ networkReceivedBytes: 10 }), 20_000).size).toBe(0);
  });

  it('never where the limit is 0', () => {
    const busy = new BusyPeers({ cpuUsedRatio: 0, diskWaitRatio: 0, networkBytesPerSecond: 0 });
    expect(busy.look(says({ cpuUsedRatio: 1, diskWaitRatio: 1 }), 0).size).toBe(0);
  });
});
