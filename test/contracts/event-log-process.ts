/** A process of its own for the contract of the event log: appends or consumes until it is killed, and tells what happens. */
import type { AssignedPartition, EventLog, LogRecord, Membership, TopicSpec } from '#log/port.ts';
import type { ChildReport, ChildSetup } from './event-log-harness.ts';

const setup = JSON.parse(process.argv[2] as string) as ChildSetup;
const { openLog } = (await import(setup.module)) as {
  openLog: (config: unknown, topics: readonly TopicSpec[]) => Promise<EventLog>;
};
const log = await openLog(setup.config, setup.topics);

function tell(report: ChildReport): Promise<void> {
  return new Promise((resolve) => process.send?.(report, () => resolve()));
}

async function appendForEver(topic: string, name: string): Promise<void> {
  const partitions = await log.partitionCount(topic);
  await tell({ kind: 'ready' });
  for (let sequence = 0; ; sequence++) {
    const values = Array.from({ length: 5 }, (_, index) => `${name}/${sequence}/${index}`);
    const records = values.map((value, index) => ({
      partition: (sequence + index) % partitions,
      key: null,
      value: Buffer.from(value),
    }));
    await log.append(topic, records);
    await tell({ kind: 'acknowledged', values });
  }
}

async function consume(topic: string, group: string): Promise<void> {
  const last = new Map<number, { partition: AssignedPartition; nextOffset: number }>();
  const ready: { membership?: Membership } = {};
  const commit = async (partition: AssignedPartition, nextOffset: number): Promise<void> => {
    try {
      await ready.membership?.commit(partition, nextOffset);
    } catch (error) {
      await tell({ kind: 'commit-failed', code: String((error as { code?: unknown }).code) });
    }
  };
  ready.membership = await log.join(group, [topic], {
    async assigned(partitions) {
      await tell({ kind: 'assigned', partitions });
      return undefined;
    },
    revoked: (partitions) => tell({ kind: 'revoked', partitions }),
    async records(partition: AssignedPartition, records: readonly LogRecord[]) {
      for (const { offset, value } of records) {
        await tell({
          kind: 'received',
          partition: partition.partition,
          offset,
          value: Buffer.from(value ?? []).toString(),
        });
      }
      const nextOffset = (records.at(-1)?.offset ?? 0) + 1;
      last.set(partition.partition, { partition, nextOffset });
      await commit(partition, nextOffset);
    },
  });
  process.on('message', () => {
    for (const { partition, nextOffset } of last.values()) void commit(partition, nextOffset);
  });
  await tell({ kind: 'ready' });
  await ready.membership.ended;
}

process.on('disconnect', () => process.exit(0));
await (setup.task.role === 'append'
  ? appendForEver(setup.task.topic, setup.task.name)
  : consume(setup.task.topic, setup.task.group));
