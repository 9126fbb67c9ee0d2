/** How fast the embedded log appends and hands over records of one size, on this machine's disk. Run: node bench/log.ts */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmbeddedLog } from '#collector/log/embedded-log.ts';
import { systemClock } from '#mesh/clock.ts';

export interface LogFigures {
  readonly valueBytes: number;
  readonly records: number;
  readonly appendedPerSecond: number;
  /** Mean time of a transaction, from the asking thread. */
  readonly commitMs: number;
  readonly recordsPerCommit: number;
  /** By a follower in the same process, from the first record to the last. */
  readonly followedPerSecond: number;
  /** From an append by one client to the handler of another client, one record at a time; median. */
  readonly handOverMs: number;
}

export async function run(options: {
  valueBytes: number;
  records: number;
  concurrency: number;
  directory?: string;
}): Promise<LogFigures> {
  const { valueBytes, records, concurrency } = options;
  const directory = await mkdtemp(join(options.directory ?? tmpdir(), 'meshward-bench-'));
  const topics = [{ name: 'bench', partitions: 16, compacted: false, retentionMs: 0, retentionBytes: 0 }];
  const log = await createEmbeddedLog({ directory, topics, clock: systemClock });
  const other = await createEmbeddedLog({ directory, topics, clock: systemClock });
  try {
    const value = new Uint8Array(valueBytes).map((_, index) => index * 17);
    let sent = 0;
    const appender = async (): Promise<void> => {
      while (sent < records) await log.append('bench', [{ partition: sent++ % 16, key: null, value }]);
    };
    const appendStartMs = performance.now();
    await Promise.all(Array.from({ length: concurrency }, appender));
    const appendMs = performance.now() - appendStartMs;
    const { commits, commitMsTotal, appendedRecords } = log.stats();

    const followStartMs = performance.now();
    const following = await log.follow(['bench'], 'first', () => Promise.resolve());
    await following.caughtUp;
    const followMs = performance.now() - followStartMs;
    await following.close();
    return {
      valueBytes,
      records: appendedRecords,
      appendedPerSecond: (appendedRecords / appendMs) * 1000,
      commitMs: commitMsTotal / commits,
      recordsPerCommit: appendedRecords / commits,
      followedPerSecond: (appendedRecords / followMs) * 1000,
      handOverMs: await medianHandOver(log, other, value),
    };
  } finally {
    await Promise.all([log.close(), other.close()]);
    await rm(directory, { recursive: true, force: true });
  }
}

type Log = Awaited<ReturnType<typeof createEmbeddedLog>>;

async function medianHandOver(from: Log, to: Log, value: Uint8Array): Promise<number> {
  let arrived = Promise.withResolvers<void>();
  const following = await to.follow(['bench'], 'next', () => {
    arrived.resolve();
    return Promise.resolve();
  });
  await following.caughtUp;
  const times: number[] = [];
  for (let i = 0; i < 50; i++) {
    arrived = Promise.withResolvers<void>();
    const startMs = performance.now();
    await from.append('bench', [{ partition: 0, key: null, value }]);
    await arrived.promise;
    times.push(performance.now() - startMs);
  }
  await following.close();
  return times.sort((a, b) => a - b)[25] as number;
}

if (import.meta.main) {
  for (const [valueBytes, records] of [
    [200, 50_000],
    [10_000, 20_000],
    [100_000, 2000],
  ] as const) {
    for (const concurrency of [1, 64]) {
      const figures = await run({
        valueBytes,
        records: concurrency === 1 ? Math.min(records, 1000) : records,
        concurrency,
      });
      console.log(
        concurrency,
        JSON.stringify(figures, (_, value) => (typeof value === 'number' ? Math.round(value * 100) / 100 : value)),
      );
    }
  }
}
