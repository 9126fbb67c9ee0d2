/** Files to prove, drawn at random: the riskier and the longer unproven, the likelier. */
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { Store } from '../client.ts';
import { digest, int16, storageIndex, uint16, uint64 } from '../row-binary/columns.ts';

export interface FileToProve {
  readonly storageIndex: StorageIndex;
  readonly uebHash: Uint8Array;
  readonly k: number;
  readonly n: number;
  readonly sizeBytes: number;
  readonly margin: number;
}

/** Days without a proof beyond which age counts no more. */
const oldestDays = 400;

/**
 * By weighted sampling without replacement (Efraimidis and Spirakis): each file draws u^(1/weight), and the largest are taken.
 * The weight is days since the last proof, doubled as often as the probability of loss is a thousand times larger than 10⁻³⁰.
 */
export function filesToProve(store: Store, count: number): Promise<FileToProve[]> {
  const sql =
    'SELECT file.storage_index, file.ueb_hash, file.k, file.n, file.size_bytes, toInt16(chosen.margin) FROM (\n' +
    '  SELECT partition, storage_index, margin,\n' +
    `    least(${oldestDays}, 1 + dateDiff('day', proven.at, now())) * exp2(greatest(0, (30 + coalesce(log10_loss, -3)) / 3)) AS weight\n` +
    `  FROM (SELECT partition, storage_index, margin, log10_loss FROM ${store.qualified('file_health')} FINAL WHERE NOT deleted AND margin >= 0) AS health\n` +
    `  GLOBAL ANY LEFT JOIN (SELECT storage_index, max(at) AS at FROM ${store.qualified('proofs')} WHERE outcome = 'proven' GROUP BY storage_index) AS proven USING (storage_index)\n` +
    '  ORDER BY log(randCanonical() + 1e-12) / weight DESC LIMIT {count:UInt32}\n' +
    `) AS chosen GLOBAL ANY INNER JOIN (SELECT partition, storage_index, ueb_hash, k, n, size_bytes FROM ${store.qualified('files')} FINAL WHERE NOT deleted) AS file\n` +
    'USING (partition, storage_index)';
  return store.select({ storageIndex, uebHash: digest, k: uint16, n: uint16, sizeBytes: uint64, margin: int16 }, sql, {
    parameters: { count },
  });
}
