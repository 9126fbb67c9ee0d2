/** What services have used, written and inserted so far: two readings and the time between them make a rate. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Topics } from '#mesh/topics.ts';
import { allTopics } from '#mesh/topics.ts';
import { uint64 } from '#store/row-binary/columns.ts';
import { type MeasuredServices, oneRow } from './measured-services.ts';
import { cpuSecondsOf } from './processor-time.ts';

export interface IdleCounts {
  readonly atSeconds: number;
  /** By service. */
  readonly cpuSeconds: Readonly<Record<string, number>>;
  /** As the kernel counts what goes to disks. */
  readonly writtenBytes: Readonly<Record<string, number>>;
  /** Into ClickHouse, and what it makes of them, materialized views too. */
  readonly inserts: number;
  readonly rows: number;
  readonly parts: number;
  readonly merges: number;
  readonly logRecords: number;
  readonly logBytes: number;
}

export interface CountedMesh {
  readonly services: MeasuredServices;
  readonly logFolder: string;
  readonly topics: Topics;
}

const storeCounters = { inserts: uint64, rows: uint64, parts: uint64, merges: uint64 };
const storeQuestion = `SELECT sumIf(value, event = 'InsertQuery') AS inserts, sumIf(value, event = 'InsertedRows') AS rows,
  sumIf(value, event = 'MergeTreeDataWriterBlocks') AS parts, sumIf(value, event = 'Merge') AS merges FROM system.events`;

export class IdleCounters {
  readonly #mesh: CountedMesh;

  constructor(mesh: CountedMesh) {
    this.#mesh = mesh;
  }

  async read(): Promise<IdleCounts> {
    const { services } = this.#mesh;
    const store = (await oneRow(services.store, storeCounters, storeQuestion)) ?? {
      inserts: 0,
      rows: 0,
      parts: 0,
      merges: 0,
    };
    const each = (of: (pid: number) => number): Record<string, number> =>
      Object.fromEntries(Object.entries(services.pids).map(([name, pid]) => [name, of(pid)]));
    return {
      atSeconds: performance.now() / 1000,
      cpuSeconds: each(cpuSecondsOf),
      writtenBytes: each(writtenBytesOf),
      ...store,
      ...this.#log(),
    };
  }

  #log(): Pick<IdleCounts, 'logRecords' | 'logBytes'> {
    const sums = allTopics(this.#mesh.topics).map(({ name }) => {
      const file = new DatabaseSync(join(this.#mesh.logFolder, `topic-${name}.sqlite`), { readOnly: true });
      const row = file.prepare('SELECT sum(next_offset) AS records, sum(size_bytes) AS bytes FROM partition').get();
      file.close();
      return { records: Number(row?.['records']), bytes: Number(row?.['bytes']) };
    });
    return {
      logRecords: sums.reduce((sum, { records }) => sum + records, 0),
      logBytes: sums.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  }
}

function writtenBytesOf(pid: number): number {
  return Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? 0);
}
