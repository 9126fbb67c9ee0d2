/** Exposure of all partitions of one analyzer together, and which rows of it belong into the store. */
import type { PeerId } from '#mesh/peer-id.ts';
import type { Exposure, ExposureRow } from '../files/share-map/peer-numbering.ts';
import type { ExposureRecord } from '../ports.ts';

/** Of single peers only the worst are kept: there are thousands, and each row is kept for a month. */
const peersKept = 200;

export function mergeExposure(parts: readonly Exposure[]): Exposure {
  const peers = new Map<PeerId, ExposureRow>();
  const domains = new Map<string, Map<string, ExposureRow>>();
  for (const part of parts) {
    addAll(peers, part.peers);
    for (const [kind, rows] of part.domains) {
      const known = domains.get(kind) ?? new Map<string, ExposureRow>();
      domains.set(kind, known);
      addAll(known, rows);
    }
  }
  return { peers, domains };
}

function addAll<K>(to: Map<K, ExposureRow>, rows: ReadonlyMap<K, ExposureRow>): void {
  for (const [key, { filesBelowK, filesBelowRepair }] of rows) {
    const known = to.get(key) ?? { filesBelowK: 0, filesBelowRepair: 0 };
    to.set(key, {
      filesBelowK: known.filesBelowK + filesBelowK,
      filesBelowRepair: known.filesBelowRepair + filesBelowRepair,
    });
  }
}

/** Makes rows out of what sweeps found; what was exposed and is no more gets a row of zeros, once. */
export class ExposureRows {
  #exposed = new Map<string, readonly [kind: string, domain: string]>();

  next(exposure: Exposure, atMs: number): readonly ExposureRecord[] {
    const worst = [...exposure.peers]
      .sort(([, a], [, b]) => b.filesBelowK - a.filesBelowK || b.filesBelowRepair - a.filesBelowRepair)
      .slice(0, peersKept);
    const rows: ExposureRecord[] = [
      ...[...exposure.domains].flatMap(([kind, ofKind]) =>
        [...ofKind].map(([domain, row]) => ({ kind, domain, atMs, ...row })),
      ),
      ...worst.map(([peer, row]) => ({ kind: 'peer', domain: peer, atMs, ...row })),
    ];
    const keyOf = (kind: string, domain: string): string => JSON.stringify([kind, domain]);
    const exposed = new Map(rows.map(({ kind, domain }) => [keyOf(kind, domain), [kind, domain] as const]));
    for (const [key, [kind, domain]] of this.#exposed) {
      if (!exposed.has(key)) rows.push({ kind, domain, atMs, filesBelowK: 0, filesBelowRepair: 0 });
    }
    this.#exposed = exposed;
    return rows;
  }
}
