/**
 * Consumer groups: who is a member, who owns which partition under which generation, and what was committed.
 *
 * There is no leader: whoever joins, leaves, releases or notices a dead member works out the assignment inside one
 * transaction. A generation is on disk before its owner hears of it and never comes again, even after power loss;
 * heartbeats and commits survive kill -9, and may at power loss fall back to an earlier commit (records then come again).
 */
import { join } from 'node:path';
import { MeshwardError } from '#mesh/errors.ts';
import { assignPartitions } from '../shared/assignment.ts';
import type { MemberSpec, OwnedPartition } from '../shared/member.ts';
import { isGone, type ProcessIdentity } from './process-identity.ts';
import { Database, type Row } from './sqlite.ts';

export interface GroupFileOptions {
  readonly lockTimeoutMs: number;
  readonly process: ProcessIdentity;
  /** Milliseconds that only grow and that all processes of this machine share. */
  readonly nowMs: () => number;
}

/** Taken on the disk while there is room: see `#reserveRoom`. */
const reserveBytes = 512 * 1024;

const applicationId = 0x4d57_4c48;
const formatVersion = 1;

const schema = `
  CREATE TABLE consumer_group (name TEXT PRIMARY KEY, joins INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE member (
    id TEXT PRIMARY KEY, group_name TEXT NOT NULL, joined INTEGER NOT NULL, topics TEXT NOT NULL,
    heartbeat_ms REAL NOT NULL, session_timeout_ms REAL NOT NULL, revoke_timeout_ms REAL NOT NULL,
    scope TEXT NOT NULL, pid INTEGER NOT NULL, started_at TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX member_group ON member (group_name, joined);
  CREATE TABLE ownership (
    group_name TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, generation INTEGER NOT NULL,
    owner TEXT, revoking_since_ms REAL, committed_offset INTEGER, PRIMARY KEY (group_name, topic, partition)
  ) WITHOUT ROWID;
  CREATE TABLE reserve (room BLOB NOT NULL);
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${formatVersion};
`;

export class GroupFile {
  readonly #options: GroupFileOptions;
  /** Synced at each commit: what moves a generation. */
  readonly #durable: Database;
  /** Not synced: heartbeats and commits. */
  readonly #quick: Database;

  constructor(directory: string, options: GroupFileOptions) {
    this.#options = options;
    const path = join(directory, 'groups.sqlite');
    const limits = { lockTimeoutMs: options.lockTimeoutMs, maxFileBytes: 0 };
    this.#durable = new Database(path, { ...limits, synchronous: 'FULL' });
    try {
      this.#createOrCheck();
      this.#reserveRoom();
      this.#quick = new Database(path, { ...limits, synchronous: 'NORMAL' });
    } catch (error) {
      this.#durable.close();
      throw error;
    }
  }

