/** Single questions about partitions: where they begin and end, and what stands at an offset. */
import type { LogRecord, PartitionBounds } from '../port.ts';
import { type Cluster, leaderOrFault } from './cluster.ts';
import { BrokerFault, code } from './faults.ts';
import { BatchFault, decodeBatch } from './record-batch.ts';
import type { FetchAnswer } from './requests.ts';
import { findCommitted } from './transactions.ts';
import { passOver } from './unreadable.ts';

const first = -2;
const next = -1;

/**
 * Of the partitions, in their order.
 * @param reaching offsets by partition that were there: an end before one of them is doubted for `staleLeaderMs`.
 * @throws MeshwardError `log-unavailable`, `log-forbidden`.
 */
export async function listBounds(
  cluster: Cluster,
  topic: string,
  partitions: readonly number[],
  reaching: ReadonlyMap<number, number> = new Map(),
): Promise<readonly PartitionBounds[]> {
  const { clock, limits } = cluster.settings;
  const believeAtMs = clock.monotonicMs() + limits.staleLeaderMs;
  for (let tries = 0; ; tries++) {
    const found = await listOnce(cluster, topic, partitions);
    const isBefore = found.some(({ partition, nextOffset }) => nextOffset < (reaching.get(partition) ?? 0));
    if (!isBefore || clock.monotonicMs() >= believeAtMs) return found;
    await cluster.pause(tries);
    await cluster.refresh().catch(() => undefined);
  }
}

function listOnce(cluster: Cluster, topic: string, partitions: readonly number[]): Promise<readonly PartitionBounds[]> {
  return cluster.attempt(`looking for the ends of ${topic}`, async () => {
    const byLeader = Map.groupBy(partitions, (partition) => leaderOrFault(cluster, topic, partition));
    const found = new Map<number, PartitionBounds>();
    const ask = async (leader: number, ofLeader: readonly number[]): Promise<void> => {
      // The end first: a beginning that moves meanwhile must not come to lie after it.
      const ends = await listOffsets(cluster, leader, topic, ofLeader, next);
      const begins = await listOffsets(cluster, leader, topic, ofLeader, first);
      for (const partition of ofLeader) {
        const nextOffset = ends.get(partition) as number;
        const firstOffset = begins.get(partition) as number;
        found.set(partition, { partition, firstOffset, nextOffset: Math.max(firstOffset, nextOffset) });
      }
    };
    await Promise.all([...byLeader].map(([leader, ofLeader]) => ask(leader, ofLeader)));
    return partitions.map((partition) => found.get(partition) as PartitionBounds);
  });
}

async function listOffsets(
  cluster: Cluster,
  leader: number,
  topic: string,
  partitions: readonly number[],
  timestamp: typeof first | typeof next,
): Promise<Map<number, number>> {
  const connection = await cluster.control(leader);
  const asked = [{ topic, partitions: partitions.map((partition) => ({ partition, timestamp })) }];
  const { responses } = await connection.request('ListOffsets', { replicaId: -1, isolationLevel: 1, topics: asked });
  const found = new Map<number, number>();
  for (const { partition, errorCode, offset } of responses.flatMap((response) => response.partitions)) {
    if (errorCode !== code.none) throw new BrokerFault(errorCode, `${topic}/${partition}`);
    found.set(partition, Number(offset));
  }
  const missing = partitions.find((partition) => !found.has(partition));
  if (missing !== undefined) throw new BrokerFault(code.unknownServerError, `${topic}/${missing}`);
  return found;
}

/** Records from `fromOffset` on, about `maxBytes` of them and at least one, what cannot be read left out; or the bounds, where the offset lies outside. */
export async function readOnce(
  cluster: Cluster,
  topic: string,
  partition: number,
  fromOffset: number,
  maxBytes: number,
): Promise<{ readonly records: readonly LogRecord[] } | PartitionBounds> {
  const where = `${topic}/${partition}`;
  for (let position = fromOffset; ; ) {
    const answer = await cluster.attempt(`reading ${where}`, async () => {
      const connection = await cluster.connection(leaderOrFault(cluster, topic, partition), 'read');
      const asked = [{ topic, partition, fromOffset: position, maxBytes: Math.max(1, Math.min(maxBytes, 2 ** 30)) }];
      const request = { maxWaitMs: 0, maxBytes: Math.max(1, Math.min(maxBytes, 2 ** 30)), partitions: asked };
      const { errorCode, answers } = await connection.request('Fetch', request);
      const found = answers[0];
      const failed = errorCode === code.none ? (found?.errorCode ?? code.unknownServerError) : errorCode;
      if (failed !== code.none && failed !== code.offsetOutOfRange) throw new BrokerFault(failed, where);
      return { isInside: failed === code.none, found };
    });
    const { isInside, found } = answer;
    const highWatermark = found?.highWatermark ?? 0;
    // Beyond the stable end is what a transaction has written that is not ended.
    const isAtEnd = isInside && position >= (found?.stableEnd ?? 0) && position <= highWatermark;
    if (isAtEnd) return { records: [] };
    if (!isInside || found === undefined || position > highWatermark) {
      const [bounds] = await listBounds(cluster, topic, [partition], new Map([[partition, fromOffset]]));
      const { firstOffset, nextOffset } = bounds as PartitionBounds;
      if (fromOffset < firstOffset || fromOffset > nextOffset) return bounds as PartitionBounds;
      // A new leader learns late how far every replica in sync has come.
      await cluster.pause(0);
      continue;
    }
    const { records, reached } = await decodeFrom(cluster, found, position, maxBytes);
    if (records.length > 0) return { records };
    // What compaction left nothing of.
    if (reached <= position) await cluster.pause(0);
    position = Math.max(position, reached);
  }
}

async function decodeFrom(
  cluster: Cluster,
  { topic, partition, batches, aborted }: FetchAnswer,
  fromOffset: number,
  maxBytes: number,
): Promise<{ records: readonly LogRecord[]; reached: number }> {
  const records: LogRecord[] = [];
  let reached = fromOffset;
  let taken = 0;
  for (const { start, end, nextOffset, isData } of findCommitted(batches, aborted)) {
    const content = batches.subarray(start, end);
    const found = isData === false ? [] : await readable(cluster, topic, partition, content, fromOffset);
    for (const record of found) {
      const size = (record.key?.length ?? 0) + (record.value?.length ?? 0);
      if (records.length > 0 && taken + size > maxBytes) return { records, reached };
      records.push(record);
      taken += size;
    }
    reached = nextOffset;
  }
  return { records, reached };
}

/** The records of a batch; none where it cannot be read. */
async function readable(
  { settings }: Cluster,
  topic: string,
  partition: number,
  batch: Buffer,
  fromOffset: number,
): Promise<readonly LogRecord[]> {
  try {
    return await decodeBatch(topic, partition, batch, fromOffset);
  } catch (error) {
    if (!(error instanceof BatchFault)) throw error;
    passOver(settings, error.batch);
    return [];
  }
}
