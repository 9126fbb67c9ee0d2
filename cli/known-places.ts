import type { ApiClient } from '#analyzer/api/client.ts';
import { parsePeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { PlacedShare } from '#peers/locate.ts';

/** Where its shares can be read, as far as the analyzer knows; none where that may not be all that is needed. */
export async function knownPlaces(storageIndex: StorageIndex, api: ApiClient): Promise<readonly PlacedShare[]> {
  try {
    const { recoverableNow, freshness, placements } = await api.file(storageIndex);
    if (!recoverableNow || freshness.state !== 'fresh') return [];
    return placements
      .filter((placement) => placement.available && !placement.corrupt)
      .map(({ shareNumber, peerId }) => ({ shareNumber, peerId: parsePeerId(peerId) }));
  } catch {
    // Reading needs no analyzer: any peer can be asked.
    return [];
  }
}
