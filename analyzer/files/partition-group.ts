/** This analyzer's place in the group that shares the partitions of share-events. */
import type { AssignedPartition, EventLog, GroupConsumer, Membership } from '#log/port.ts';

export class PartitionGroup {
  #membership: Membership | null = null;
  #isClosed = false;

  /** @param failed told when the membership ends for good. */
  async join(
    log: EventLog,
    group: string,
    topic: string,
    consumer: GroupConsumer,
    failed: (error: unknown) => void,
  ): Promise<void> {
    this.#membership = await log.join(group, [topic], consumer);
    this.#membership.ended.catch(failed);
  }

  /** Commits nothing before the group is joined, and nothing once it is closed. @throws what the log throws. */
  async commit(partition: AssignedPartition, nextOffset: number): Promise<void> {
    if (!this.#isClosed) await this.#membership?.commit(partition, nextOffset);
  }

  /** From now on nothing is committed any more. */
  close(): void {
    this.#isClosed = true;
  }

  async leave(): Promise<void> {
    await this.#membership?.leave();
  }
}
