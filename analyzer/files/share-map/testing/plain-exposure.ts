/** Exposure by its definition: for each file, what the loss of each peer and of each domain would take from it. */
import type { PeerId } from '#mesh/peer-id.ts';
import type { Exposure, ExposureRow } from '../peer-numbering.ts';
import type { PeerTable } from '../peer-table.ts';
import type { FileHealth, PlacementView } from '../share-map.ts';

export interface JudgedFile {
  readonly health: FileHealth;
  readonly placements: readonly PlacementView[];
}

export function exposureOf(files: Iterable<JudgedFile>, peers: PeerTable): Exposure {
  const ofPeers = new Map<PeerId, ExposureRow>();
  const ofDomains = new Map<string, Map<string, ExposureRow>>();
  for (const { health, placements } of files) {
    const held = placements.filter(({ available, shareNumber }) => available && shareNumber < health.manifest.n);
    const domainsOf = (peer: PeerId) => Object.entries(peers.row(peers.numberOf(peer)).domains);
    note(ofPeers, countsOf(held.map(({ peer }) => peer)), health);
    for (const kind of new Set(held.flatMap(({ peer }) => domainsOf(peer).map(([name]) => name)))) {
      const rows = ofDomains.get(kind) ?? new Map<string, ExposureRow>();
      ofDomains.set(kind, rows);
      const named = held.flatMap(({ peer }) =>
        domainsOf(peer).flatMap(([name, domain]) => (name === kind ? domain : [])),
      );
      note(rows, countsOf(named), health);
    }
  }
  return { peers: ofPeers, domains: ofDomains };
}

function note<K>(
  rows: Map<K, ExposureRow>,
  shares: ReadonlyMap<K, number>,
  { available, manifest, policy }: FileHealth,
): void {
  const falls = (below: number, loses: number): number => (available >= below && available - loses < below ? 1 : 0);
  for (const [name, loses] of shares) {
    const { filesBelowK, filesBelowRepair } = rows.get(name) ?? { filesBelowK: 0, filesBelowRepair: 0 };
    const row = {
      filesBelowK: filesBelowK + falls(manifest.k, loses),
      filesBelowRepair: filesBelowRepair + falls(policy.repairBelow, loses),
    };
    if (row.filesBelowK + row.filesBelowRepair > 0) rows.set(name, row);
  }
}

function countsOf<K>(names: readonly K[]): ReadonlyMap<K, number> {
  const counts = new Map<K, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
