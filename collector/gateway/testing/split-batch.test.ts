import { create } from '@bufbuild/protobuf';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ShareBatchSchema } from '#mesh/generated/events_pb.js';
import { partitionOfStorageIndex } from '#mesh/storage-index.ts';
import { anyBatch } from './any-batch.ts';
import { splitBatch } from './split-batch.ts';

function cut(bytes: Uint8Array): string[] {
  return Array.from({ length: bytes.length / 16 }, (_, i) =>
    Buffer.from(bytes.subarray(16 * i, 16 * i + 16)).toString('hex'),
  );
}

function inPartition(hex: string, partitions: number): number {
  return partitionOfStorageIndex(Buffer.from(hex, 'hex'), 0, partitions);
}

test('every event, manifest and deletion lands in the partition of its storage index, once, in the order of the batch', () => {
  fc.assert(
    fc.property(anyBatch, fc.integer({ min: 1, max: 9 }), (batch, partitions) => {
      const parts = splitBatch(batch, partitions);
      const eventsOf = (one: typeof batch) =>
        cut(one.storageIndexes).map((hex, i) => `${hex}/${one.shareNumbers[i]}/${one.kinds[i]}`);
      for (let partition = 0; partition < partitions; partition++) {
        const part = parts.find((one) => one.partition === partition)?.batch ?? create(ShareBatchSchema);
        const mine = (hex: string) => inPartition(hex.slice(0, 32), partitions) === partition;
        expect(eventsOf(part)).toEqual(eventsOf(batch).filter(mine));
        expect(cut(part.deletedFiles)).toEqual(cut(batch.deletedFiles).filter(mine));
        const manifestsOf = (one: typeof batch) =>
          one.manifests.map((manifest) => Buffer.from(manifest.storageIndex).toString('hex'));
        expect(manifestsOf(part)).toEqual(manifestsOf(batch).filter(mine));
      }
    }),
  );
});

test('each part carries the order of its batch; an inventory mark goes to every partition, and nothing else makes an empty part', () => {
  fc.assert(
    fc.property(anyBatch, fc.integer({ min: 1, max: 9 }), (batch, partitions) => {
      const parts = splitBatch(batch, partitions);
      for (const { batch: part } of parts) {
        expect([part.incarnation, part.sequence, part.observedAtMs]).toEqual([3n, 9n, 11n]);
        expect(part.peerId).toEqual(batch.peerId);
        expect(part.inventory).toEqual(batch.inventory);
        const size = part.kinds.length + part.manifests.length + part.deletedFiles.length;
        if (batch.inventory === undefined) expect(size).toBeGreaterThan(0);
      }
      if (batch.inventory !== undefined)
        expect(parts.map((part) => part.partition)).toEqual(Array.from({ length: partitions }, (_, i) => i));
    }),
  );
});
