/** Which batches of an answer are data: not the marks that end transactions, and not what an aborted one wrote. */
import { type FoundBatch, findBatches } from './record-batch.ts';

/** A producer's transaction that was aborted, and its first record in the partition. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

const attributesAt = 21;
const producerIdAt = 43;
const isTransactional = 0x10;
const isControl = 0x20;

/** The whole batches of an answer, in order, those that are no data without content. */
export function findCommitted(bytes: Buffer, aborted: readonly AbortedTransaction[]): readonly FoundBatch[] {
  const coming = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  const open = new Set<bigint>();
  return findBatches(bytes).map((batch) => {
    while ((coming[0]?.firstOffset ?? Number.POSITIVE_INFINITY) < batch.nextOffset)
      open.add((coming.shift() as AbortedTransaction).producerId);
    const attributes = bytes.readInt16BE(batch.start + attributesAt);
    const producerId = bytes.readBigInt64BE(batch.start + producerIdAt);
    // The first mark of the producer after an aborted transaction has begun is the one that ends it.
    if (attributes & isControl) open.delete(producerId);
    const isData = !(attributes & isControl) && !(attributes & isTransactional && open.has(producerId));
    return { ...batch, isData };
  });
}
