import { create } from '@bufbuild/protobuf';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ShareBatchSchema } from '#mesh/generated/events_pb.js';
import { maxEventsPerBatch } from '#mesh/limits.ts';
import { encodeParts } from './encode-parts.ts';
import { anyBatch } from './testing/any-batch.ts';
import { encodeBatch, splitBatch } from './testing/split-batch.ts';

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

test('records are byte for byte what each part of the batch encodes to', () => {
  fc.assert(
    fc.property(anyBatch, fc.integer({ min: 1, max: 9 }), (batch, partitions) => {
      const expected = splitBatch(batch, partitions).map((part) => [part.partition, hex(encodeBatch(part.batch))]);
      expect(encodeParts(batch, partitions).map(({ partition, value }) => [partition, hex(value)])).toEqual(expected);
    }),
  );
});

test('wherever the columns stand in a body, and whatever the order, the largest batch comes out the same', () => {
  const count = maxEventsPerBatch;
  for (const offset of [0, 1, 2, 3]) {
    const storageIndexes = new Uint8Array(16 * count + offset).subarray(offset);
    for (let i = 0; i < storageIndexes.length; i++) storageIndexes[i] = Math.imul(i, 0x9e3779b1) >>> 24;
    const batch = create(ShareBatchSchema, {
      peerId: new Uint8Array(32).fill(9),
      incarnation: BigInt(Number.MAX_SAFE_INTEGER),
      sequence: 1n,
      observedAtMs: 1_700_000_000_000n,
      storageIndexes,
      shareNumbers: Uint8Array.from({ length: count }, (_, i) => i),
      kinds: Uint8Array.from({ length: count }, (_, i) => 1 + (i % 4)),
    });
    const parts = encodeParts(batch, 61);
    const expected = splitBatch(batch, 61);
    expect(parts.length).toBe(expected.length);
    for (const [i, part] of expected.entries()) {
      expect(parts[i]?.partition).toBe(part.partition);
      expect(Buffer.compare(parts[i]?.value as Uint8Array, encodeBatch(part.batch))).toBe(0);
    }
  }
});
