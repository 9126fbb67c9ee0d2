/**
 * Has analyzers read the whole log again, after the database was lost or put back from a backup: what the group has committed stands in no
 * database any more. Batches that the database does hold are passed over by their order, and what retention took is owed by inventories.
 */
import { type AssignedPartition, type EventLog, type Membership, partitionKey } from '#log/port.ts';
import { type Clock, sleep } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';

export interface RewindOptions {
  readonly log: Pick<EventLog, 'join' | 'bounds' | 'partitionCount'>;
  readonly topic: string;
  readonly group: string;
  readonly clock: Clock;
  /** How long members that were killed may take to be noticed. */
  readonly patienceMs: number;
}

const lookEveryMs = 50;

/** @returns how many partitions. @throws MeshwardError `service-busy` where an analyzer runs: nothing was changed then. */
export async function rewindAnalyzers({ log, topic, group, clock, patienceMs }: RewindOptions): Promise<number> {
  const count = await log.partitionCount(topic);
  const owned = new Map<number, AssignedPartition>();
  const membership: Membership = await log.join(group, [topic], {
    async assigned(partitions) {
      for (const each of partitions) owned.set(each.partition, each);
      // Nothing is to be read here.
      const ends = await log.bounds(topic);
      return new Map(
        partitions.map(({ partition }) => [partitionKey(topic, partition), ends[partition]?.nextOffset ?? 0]),
      );
    },
    async revoked(partitions) {
      for (const { partition } of partitions) owned.delete(partition);
    },
    records: async () => undefined,
  });
  try {
    const untilMs = clock.monotonicMs() + patienceMs;
    while (owned.size < count) {
      if (clock.monotonicMs() > untilMs) {
        throw new MeshwardError(
          'service-busy',
          `an analyzer runs: it owns ${count - owned.size} of ${count} partitions`,
          {
            next: 'Stop every analyzer, and say it again.',
            retryable: true,
          },
        );
      }
      await sleep(clock, lookEveryMs);
    }
    // From the very beginning: what retention took meanwhile is then known to be missing.
    for (const each of owned.values()) await membership.commit(each, 0);
    return count;
  } finally {
    await membership.leave();
  }
}
