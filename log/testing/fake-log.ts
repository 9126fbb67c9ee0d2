/** The in-memory log with consumer groups of one member, whose partitions a test can take away and give back. */
import { InMemoryLog } from '../in-memory.ts';
import {
  type AssignedPartition,
  type EventLog,
  type Following,
  type GroupConsumer,
  type Membership,
  partitionKey,
} from '../port.ts';

export class FakeLog extends InMemoryLog implements EventLog {
  readonly commits: { partition: number; nextOffset: number }[] = [];
  #generation = 0;
  #member:
    | { topic: string; consumer: GroupConsumer; assigned: Map<number, { at: AssignedPartition; following: Following }> }
    | undefined;

  async join(_group: string, topics: readonly string[], consumer: GroupConsumer): Promise<Membership> {
    const topic = topics[0] as string;
    this.#member = { topic, consumer, assigned: new Map() };
    const count = await this.partitionCount(topic);
    await this.assign(Array.from({ length: count }, (_, partition) => partition));
    const ended = Promise.withResolvers<void>();
    return {
      ended: ended.promise,
      commit: (partition, nextOffset) => {
        this.commits.push({ partition: partition.partition, nextOffset });
        return Promise.resolve();
      },
      leave: async () => {
        await this.revoke([...(this.#member?.assigned.keys() ?? [])]);
        ended.resolve();
      },
    };
  }

  async committed(_group: string, topic: string): Promise<readonly (number | null)[]> {
    const count = await this.partitionCount(topic);
    return Array.from(
      { length: count },
      (_, partition) => this.commits.findLast((commit) => commit.partition === partition)?.nextOffset ?? null,
    );
  }

  /** Partitions change hands: to this member. */
  async assign(partitions: readonly number[]): Promise<void> {
    const member = this.#member;
    if (member === undefined) return;
    this.#generation++;
    const assigned = partitions.map((partition) => ({
      topic: member.topic,
      partition,
      generation: this.#generation,
      committedOffset: null,
    }));
    const starts = await member.consumer.assigned(assigned);
    for (const at of assigned) {
      const offsets = Array.from({ length: await this.partitionCount(member.topic) }, () => Number.MAX_SAFE_INTEGER);
      offsets[at.partition] = starts?.get(partitionKey(member.topic, at.partition)) ?? 0;
      const following = await this.follow(
        [member.topic],
        new Map([[member.topic, offsets]]),
        (_topic, partition, records) =>
          partition === at.partition ? member.consumer.records(at, records) : Promise.resolve(),
      );
      member.assigned.set(at.partition, { at, following });
    }
  }

  /** Partitions change hands: away from this member. */
  async revoke(partitions: readonly number[]): Promise<void> {
    const member = this.#member;
    const gone = partitions.flatMap((partition) => member?.assigned.get(partition) ?? []);
    for (const { at, following } of gone) {
      member?.assigned.delete(at.partition);
      await following.close();
    }
    await member?.consumer.revoked(gone.map(({ at }) => at));
  }
}
