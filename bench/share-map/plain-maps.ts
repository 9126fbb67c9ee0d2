/** The same mesh in JavaScript's own maps, by the rules that the native map is tested against. */
import { PeerTable } from '#analyzer/files/share-map/peer-table.ts';
import { PlainShareMap } from '#analyzer/files/share-map/testing/plain-share-map.ts';
import { type PeerId, peerIdFromBytes } from '#mesh/peer-id.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import { peerFlags } from '#native/share-map.ts';
import { usedBytes } from './memory.ts';
import { atMs, cpuMilliseconds, domainKinds, type Mesh, peerCount } from './mesh.ts';

export interface PlainFigures {
  readonly bytes: number;
  readonly eventsPerSecond: number;
  readonly sweepMs: number;
}

export function measurePlainMaps(mesh: Mesh): PlainFigures {
  const { peers, ids } = peerTableOf(mesh);
  const before = usedBytes();
  const map = new PlainShareMap({ peers, policyFor: defaultPolicy, maxFiles: 1e8, settleMs: 0 });
  const none = new Uint8Array(0);
  let sequence = 0;
  const order = () => ({ incarnation: 1, sequence: ++sequence, inventory: null, deletedFiles: none });
  const registrations = Array.from({ length: mesh.files }, (_, file) => ({
    manifest: {
      storageIndex: storageIndexFromBytes(mesh.storageIndexes, file * 16),
      uebHash: new Uint8Array(32),
      ...mesh.coding,
      sizeBytes: 10e6,
    },
    origin: 'owner' as const,
    tag: '',
  }));
  const peer = ids[0] as PeerId;
  map.apply({ ...order(), peer, storageIndexes: none, shareNumbers: none, kinds: none, registrations }, atMs);
  let ms = 0;
  let events = 0;
  for (const { peer: number, indexes, shares, kinds } of mesh.batches()) {
    const columns = { storageIndexes: indexes, shareNumbers: shares, kinds, registrations: [] };
    ms += cpuMilliseconds(() => map.apply({ ...order(), ...columns, peer: ids[number] as PeerId }, atMs));
    events += shares.length;
    if (events % 1_000_000 < shares.length) map.takeChanges();
  }
  map.takeChanges();
  const bytes = usedBytes() - before;
  return { bytes, eventsPerSecond: (events / ms) * 1000, sweepMs: cpuMilliseconds(() => map.sweep(atMs)) };
}

function peerTableOf(mesh: Mesh): { peers: PeerTable; ids: readonly PeerId[] } {
  const peers = new PeerTable();
  const ids = Array.from({ length: peerCount }, (_, i) => {
    const bytes = new Uint8Array(32);
    new DataView(bytes.buffer).setUint32(0, i);
    return peerIdFromBytes(bytes);
  });
  const columns = mesh.peers(0);
  ids.forEach((peer, number) => {
    peers.setState(peer, columns.flags[number] === peerFlags.retained ? 'down' : 'up');
    const named = Array.from({ length: domainKinds }, (_, kind) => [
      `kind${kind}`,
      `d${columns.domains[number * domainKinds + kind]}`,
    ]);
    peers.setDomains(peer, Object.fromEntries(named) as Record<string, string>);
  });
  return { peers, ids };
}