  join(member: MemberSpec): void {
    this.#durable.write(() => {
      const db = this.#durable;
      const { process } = this.#options;
      db.run('INSERT INTO consumer_group VALUES (?, 1) ON CONFLICT DO UPDATE SET joins = joins + 1', member.group);
      const joined = Number(db.get('SELECT joins FROM consumer_group WHERE name = ?', member.group)?.['joins']);
      const topics = JSON.stringify(member.topics.map((topic) => topic.name));
      db.run(
        'INSERT INTO member VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',

        member.id,
        member.group,
        joined,
        topics,
        this.#options.nowMs(),
        member.sessionTimeoutMs,
        member.revokeTimeoutMs,
        process.scope,
        process.pid,
        process.startedAt,
      );
      for (const { name, partitions } of member.topics) {
        for (let partition = 0; partition < partitions; partition++) {
          db.run(
            'INSERT OR IGNORE INTO ownership VALUES (?, ?, ?, 0, NULL, NULL, NULL)',
            member.group,
            name,
            partition,
          );
        }
      }
      this.#rebalance(member.group);
    });
  }

  /** What the member owns now, or null where it is no longer a member: then everything it had is fenced. */
  heartbeat(memberId: string, group: string): OwnedPartition[] | null {
    const alive = this.#quick.write(
      () => this.#quick.run('UPDATE member SET heartbeat_ms = ? WHERE id = ?', this.#options.nowMs(), memberId) === 1,
    );
    if (!alive) return null;
    if (this.#quick.read(() => this.#needsRebalance(this.#quick, group))) {
      this.#durable.write(() => this.#rebalance(group));
    }
    return this.owned(memberId, group);
  }

  /** As `heartbeat`, without being one. */
  owned(memberId: string, group: string): OwnedPartition[] | null {
    return this.#quick.read(() => {
      if (this.#quick.get('SELECT 1 FROM member WHERE id = ?', memberId) === undefined) return null;
      const rows = this.#quick.all(
        'SELECT topic, partition, generation, committed_offset, revoking_since_ms FROM ownership WHERE group_name = ? AND owner = ? ORDER BY topic, partition',
        group,
        memberId,
      );
      return rows.map((row) => ({
        topic: String(row['topic']),
        partition: Number(row['partition']),
        generation: Number(row['generation']),
        committedOffset: offsetOf(row),
        revoking: row['revoking_since_ms'] !== null,
      }));
    });
  }

  /** The member has stopped with these partitions. */
  release(
    memberId: string,
    group: string,
    partitions: readonly { topic: string; partition: number; generation: number }[],
  ): void {
    this.#durable.write(() => {
      for (const { topic, partition, generation } of partitions) {
        this.#durable.run(
          'UPDATE ownership SET owner = NULL, revoking_since_ms = NULL WHERE group_name = ? AND topic = ? AND partition = ? AND owner = ? AND generation = ?',
          group,
          topic,
          partition,
          memberId,
          generation,
        );
      }
      this.#rebalance(group);
    });
  }

  leave(memberId: string, group: string): void {
    this.#durable.write(() => {
      this.#remove(memberId);
      this.#rebalance(group);
    });
  }

  /** False where the partition is no longer the member's under this generation. */
  commit(
    memberId: string,
    group: string,
    partition: { topic: string; partition: number; generation: number },
    nextOffset: number,
  ): boolean {
    return this.#quick.write(
      () =>
        this.#quick.run(
          'UPDATE ownership SET committed_offset = ? WHERE group_name = ? AND topic = ? AND partition = ? AND owner = ? AND generation = ?',
          nextOffset,
          group,
          partition.topic,
          partition.partition,
          memberId,
          partition.generation,
        ) === 1,
    );
  }

  committed(group: string, topic: string, partitionCount: number): (number | null)[] {
    const offsets = Array.from({ length: partitionCount }, (): number | null => null);
    const rows = this.#quick.read(() =>
      this.#quick.all(
        'SELECT partition, committed_offset FROM ownership WHERE group_name = ? AND topic = ?',
        group,
        topic,
      ),
    );
    for (const row of rows) {
      const partition = Number(row['partition']);
      if (partition < partitionCount) offsets[partition] = offsetOf(row);
    }
    return offsets;
  }

  dataVersion(): number {
    return this.#quick.dataVersion();
  }

  close(): void {
    this.#quick.close();
    this.#durable.close();
  }

  #createOrCheck(): void {
    const db = this.#durable;
    const isNew = (): boolean => db.pragma('user_version') === 0 && db.pragma('schema_version') === 0;
    if (isNew()) {
      db.write(() => {
        if (isNew()) db.script(schema);
      });
    }
    if (db.pragma('application_id') !== applicationId || db.pragma('user_version') !== formatVersion) {
      throw new MeshwardError('log-corrupt', `${db.path} is not a group file of this release's log`, {
        next: 'Move the file away: groups then start again from the first record that is kept.',
      });
    }
  }

  /** Makes both the file and its write-ahead log large enough that heartbeats and commits go on when the disk is full. */
  #reserveRoom(): void {
    this.#durable.write(() => {
      this.#durable.run('INSERT INTO reserve VALUES (zeroblob(?))', reserveBytes);
      this.#durable.run('DELETE FROM reserve');
    });
    this.#durable.checkpoint();
  }

  #needsRebalance(db: Database, group: string): boolean {
    return this.#deadMembers(db, group).length > 0 || this.#overdueRevocations(db, group).length > 0;
  }

  #deadMembers(db: Database, group: string): string[] {
    const nowMs = this.#options.nowMs();
    return db
      .all('SELECT * FROM member WHERE group_name = ?', group)
      .filter((row) => {
        const identity = { scope: String(row['scope']), pid: Number(row['pid']), startedAt: String(row['started_at']) };
        const silentMs = nowMs - Number(row['heartbeat_ms']);
        // A heartbeat from the future is from before a reboot: the shared clock began again at zero.
        return silentMs < 0 || silentMs > Number(row['session_timeout_ms']) || isGone(identity, this.#options.process);
      })
      .map((row) => String(row['id']));
  }

  #overdueRevocations(db: Database, group: string): Row[] {
    return db.all(
      `SELECT topic, partition FROM ownership JOIN member ON member.id = ownership.owner
       WHERE ownership.group_name = ? AND revoking_since_ms IS NOT NULL AND ? - revoking_since_ms > revoke_timeout_ms`,
      group,
      this.#options.nowMs(),
    );
  }

  #remove(memberId: string): void {
    this.#durable.run('UPDATE ownership SET owner = NULL, revoking_since_ms = NULL WHERE owner = ?', memberId);
    this.#durable.run('DELETE FROM member WHERE id = ?', memberId);
  }

  /** Frees what the dead held and what is overdue, then gives out what is free and calls back what evenness needs. */
  #rebalance(group: string): void {
    const db = this.#durable;
    for (const dead of this.#deadMembers(db, group)) this.#remove(dead);
    for (const row of this.#overdueRevocations(db, group)) {
      db.run(
        'UPDATE ownership SET owner = NULL, revoking_since_ms = NULL WHERE group_name = ? AND topic = ? AND partition = ?',
        group,
        String(row['topic']),
        Number(row['partition']),
      );
    }
    const members = db.all('SELECT id, topics FROM member WHERE group_name = ? ORDER BY joined', group).map((row) => ({
      id: String(row['id']),
      topics: JSON.parse(String(row['topics'])) as string[],
    }));
    const held = db
      .all('SELECT topic, partition, owner, revoking_since_ms FROM ownership WHERE group_name = ?', group)
      .map((row) => ({
        topic: String(row['topic']),
        partition: Number(row['partition']),
        owner: row['owner'] as string | null,
        isRevoking: row['revoking_since_ms'] !== null,
      }));
    const wanted = assignPartitions(members, held);
    for (const [index, { topic, partition, owner, isRevoking }] of held.entries()) {
      const next = wanted[index] ?? null;
      const place = [group, topic, partition] as const;
      if (owner === null && next !== null) {
        db.run(
          'UPDATE ownership SET owner = ?, generation = generation + 1 WHERE group_name = ? AND topic = ? AND partition = ?',
          next,
          ...place,
        );
      } else if (owner !== null && owner !== next && !isRevoking) {
        db.run(
          'UPDATE ownership SET revoking_since_ms = ? WHERE group_name = ? AND topic = ? AND partition = ?',
          this.#options.nowMs(),
          ...place,
        );
      }
      // A revocation under way is never called off: the owner may have stopped already. Once released, the partition comes back under a new generation.
    }
  }
}

function offsetOf(row: Row): number | null {
  return row['committed_offset'] === null ? null : Number(row['committed_offset']);
}
