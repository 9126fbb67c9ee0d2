/** Writes an inventory into the spool: begin(generation), every share that the table holds, end(generation), with nothing between. */

import { ShareEventKind } from '#mesh/generated/events_pb.js';
import { maxEventsPerBatch } from '#mesh/limits.ts';
import type { BatchSink, InventoryPart } from './batch-writer.ts';
import type { ShareColumns } from './share-table.ts';

export interface InventoryOptions {
  readonly columns: ShareColumns;
  readonly generation: number;
  readonly batches: BatchSink;
  readonly signal: AbortSignal;
  /** @default as the collector allows */
  readonly eventsPerBatch?: number;
}

/**
 * Waits for room where the spool is full of this inventory's own parts. Corrupt shares are named as such: they are there, and do
 * not count.
 *
 * @returns whether the inventory is in the spool as a whole.
 */
export async function writeInventory(options: InventoryOptions): Promise<boolean> {
  const { columns, generation, batches, signal } = options;
  const perBatch = options.eventsPerBatch ?? maxEventsPerBatch;
  // At least two parts, since one batch carries one mark.
  const parts = Math.max(2, Math.ceil(columns.count / perBatch));
  for (let part = 0; part < parts; part++) {
    const from = Math.min(columns.count, part * perBatch);
    const to = Math.min(columns.count, from + perBatch);
    const inventory: InventoryPart = { generation, part, isLastPart: part === parts - 1 };
    for (;;) {
      signal.throwIfAborted();
      const changed = batches.changed();
      const result = await batches.append(slice(columns, from, to), [], inventory);
      if (result === 'dropped') return false;
      if (result === 'stored') break;
      await Promise.race([changed, aborted(signal)]);
    }
  }
  return true;
}

function slice(columns: ShareColumns, from: number, to: number) {
  const kinds = new Uint8Array(to - from);
  for (let i = from; i < to; i++) {
    kinds[i - from] = columns.corrupt[i] === 1 ? ShareEventKind.CORRUPT : ShareEventKind.STORED;
  }
  return {
    storageIndexes: columns.storageIndexes.subarray(from * 16, to * 16),
    shareNumbers: columns.shareNumbers.subarray(from, to),
    kinds,
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
