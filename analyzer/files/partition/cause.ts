/** Why a file has fewer shares than it was made with, in one line for people. */
import type { TablePeer } from '../share-map/peer-table.ts';
import type { FileHealth, PlacementView } from '../share-map/share-map.ts';

/** @param peerOf the peer's row, for its state and domains. */
export function causeOf(
  health: FileHealth,
  placements: readonly PlacementView[],
  peerOf: (placement: PlacementView) => TablePeer,
): string {
  const { n } = health.manifest;
  const parts: string[] = [];
  const silent = placements.filter((placement) => !placement.corrupt && !placement.available);
  const unavailable = health.retained - health.available;
  if (unavailable > 0) {
    const domain = mostCommonDomain(silent.map(peerOf));
    parts.push(
      `${shares(unavailable)} on peers that are not up${domain === null ? '' : ` (${domain.count} in ${domain.label})`}`,
    );
  }
  if (health.corrupt > 0) parts.push(`${shares(health.corrupt)} corrupt`);
  const gone = n - health.retained - Math.min(health.corrupt, n - health.retained);
  if (gone > 0) parts.push(`${shares(gone)} on no peer`);
  return parts.length === 0 ? 'all shares are available' : parts.join(', ');
}

function mostCommonDomain(rows: readonly TablePeer[]): { label: string; count: number } | null {
  const counts = new Map<string, number>();
  for (const row of rows) {
    for (const [kind, domain] of Object.entries(row.domains))
      counts.set(`${kind} ${domain}`, (counts.get(`${kind} ${domain}`) ?? 0) + 1);
  }
  const [best] = [...counts].sort((a, b) => b[1] - a[1]);
  return best === undefined || best[1] < 2 || best[1] * 2 < rows.length ? null : { label: best[0], count: best[1] };
}

function shares(count: number): string {
  return count === 1 ? '1 share' : `${count} shares`;
}
