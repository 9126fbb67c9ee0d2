/** Files as their owners registered or deleted them: what a new log is told of them. */
import type { Store } from '../client.ts';
import type { RowOf } from '../row-binary/columns.ts';
import { files } from '../tables.ts';

const { storageIndex, uebHash, k, n, sizeBytes, tag, deleted } = files.columns;
const columns = { storageIndex, uebHash, k, n, sizeBytes, tag, deleted };
export type RegisteredFile = RowOf<typeof columns>;

/** @throws MeshwardError `store-unavailable` (retryable) half-way too. */
export function registeredFiles(store: Store): AsyncGenerator<RegisteredFile[], void> {
  return store.selectBatches(
    columns,
    `SELECT storage_index, ueb_hash, k, n, size_bytes, tag, deleted FROM ${store.qualified('files')} FINAL WHERE origin = 'owner' OR deleted`,
  );
}
