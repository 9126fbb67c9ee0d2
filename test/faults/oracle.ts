/**
 * What the mesh must look like, computed from the batches that were sent and from nothing else: each batch once, in its
 * peer's order, on the plain share map.
 */
import { PeerTable } from '#analyzer/files/share-map/peer-table.ts';
import type { FileHealth } from '#analyzer/files/share-map/share-map.ts';
import { PlainShareMap } from '#analyzer/files/share-map/testing/plain-share-map.ts';
import type { PeerBatch } from '#mesh/events/share-batch.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { policyFor } from '#mesh/policy.ts';
import { needsRepair } from '#mesh/share-counts.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';

export interface ExpectedFile {
  /** Null where nobody should know the file: it was deleted. */
  readonly health: FileHealth | null;
  readonly isListed: boolean;
  /** `share number/peer` of each placement that is there, with `!` behind it where it is corrupt; sorted. */
  readonly placements: readonly string[];
}

export class Oracle {
  readonly #map: PlainShareMap;
  /** Files settle at once, and log time goes on by itself. */
  #atMs = 1_000_000;
  /** Payloads, in hexadecimal. */
  readonly #letters = new Set<string>();

  constructor(peers: readonly PeerId[], domainsOf: (peer: PeerId) => Readonly<Record<string, string>>) {
    const table = new PeerTable();
    for (const peer of peers) {
      table.setState(peer, 'up');
      table.setDomains(peer, domainsOf(peer));
    }
    this.#map = new PlainShareMap({
      peers: table,
      policyFor: (coding, tag) => policyFor([], coding, tag),
      maxFiles: 10_000_000,
      settleMs: 1,
    });
  }

  apply(batch: PeerBatch): void {
    this.#atMs += 1000;
    this.#map.apply(batch, this.#atMs);
  }

  /** The record with this value cannot be read: it goes to the dead letters. */
  expectLetter(value: Uint8Array): void {
    this.#letters.add(Buffer.from(value).toString('hex'));
  }

  get letters(): ReadonlySet<string> {
    return this.#letters;
  }

  /** Of a file that was registered. */
  expect(file: StorageIndex): ExpectedFile {
    if (this.#map.find(file) === undefined) throw new Error(`nothing was sent of ${file}`);
    const health = this.#map.health(file, this.#atMs + 1_000_000) ?? null;
    return {
      health,
      isListed: health !== null && needsRepair(health.counted, health.policy),
      placements: this.#map
        .placements(file)
        .map(({ shareNumber, peer, corrupt }) => placementName(shareNumber, peer, corrupt))
        .sort(),
    };
  }
}

export function placementName(shareNumber: number, peer: PeerId, corrupt: boolean): string {
  return `${shareNumber}/${peer}${corrupt ? '!' : ''}`;
}
