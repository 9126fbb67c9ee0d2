/** Reads whole topics outside of any group. */
import { MeshwardError } from '#mesh/errors.ts';
import type {
  FollowFrom,
  Following,
  FollowOptions,
  PartitionBounds,
  RecordsHandler,
  UnreadableBatch,
} from '../port.ts';
import { beyondEndError, closedError, truncatedError } from './errors.ts';
import type { GroupCounters } from './member.ts';
import { PartitionReader, type PartitionSource } from './partition-reader.ts';

export interface TopicState {
  readonly topic: string;
  readonly bounds: readonly PartitionBounds[];
}

/** `settled` resolves when `ended` settles, apart from it: a failure that nobody looks at stays loud. */
export function startFollowing(
  source: PartitionSource,
  topics: readonly TopicState[],
  from: FollowFrom,
  onRecords: RecordsHandler,
  options: FollowOptions,
  counters: Pick<GroupCounters, 'truncations'>,
): { following: Following; settled: Promise<void> } {
  const behind = new Set<string>();
  const caughtUp = Promise.withResolvers<void>();
  const readers: PartitionReader[] = [];

  for (const { topic, bounds } of topics) {
    for (const { partition, firstOffset, nextOffset } of bounds) {
      const start = startOffset(from, topic, partition, firstOffset, nextOffset);
      if (start > nextOffset) throw beyondEndError(topic, partition, start, nextOffset);
      behind.add(`${topic}/${partition}`);
    }
  }
  for (const { topic, bounds } of topics) {
    for (const { partition, firstOffset, nextOffset } of bounds) {
      const place = `${topic}/${partition}`;
      const start = startOffset(from, topic, partition, firstOffset, nextOffset);
      let hasHandedOver = false;
      const sink = {
        records: (records: Parameters<RecordsHandler>[2]) => {
          hasHandedOver = true;
          return onRecords(topic, partition, records);
        },
        truncated: async (fromOffset: number, kept: number) => {
          // From the first kept record on means just that: what goes before the first batch was never asked for.
          if (from === 'first' && !hasHandedOver) return;
          if (options.truncated === undefined) throw truncatedError(topic, partition, fromOffset, kept);
          counters.truncations++;
          await options.truncated(topic, partition, fromOffset, kept);
        },
        unreadable: async (batch: UnreadableBatch) => options.unreadable?.(batch),
        reached: (position: number) => {
          if (position < nextOffset || !behind.delete(place) || behind.size > 0) return;
          caughtUp.resolve();
        },
      };
      readers.push(new PartitionReader(source, sink, topic, partition, start));
    }
  }
  if (behind.size === 0) caughtUp.resolve();

  const stop = (): void => {
    for (const reader of readers) reader.stop();
  };
  const outcome = settleAll(readers, stop);
  const settled = outcome.then(
    () => caughtUp.reject(closedError()),
    (error: unknown) => caughtUp.reject(error),
  );
  caughtUp.promise.catch(() => undefined);
  const close = (): Promise<void> => {
    stop();
    return settled;
  };
  return { following: { caughtUp: caughtUp.promise, ended: outcome.then(() => undefined), close }, settled };
}

/** Waits for all readers; the first failure stops the others and is the outcome. */
async function settleAll(readers: readonly PartitionReader[], stop: () => void): Promise<void> {
  let failure: { error: unknown } | null = null;
  await Promise.all(
    readers.map((reader) =>
      reader.ended.catch((error: unknown) => {
        failure ??= { error };
        stop();
      }),
    ),
  );
  if (failure !== null) throw (failure as { error: unknown }).error;
}

function startOffset(
  from: FollowFrom,
  topic: string,
  partition: number,
  firstOffset: number,
  nextOffset: number,
): number {
  if (from === 'first') return firstOffset;
  if (from === 'next') return nextOffset;
  const offset = from.get(topic)?.[partition];
  if (offset === undefined || !Number.isSafeInteger(offset) || offset < 0) {
    throw new MeshwardError('bad-input', `no offset to follow ${topic}/${partition} from`, {
      next: 'Give a whole number for every partition of every topic that is followed.',
    });
  }
  return offset;
}
