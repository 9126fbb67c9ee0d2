/** The same placements in a ClickHouse table: how long it takes to count the available shares of every file, a part of a sweep. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedClickHouse } from '#store/embedded/server.ts';
import { median } from '../case.ts';
import { type Mesh, peerCount } from './mesh.ts';

export interface QueryFigures {
  /** CPU time of the server, all else that it does included. */
  readonly queryMs: number;
  /** Of the query, at its peak; the table is not in it. */
  readonly queryBytes: number;
  readonly tableBytes: number;
}

const memoryLimitBytes = 8 * 1024 ** 3;
const rounds = 3;

/** Null where a step takes longer than `mostMs`. */
export async function measureClickHouse(mesh: Mesh, mostMs: number): Promise<QueryFigures | null> {
  const directory = await mkdtemp(join(tmpdir(), 'meshward-bench-'));
  const server = await startEmbeddedClickHouse({ directory, memoryLimitBytes });
  try {
    const ask = async (text: string): Promise<{ words: string; peakBytes: number }> => {
      const credentials = Buffer.from(`${server.username}:${server.password}`).toString('base64');
      const headers = { Authorization: `Basic ${credentials}` };
      const url = `${server.url}/?max_threads=1&wait_end_of_query=1`;
      const answer = await fetch(url, { method: 'POST', headers, body: text, signal: AbortSignal.timeout(mostMs) });
      const words = await answer.text();
      if (!answer.ok) throw new Error(words.slice(0, 500));
      const summary = JSON.parse(answer.headers.get('x-clickhouse-summary') ?? '{}') as { memory_usage?: string };
      return { words, peakBytes: Number(summary.memory_usage ?? Number.NaN) };
    };
    const cpuMs = async (): Promise<number> => {
      const { words } = await ask(
        "SELECT sum(value) / 1000 FROM system.events WHERE event IN ('UserTimeMicroseconds', 'SystemTimeMicroseconds')",
      );
      return Number(words);
    };
    const { n } = mesh.coding;
    await ask('CREATE DATABASE bench ENGINE = Atomic');
    await ask(
      'CREATE TABLE bench.placements (file FixedString(16), share UInt8, peer UInt32) ENGINE = MergeTree ORDER BY (file, share)',
    );
    await ask(
      `INSERT INTO bench.placements SELECT sipHash128(intDiv(number, ${n})), number % ${n}, (intDiv(number, ${n}) + number % ${n} * 101) % ${peerCount} FROM numbers(${mesh.files * n})`,
    );
    const counted =
      'SELECT available, count() FROM (SELECT file, uniqExactIf(share, peer % 10 != 0) AS available FROM bench.placements GROUP BY file) GROUP BY available FORMAT Null';
    // The table is sorted by file, so groups may also be closed one after another: whatever is faster counts.
    const answers = [];
    for (const inOrder of [0, 1]) {
      const runs = [];
      for (let i = 0; i < rounds; i++) {
        const before = await cpuMs();
        const { peakBytes } = await ask(`${counted} SETTINGS optimize_aggregation_in_order = ${inOrder}`);
        runs.push({ peakBytes, ms: (await cpuMs()) - before });
      }
      answers.push({ ms: median(runs.map(({ ms }) => ms)), peakBytes: median(runs.map(({ peakBytes }) => peakBytes)) });
    }
    const best = answers.reduce((a, b) => (a.ms < b.ms ? a : b));
    const { words } = await ask("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'placements'");
    return { queryMs: best.ms, queryBytes: best.peakBytes, tableBytes: Number(words) };
  } catch (error) {
    if (error instanceof DOMException && error.name === 'TimeoutError') return null;
    throw error;
  } finally {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
}
