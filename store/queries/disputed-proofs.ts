/** Files of which a proof says otherwise than their margin: what was counted is not what is there. */
import type { Store } from '../client.ts';
import { storageIndex, uint64 } from '../row-binary/columns.ts';

export interface DisputedProofs {
  readonly files: number;
  readonly bytes: number;
  /** A few of them. */
  readonly examples: readonly string[];
}

const mostExamples = 5;

/**
 * Files whose newest proof since then failed, and which should be recoverable by a margin whose grade has been the same since before
 * that proof: where it has changed, the proof is of another state.
 */
export async function disputedProofs(store: Store, sinceMs: number): Promise<DisputedProofs> {
  const rows = await store.select(
    { storageIndex, sizeBytes: uint64, files: uint64, bytes: uint64 },
    'SELECT storage_index, size_bytes, count() OVER (), sum(size_bytes) OVER () FROM (\n' +
      `  SELECT storage_index, size_bytes, grade_since FROM ${store.qualified('file_health')} FINAL WHERE NOT deleted AND margin >= 0\n` +
      `    AND storage_index GLOBAL IN (SELECT storage_index FROM ${store.qualified('proofs')} WHERE outcome = 'failed' AND at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC'))\n` +
      ') AS health GLOBAL ANY INNER JOIN (\n' +
      `  SELECT storage_index, argMax(outcome, at) AS last, max(at) AS newest FROM ${store.qualified('proofs')}\n` +
      "  WHERE outcome != 'cancelled' AND at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') GROUP BY storage_index\n" +
      ') AS proven USING (storage_index)\n' +
      `WHERE last = 'failed' AND grade_since <= newest ORDER BY newest DESC LIMIT ${mostExamples}`,
    { parameters: { since: Math.round(sinceMs) } },
  );
  const { files = 0, bytes = 0 } = rows[0] ?? {};
  return { files, bytes, examples: rows.map((row) => row.storageIndex) };
}
