/** A batch of a peer, cut into the partitions of `share-events` as messages: what `encodeParts` writes by hand must be these. */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  type FileManifest,
  type ShareBatch,
  ShareBatchSchema,
  ShareEventsRecordSchema,
} from '#mesh/generated/events_pb.js';
import { partitionOfStorageIndex, storageIndexBytes } from '#mesh/storage-index.ts';

export interface BatchPart {
  readonly partition: number;
  readonly batch: ShareBatch;
}

/**
 * The parts that have something to say, by partition; events keep their order inside a partition. Each part keeps the
 * batch's peer, incarnation and sequence, so that a batch which was appended in part only can be sent again as a whole.
 * An inventory mark goes to every partition: what an inventory did not name is found partition by partition.
 *
 * The columns are sorted by partition in one pass each (a counting sort), and the parts are views into the sorted columns.
 */
export function splitBatch(batch: ShareBatch, partitionCount: number): readonly BatchPart[] {
  if (partitionCount === 1) return isEmpty(batch) ? [] : [{ partition: 0, batch }];
  const columns = sortColumns(batch, partitionCount);
  const manifests = byPartition(batch.manifests, (manifest) =>
    partitionOfStorageIndex(manifest.storageIndex, 0, partitionCount),
  );
  const deleted = sortIndexes(batch.deletedFiles, partitionCount);
  const parts: BatchPart[] = [];
  for (let partition = 0; partition < partitionCount; partition++) {
    const from = columns.starts[partition] as number;
    const to = columns.starts[partition + 1] as number;
    const deletedFrom = (deleted.starts[partition] as number) * storageIndexBytes;
    const deletedTo = (deleted.starts[partition + 1] as number) * storageIndexBytes;
    const own: FileManifest[] = manifests.get(partition) ?? [];
    if (from === to && deletedFrom === deletedTo && own.length === 0 && batch.inventory === undefined) continue;
    const part = create(ShareBatchSchema, {
      peerId: batch.peerId,
      incarnation: batch.incarnation,
      sequence: batch.sequence,
      observedAtMs: batch.observedAtMs,
      storageIndexes: columns.indexes.subarray(from * storageIndexBytes, to * storageIndexBytes),
      shareNumbers: columns.shareNumbers.subarray(from, to),
      kinds: columns.kinds.subarray(from, to),
      deletedFiles: deleted.indexes.subarray(deletedFrom, deletedTo),
    });
    part.manifests = own;
    if (batch.inventory !== undefined) part.inventory = batch.inventory;
    parts.push({ partition, batch: part });
  }
  return parts;
}

/** The value of a record in `share-events`. */
export function encodeBatch(batch: ShareBatch): Uint8Array {
  return toBinary(ShareEventsRecordSchema, create(ShareEventsRecordSchema, { body: { case: 'batch', value: batch } }));
}

function isEmpty(batch: ShareBatch): boolean {
  return batch.kinds.length + batch.manifests.length + batch.deletedFiles.length === 0 && batch.inventory === undefined;
}

interface Sorted {
  readonly indexes: Uint8Array;
  /** Where each partition's entries start, and where the last one's end: partitions + 1 numbers. */
  readonly starts: Uint32Array;
}

function sortColumns(
  batch: ShareBatch,
  partitionCount: number,
): Sorted & { shareNumbers: Uint8Array; kinds: Uint8Array } {
  const { shareNumbers, kinds } = batch;
  const count = kinds.length;
  const sorted = { shareNumbers: new Uint8Array(count), kinds: new Uint8Array(count) };
  const { indexes, starts } = sortIndexes(batch.storageIndexes, partitionCount, (from, to) => {
    sorted.shareNumbers[to] = shareNumbers[from] as number;
    sorted.kinds[to] = kinds[from] as number;
  });
  return { indexes, starts, ...sorted };
}

function sortIndexes(bytes: Uint8Array, partitionCount: number, moved?: (from: number, to: number) => void): Sorted {
  const count = bytes.length / storageIndexBytes;
  const starts = new Uint32Array(partitionCount + 1);
  const partitions = new Uint16Array(count);
  for (let i = 0; i < count; i++) {
    const partition = partitionOfStorageIndex(bytes, i * storageIndexBytes, partitionCount);
    partitions[i] = partition;
    starts[partition + 1] = (starts[partition + 1] as number) + 1;
  }
  for (let p = 0; p < partitionCount; p++) starts[p + 1] = (starts[p + 1] as number) + (starts[p] as number);
  // A body is not aligned (and a Buffer, whose slice is no copy); a new array is, and words of four bytes move a storage
  // index in four steps instead of sixteen.
  const words = new Uint32Array(new Uint8Array(bytes).buffer);
  const sortedWords = new Uint32Array(words.length);
  const next = starts.slice();
  for (let i = 0; i < count; i++) {
    const partition = partitions[i] as number;
    const to = next[partition] as number;
    next[partition] = to + 1;
    const source = i * 4;
    const target = to * 4;
    sortedWords[target] = words[source] as number;
    sortedWords[target + 1] = words[source + 1] as number;
    sortedWords[target + 2] = words[source + 2] as number;
    sortedWords[target + 3] = words[source + 3] as number;
    moved?.(i, to);
  }
  return { indexes: new Uint8Array(sortedWords.buffer), starts };
}

function byPartition(
  manifests: readonly FileManifest[],
  partitionOf: (manifest: FileManifest) => number,
): Map<number, FileManifest[]> {
  const found = new Map<number, FileManifest[]>();
  for (const manifest of manifests) {
    const partition = partitionOf(manifest);
    const list = found.get(partition);
    if (list === undefined) found.set(partition, [manifest]);
    else list.push(manifest);
  }
  return found;
}
