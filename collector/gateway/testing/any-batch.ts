/** Batches of every shape that a checked post may have. */
import { create } from '@bufbuild/protobuf';
import * as fc from 'fast-check';
import { InventoryPhase, ManifestOrigin, ShareBatchSchema } from '#mesh/generated/events_pb.js';

const storageIndex = fc.uint8Array({ minLength: 16, maxLength: 16 });
const event = fc.record({
  index: storageIndex,
  number: fc.integer({ min: 0, max: 255 }),
  kind: fc.integer({ min: 1, max: 4 }),
});

export const anyBatch = fc
  .record({
    events: fc.array(event, { maxLength: 60 }),
    manifests: fc.array(storageIndex, { maxLength: 8 }),
    deleted: fc.array(storageIndex, { maxLength: 8 }),
    inventory: fc.option(fc.constantFrom(InventoryPhase.BEGIN, InventoryPhase.END), { nil: null }),
  })
  .map(({ events, manifests, deleted, inventory }) =>
    create(ShareBatchSchema, {
      peerId: new Uint8Array(32).fill(7),
      incarnation: 3n,
      sequence: 9n,
      observedAtMs: 11n,
      storageIndexes: Buffer.concat(events.map((one) => one.index)),
      shareNumbers: Uint8Array.from(events, (one) => one.number),
      kinds: Uint8Array.from(events, (one) => one.kind),
      manifests: manifests.map((index) => ({
        storageIndex: index,
        uebHash: new Uint8Array(32),
        k: 1,
        n: 2,
        origin: ManifestOrigin.DERIVED,
      })),
      deletedFiles: Buffer.concat(deleted),
      ...(inventory === null ? {} : { inventory: { phase: inventory, generation: 2 } }),
    }),
  );
