import { beforeEach, describe, expect, it } from 'vitest';
import { InMemoryLog } from '#log/in-memory.ts';
import type { EventLog } from '#log/port.ts';
import { ManualClock, settle } from '#mesh/testing/manual-clock.ts';
import { fileOf } from '#mesh/testing/share-events.ts';
import { topicsOf } from '#mesh/topics.ts';
import { ListWriter } from './list-writer.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';

const topics = topicsOf({
  prefix: 'test.',
  shareEventsPartitions: 2,
  peerEventsPartitions: 1,
  retentionMs: 0,
  retentionBytes: 0,
});

describe('the writer of at-risk lists', () => {
  let clock: ManualClock;
  let owned: Map<number, OwnedPartition>;
  let stopping: AbortController;
  let complaints: string[];
  let written: number[];
  let looked: number[];
  let write: (partition: OwnedPartition, goOn: () => boolean) => Promise<void>;
  let lists: ListWriter;

  const own = (number: number, waiting: number, confirmed = true): { waiting: number } => {
    const list = { waiting, putBack: (files: readonly unknown[]) => void (list.waiting += files.length) };
    const ownership = {
      confirmed,
      look: () => {
        looked.push(number);
        return Promise.resolve([]);
      },
    };
    owned.set(number, { number, list, ownership, isJudged: true } as unknown as OwnedPartition);
    return list;
  };

  beforeEach(() => {
    clock = new ManualClock();
    owned = new Map();
    stopping = new AbortController();
    complaints = [];
    written = [];
    looked = [];
    write = ({ number, list }) => {
      written.push(number);
      (list as { waiting: number }).waiting = 0;
      return Promise.resolve();
    };
    const memory = new InMemoryLog([{ name: topics.atRisk.name, partitions: 2, compacted: true }]);
    const log = memory as Partial<EventLog> as EventLog;
    lists = new ListWriter({
      analyzer: { clock, log, topics },
      owned,
      publisher: { writeList: (partition, goOn) => write(partition, goOn) },
      signal: stopping.signal,
      complain: (_error, message) => void complaints.push(message),
    });
  });

  const turn = async (): Promise<void> => {
    lists.write();
    await settle();
  };

  it('writes where something waits, and where a judged partition is not confirmed yet', async () => {
    own(0, 3);
    own(1, 0);
    await turn();
    expect(written).toEqual([0]);
    own(1, 0, false);
    await turn();
    expect(written).toEqual([0, 1]);
  });

  it('writes one thing at a time, beside everything else', async () => {
    own(0, 1);
    const taken = Promise.withResolvers<void>();
    let begun = 0;
    write = () => {
      begun++;
      return taken.promise;
    };
    await turn();
    await turn();
    expect(begun).toBe(1);
    const settled = lists.settled();
    taken.resolve();
    await settled;
    await turn();
    expect(begun).toBe(2);
  });

  it('tries again what the log does not take, and says so', async () => {
    own(0, 1);
    const well = write;
    write = () => Promise.reject(new Error('full'));
    await turn();
    expect([written, complaints]).toEqual([[], ['the at-risk list cannot be written now; it is tried again']]);
    write = well;
    await turn();
    expect(written).toEqual([0]);
  });

  it('looks now and then whether another analyzer has written, though nothing waits here', async () => {
    own(0, 0);
    await turn();
    await turn();
    expect(looked).toEqual([0]);
    await clock.advance(5000);
    await turn();
    expect(looked).toEqual([0, 0]);
  });

  it('stops in the middle when the partition goes, or the analyzer stops', async () => {
    own(0, 1);
    const asked: boolean[] = [];
    write = (_partition, goOn) => {
      asked.push(goOn());
      owned.delete(0);
      asked.push(goOn());
      return Promise.resolve();
    };
    await turn();
    own(0, 1);
    write = (_partition, goOn) => Promise.resolve(void asked.push(goOn()));
    stopping.abort();
    await turn();
    expect(asked).toEqual([true, false, false]);
  });

  it('gives a partition up with its list looked at and written, and never fails at that', async () => {
    own(0, 2);
    await lists.handOver([...owned.values()]);
    expect([looked, written]).toEqual([[0], [0]]);
    const list = own(1, 1);
    write = () => Promise.reject(new Error(`no room for ${fileOf(1)}`));
    await lists.handOver([owned.get(1) as OwnedPartition]);
    expect([list.waiting, complaints]).toEqual([1, ['the at-risk list cannot be looked at before it is given up']]);
  });
});
