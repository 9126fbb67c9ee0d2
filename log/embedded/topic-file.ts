/** The records of one topic in one SQLite file, shared by every process of the machine that opens the log. */
import { join } from 'node:path';
import { MeshwardError } from '#mesh/errors.ts';
import type { PartitionBounds, Position, TopicSpec } from '../port.ts';
import { type PackedContent, type PackedLogShape, type PackedRecords, pack, recordBytes, unpack } from './packing.ts';
import { Database, type DatabaseOptions } from './sqlite.ts';

/** A record's row id is its partition and its offset in one number that JavaScript keeps exactly: 2048 partitions, 4·10¹² offsets. */
export const maxPartitions = 2048;
const offsetsPerPartition = 2 ** 42;

export function recordId(partition: number, offset: number): number {
  return partition * offsetsPerPartition + offset;
}

export function offsetOfRecordId(id: number): number {
  return id % offsetsPerPartition;
}

const applicationId = 0x4d57_4c47;
const formatVersion = 1;

// `shape` is 1 where there is a key plus 2 where there is a value: an empty value and none are not the same.
// Short columns stand before the value, so that retention does not touch the pages of large ones.
const schema = `
  CREATE TABLE topic (id INTEGER PRIMARY KEY CHECK (id = 0), name TEXT NOT NULL, partitions INTEGER NOT NULL, compacted INTEGER NOT NULL);
  CREATE TABLE partition (partition INTEGER PRIMARY KEY, first_offset INTEGER NOT NULL, next_offset INTEGER NOT NULL, size_bytes INTEGER NOT NULL);
  CREATE TABLE record (id INTEGER PRIMARY KEY, appended_at_ms INTEGER NOT NULL, size_bytes INTEGER NOT NULL, shape INTEGER NOT NULL, headers TEXT, key BLOB, value BLOB);
  CREATE TABLE newest (partition INTEGER NOT NULL, key BLOB NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (partition, key)) WITHOUT ROWID;
  CREATE INDEX tombstone ON record (appended_at_ms) WHERE shape = 1;
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${formatVersion};
`;

/** What one read of a partition gave. */
export interface PartitionRead {
  readonly packed: PackedRecords<PackedLogShape>;
  /** Where the next read goes on: compaction leaves gaps, so this may lie beyond the last record. */
  readonly position: number;
  readonly firstOffset: number;
  readonly nextOffset: number;
}

export class TopicFile {
  readonly spec: TopicSpec;
  readonly database: Database;

  /**
   * Opens the topic, and creates it where it is not there yet.
   * @throws MeshwardError `config-invalid` where it exists with other partitions, `log-corrupt`, `log-full`, `log-unavailable`.
   */
  constructor(directory: string, spec: TopicSpec, options: DatabaseOptions) {
    this.spec = spec;
    this.database = new Database(join(directory, `topic-${spec.name}.sqlite`), options);
    try {
      this.#createOrCheck();
    } catch (error) {
      this.database.close();
      throw error;
    }
  }

  /** Appends each batch in order in one transaction; the answer has the same order. */
  append(batches: readonly PackedRecords[], nowMs: number): Position[][] {
    return this.database.write(() => {
      const ends = new Map<number, { nextOffset: number; addedBytes: number }>();
      const positions = batches.map((batch) => {
        const placed: Position[] = [];
        for (const content of unpack(batch, false)) placed.push(this.#insert(content, nowMs, ends));
        return placed;
      });
      for (const [partition, end] of ends) {
        this.database.run(
          'UPDATE partition SET next_offset = ?, size_bytes = size_bytes + ? WHERE partition = ?',
          end.nextOffset,
          end.addedBytes,
          partition,
        );
      }
      return positions;
    });
  }

  /** At least one record where there is one, then more up to `maxBytes` and `maxRecords`. */
  read(partition: number, fromOffset: number, maxBytes: number, maxRecords: number): PartitionRead {
    return this.database.read(() => {
      const bounds = this.database.get(
        'SELECT first_offset, next_offset FROM partition WHERE partition = ?',
        partition,
      );
      const firstOffset = Number(bounds?.['first_offset']);
      const nextOffset = Number(bounds?.['next_offset']);
      const contents: PackedContent<PackedLogShape>[] = [];
      let position = nextOffset;
      let bytes = 0;
      const rows = this.database.iterate(
        'SELECT id, appended_at_ms, size_bytes, shape, headers, key, value FROM record WHERE id >= ? AND id < ? ORDER BY id',
        recordId(partition, Math.max(fromOffset, firstOffset)),
        recordId(partition, nextOffset),
      );
      for (const row of rows) {
        const content = contentOfRow(partition, row);
        contents.push(content);
        bytes += Number(row['size_bytes']);
        if (bytes >= maxBytes || contents.length >= maxRecords) {
          position = content.shape.offset + 1;
          break;
        }
      }
      return { packed: pack(contents), position: Math.max(position, fromOffset), firstOffset, nextOffset };
    });
  }

  bounds(): PartitionBounds[] {
    const rows = this.database.read(() =>
      this.database.all('SELECT partition, first_offset, next_offset FROM partition ORDER BY partition'),
    );
    return rows.map((row) => ({
      partition: Number(row['partition']),
      firstOffset: Number(row['first_offset']),
      nextOffset: Number(row['next_offset']),
    }));
  }

  close(): void {
    this.database.close();
  }

  #insert(
    {
      shape,
      key,
      value,
    }: PackedContent<{ partition: number; keyBytes: number; valueBytes: number; headers: string | null }>,
    nowMs: number,
    ends: Map<number, { nextOffset: number; addedBytes: number }>,
  ): Position {
    const { partition, headers } = shape;
    let end = ends.get(partition);
    if (end === undefined) {
      const row = this.database.get('SELECT next_offset FROM partition WHERE partition = ?', partition);
      end = { nextOffset: Number(row?.['next_offset']), addedBytes: 0 };
      ends.set(partition, end);
    }
    const offset = end.nextOffset++;
    const id = recordId(partition, offset);
    const sizeBytes = recordBytes({ key, value, headersText: headers });
    end.addedBytes += sizeBytes;
    this.database.run(
      'INSERT INTO record (id, appended_at_ms, size_bytes, shape, headers, key, value) VALUES (?, ?, ?, ?, ?, ?, ?)',
      id,
      nowMs,
      sizeBytes,
      (key === null ? 0 : 1) + (value === null ? 0 : 2),
      headers,
      key,
      value,
    );
    if (this.spec.compacted && key !== null) end.addedBytes -= this.#supersede(partition, key, id);
    return { partition, offset };
  }

