/** What both logs refuse to take. */
import type { AppendRecord, TopicSpec } from '../port.ts';
import { badInput } from './errors.ts';

/** @throws MeshwardError `bad-input` where the log was not opened with the topic. */
export function openTopic(topics: ReadonlyMap<string, TopicSpec>, name: string): TopicSpec {
  const spec = topics.get(name);
  if (spec !== undefined) return spec;
  throw badInput(
    `topic "${name.slice(0, 60)}" is not open`,
    `Name it among the topics of the log: ${[...topics.keys()].join(', ')}.`,
  );
}

/** @throws MeshwardError `bad-input`. */
export function checkRecord(spec: TopicSpec, record: AppendRecord, sizeBytes: number, maxRecordBytes: number): void {
  const { partition, key, value } = record;
  if (!isIndex(partition, spec.partitions)) {
    throw badInput(`${spec.name} has no partition ${partition}`, `Append to partitions 0 to ${spec.partitions - 1}.`);
  }
  if (spec.compacted && key === null)
    throw badInput(`a record for compacted topic ${spec.name} has no key`, 'Give every record a key.');
  if (!spec.compacted && value === null) {
    throw badInput(
      `a record for topic ${spec.name} has no value`,
      'Tombstones belong into compacted topics; give it a value.',
    );
  }
  if (sizeBytes > maxRecordBytes)
    throw badInput(`a record of ${sizeBytes} bytes is above the ${maxRecordBytes} that the log takes`, 'Split it.');
}

export function isIndex(value: number, end: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < end;
}
