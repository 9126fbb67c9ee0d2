/** An event log in the memory of one process, for unit tests: no consumer groups, nothing survives. */
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type {
  AppendRecord,
  EventLog,
  FollowFrom,
  Following,
  LogRecord,
  PartitionBounds,
  Position,
  RecordsHandler,
} from './port.ts';

export interface InMemoryTopic {
  readonly name: string;
  readonly partitions: number;
  readonly compacted: boolean;
}

export class InMemoryLog
  implements Pick<EventLog, 'append' | 'follow' | 'read' | 'bounds' | 'partitionCount' | 'close'>
{
  readonly #topics = new Map<string, StoredTopic>();
  #closed = false;

  constructor(topics: readonly InMemoryTopic[]) {
    for (const topic of topics) {
      const partitions = Array.from({ length: topic.partitions }, () => ({ records: [], nextOffset: 0 }));
      this.#topics.set(topic.name, { ...topic, stored: partitions, wake: new Set() });
    }
  }

  append(topicName: string, records: readonly AppendRecord[]): Promise<readonly Position[]> {
    const topic = this.#topic(topicName);
    for (const record of records) {
      if (record.partition >= topic.stored.length)
        throw new RangeError(`${topicName} has no partition ${record.partition}`);
      if (topic.compacted && record.key === null)
        throw new RangeError(`${topicName} is compacted: a record needs a key`);
      if (!topic.compacted && record.value === null)
        throw new RangeError(`${topicName} is not compacted: no tombstones`);
    }
    const appendedAtMs = Date.now();
    const positions = records.map(({ partition, key, value, headers }) => {
      const stored = partitionOf(topic, partition);
      const offset = stored.nextOffset++;
      stored.records.push({ topic: topicName, partition, offset, key, value, headers: headers ?? {}, appendedAtMs });
      return { partition, offset };
    });
    for (const wake of topic.wake) wake();
    return Promise.resolve(positions);
  }

  follow(topics: readonly string[], from: FollowFrom, onRecords: RecordsHandler): Promise<Following> {
    const abort = new AbortController();
    const readers = topics.flatMap((name) => {
      const topic = this.#topic(name);
      return topic.stored.map((stored, partition) => {
        const start = from === 'first' ? 0 : from === 'next' ? stored.nextOffset : (from.get(name)?.[partition] ?? 0);
        return followPartition(topic, partition, start, onRecords, abort.signal);
      });
    });
    const ended = Promise.all(readers.map((reader) => reader.ended)).then(() => undefined);
    ended.catch(() => abort.abort());
    return Promise.resolve({
      caughtUp: Promise.all(readers.map((reader) => reader.caughtUp)).then(() => undefined),
      ended,
      close: async () => {
        abort.abort();
        await ended.catch(() => undefined);
      },
    });
  }

  read(topic: string, partition: number, fromOffset: number, maxBytes: number): Promise<readonly LogRecord[]> {
    const found: LogRecord[] = [];
    let bytes = 0;
    for (const record of partitionOf(this.#topic(topic), partition).records) {
      if (record.offset < fromOffset) continue;
      if (bytes >= maxBytes) break;
      bytes += record.value?.length ?? 0;
      found.push(record);
    }
    return Promise.resolve(found);
  }

  bounds(topic: string): Promise<readonly PartitionBounds[]> {
    return Promise.resolve(
      this.#topic(topic).stored.map((stored, partition) => ({
        partition,
        firstOffset: stored.records[0]?.offset ?? stored.nextOffset,
        nextOffset: stored.nextOffset,
      })),
    );
  }

  partitionCount(topic: string): Promise<number> {
    return Promise.resolve(this.#topic(topic).stored.length);
  }

  /** Everything in a topic, in the order of partition and offset. */
  all(topic: string): readonly LogRecord[] {
    return this.#topic(topic).stored.flatMap((stored) => stored.records);
  }

  /** Keeps only the newest record of each key, as a compaction would; offsets stay. */
  compact(topicName: string): void {
    for (const stored of this.#topic(topicName).stored) {
      const newest = new Map(
        stored.records.map((record) => [Buffer.from(record.key ?? []).toString('hex'), record.offset]),
      );
      stored.records = stored.records.filter(
        (record) =>
          newest.get(Buffer.from(record.key ?? []).toString('hex')) === record.offset && record.value !== null,
      );
    }
  }

  /** Forgets the records of a topic, so that a long measurement does not fill the memory. */
  forget(topicName: string): void {
    for (const stored of this.#topic(topicName).stored) stored.records = [];
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  #topic(name: string): StoredTopic {
    if (this.#closed) throw new MeshwardError('log-closed', 'the log is closed', { next: 'Open it again.' });
    const topic = this.#topics.get(name);
    if (topic === undefined) throw new RangeError(`there is no topic ${name}`);
    return topic;
  }
}

interface StoredPartition {
  records: LogRecord[];
  nextOffset: number;
}

interface StoredTopic extends InMemoryTopic {
  readonly stored: readonly StoredPartition[];
  readonly wake: Set<() => void>;
}

function partitionOf(topic: StoredTopic, partition: number): StoredPartition {
  const stored = topic.stored[partition];
  if (stored === undefined) throw new RangeError(`${topic.name} has no partition ${partition}`);
  return stored;
}

function followPartition(
  topic: StoredTopic,
  partition: number,
  start: number,
  onRecords: RecordsHandler,
  signal: AbortSignal,
) {
  const stored = partitionOf(topic, partition);
  const target = stored.nextOffset;
  const caughtUp = Promise.withResolvers<void>();
  const run = async (): Promise<void> => {
    let next = start;
    for (;;) {
      if (next >= target) caughtUp.resolve();
      if (signal.aborted) return;
      const records = stored.records.filter((record) => record.offset >= next);
      next = stored.nextOffset;
      if (records.length > 0) {
        await onRecords(topic.name, partition, records);
        continue;
      }
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          topic.wake.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        topic.wake.add(wake);
        signal.addEventListener('abort', wake, { once: true });
        if (stored.nextOffset > next || signal.aborted) wake();
      });
    }
  };
  const ended = run();
  ended.catch((error: unknown) => caughtUp.reject(new Error(describeError(error))));
  caughtUp.promise.catch(() => undefined);
  return { caughtUp: caughtUp.promise, ended };
}