  /** Compaction happens as records arrive: the older record of the key goes in the same transaction. Answers its size. */
  #supersede(partition: number, key: Uint8Array, id: number): number {
    const older = this.database.get('SELECT id FROM newest WHERE partition = ? AND key = ?', partition, key);
    this.database.run('INSERT OR REPLACE INTO newest (partition, key, id) VALUES (?, ?, ?)', partition, key, id);
    if (older === undefined) return 0;
    const removed = this.database.get('DELETE FROM record WHERE id = ? RETURNING size_bytes', Number(older['id']));
    return Number(removed?.['size_bytes'] ?? 0);
  }

  #createOrCheck(): void {
    const isNew = (): boolean =>
      this.database.pragma('user_version') === 0 && this.database.pragma('schema_version') === 0;
    if (isNew()) {
      this.database.write(() => {
        if (isNew()) this.#create();
      });
    }
    const { name, partitions, compacted } = this.spec;
    const path = this.database.path;
    if (this.database.pragma('application_id') !== applicationId) {
      throw new MeshwardError('log-corrupt', `${path} is a SQLite file, but not one of this log`, {
        next: 'Move the file away, or configure another directory for the log.',
      });
    }
    const version = this.database.pragma('user_version');
    if (version !== formatVersion) {
      throw new MeshwardError(
        'config-invalid',
        `${path} has format ${version}; this release reads format ${formatVersion}`,
        {
          next: 'Run the release that wrote it, or move the file away to start the topic anew.',
        },
      );
    }
    const topic = this.database.read(() => this.database.get('SELECT partitions, compacted FROM topic'));
    const found = { partitions: Number(topic?.['partitions']), compacted: topic?.['compacted'] === 1 };
    if (found.partitions !== partitions || found.compacted !== compacted) {
      throw new MeshwardError(
        'config-invalid',
        `topic ${name} exists in ${path} with ${describe(found)}, and is configured with ${describe(this.spec)}`,
        { next: `Configure ${describe(found)}, or stop every service and move ${path} away to start the topic anew.` },
      );
    }
    if (this.bounds().length !== partitions) {
      throw new MeshwardError('log-corrupt', `${path} does not list its ${partitions} partitions`, {
        next: 'Restore the file from a backup, or move it away to start the topic anew.',
      });
    }
  }

  #create(): void {
    const { name, partitions, compacted } = this.spec;
    this.database.script(schema);
    this.database.run('INSERT INTO topic VALUES (0, ?, ?, ?)', name, partitions, compacted ? 1 : 0);
    for (let partition = 0; partition < partitions; partition++) {
      this.database.run('INSERT INTO partition VALUES (?, 0, 0, 0)', partition);
    }
  }
}

function describe(topic: { partitions: number; compacted: boolean }): string {
  return `${topic.partitions} partitions, ${topic.compacted ? 'compacted' : 'not compacted'}`;
}

function contentOfRow(
  partition: number,
  row: Record<string, null | number | bigint | string | Uint8Array>,
): PackedContent<PackedLogShape> {
  const shapeBits = Number(row['shape']);
  const key = (shapeBits & 1) === 0 ? null : ((row['key'] as Uint8Array | null) ?? new Uint8Array(0));
  const value = (shapeBits & 2) === 0 ? null : ((row['value'] as Uint8Array | null) ?? new Uint8Array(0));
  return {
    shape: {
      partition,
      offset: offsetOfRecordId(Number(row['id'])),
      appendedAtMs: Number(row['appended_at_ms']),
      keyBytes: key?.length ?? -1,
      valueBytes: value?.length ?? -1,
      headers: row['headers'] as string | null,
    },
    key,
    value,
  };
}
