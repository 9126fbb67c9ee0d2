/** One SQLite file as the log uses it: WAL, short transactions, locks waited for, failures told in the log's own codes. */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { hasCode, MeshwardError } from '#mesh/errors.ts';

export interface DatabaseOptions {
  /** How long another process's lock is waited for before `log-unavailable`. */
  readonly lockTimeoutMs: number;
  /** FULL survives power loss at each commit; NORMAL survives kill -9 and may lose the last commits at power loss, never their order. */
  readonly synchronous: 'FULL' | 'NORMAL';
  /** The file may not grow beyond this. 0 is unlimited. */
  readonly maxFileBytes: number;
}

export type Row = Record<string, null | number | bigint | string | Uint8Array>;

/** Larger pages than SQLite's default: values are mostly several kilobytes, so fewer overflow pages and fewer writes. */
const pageBytes = 8192;

/** Kept of the write-ahead log after a checkpoint, so that deletes still find room in it on a full disk. */
const keptWalBytes = 16 * 1024 * 1024;

export class Database {
  readonly path: string;
  readonly #options: DatabaseOptions;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** @throws MeshwardError `log-corrupt`, `log-full`, `log-unavailable`. */
  constructor(path: string, options: DatabaseOptions) {
    this.path = path;
    this.#options = options;
    this.#db = this.#translated(() => new DatabaseSync(path, { timeout: 0 }));
    try {
      this.#retryBusy(() => {
        this.#db.exec(`PRAGMA page_size = ${pageBytes}; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL`);
        this.#db.exec(`PRAGMA synchronous = ${options.synchronous}; PRAGMA journal_size_limit = ${keptWalBytes}`);
        if (options.maxFileBytes > 0)
          this.#db.exec(`PRAGMA max_page_count = ${Math.max(16, Math.floor(options.maxFileBytes / pageBytes))}`);
      });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepared(sql).run(...values).changes);
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepared(sql).get(...values);
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepared(sql).all(...values);
  }

  iterate(sql: string, ...values: SQLInputValue[]): Iterable<Row> {
    return this.#prepared(sql).iterate(...values);
  }

  /** For several statements at once, without values. */
  script(sql: string): void {
    this.#db.exec(sql);
  }

  /** All of `run` or nothing of it, alone among the writers of every process. It may be run again, so it must not have other effects. */
  write<T>(run: () => T): T {
    try {
      return this.#writeOnce(run);
    } catch (error) {
      if (!hasCode(error, 'log-full')) throw error;
      // On a full disk the space of the write-ahead log itself can be used again once its pages are in the file: enough
      // for deletes, heartbeats and commits to go on.
      this.checkpoint();
      return this.#writeOnce(run);
    }
  }

  /** `run` sees one state of the file. It may be run again after a lock, so it must not have effects. */
  read<T>(run: () => T): T {
    return this.#retryBusy(() => {
      this.#prepared('BEGIN').run();
      return this.#finish(run);
    });
  }

  /** A number that changes whenever another connection has written; costs a few microseconds. */
  dataVersion(): number {
    return this.#retryBusy(() => Number(this.get('PRAGMA data_version')?.['data_version']));
  }

  pragma(name: string): number {
    return this.#retryBusy(() => Number(Object.values(this.get(`PRAGMA ${name}`) ?? {})[0] ?? 0));
  }

  /** Copies what the write-ahead log holds into the file, as far as readers let it, so that its space is used again. */
  checkpoint(): void {
    this.#retryBusy(() => this.#db.exec('PRAGMA wal_checkpoint(PASSIVE)'));
  }

  /** Gives at most `pages` unused pages back to the file system. */
  shrink(pages: number): void {
    this.#retryBusy(() => this.#db.exec(`PRAGMA incremental_vacuum(${pages})`));
  }

  close(): void {
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #writeOnce<T>(run: () => T): T {
    this.#retryBusy(() => this.#prepared('BEGIN IMMEDIATE').run());
    return this.#translated(() => this.#finish(run));
  }

  #finish<T>(run: () => T): T {
    try {
      const result = run();
      this.#prepared('COMMIT').run();
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  // SQLite's own busy handler backs off to 100 ms, which starves a writer beside a busy one; short even waits share the lock.
  #retryBusy<T>(run: () => T): T {
    const giveUpAtMs = performance.now() + this.#options.lockTimeoutMs;
    for (let attempt = 0; ; attempt++) {
      try {
        return run();
      } catch (error) {
        if (!isBusy(error) || performance.now() >= giveUpAtMs) throw storeError(error, this.path);
        Atomics.wait(pauseCell, 0, 0, 1 + (attempt % 3));
      }
    }
  }

  #translated<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      throw storeError(error, this.path);
    }
  }
}

const pauseCell = new Int32Array(new SharedArrayBuffer(4));

/** Primary result codes, https://sqlite.org/rescode.html */
const result = {
  busy: 5,
  locked: 6,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  protocol: 15,
  notADatabase: 26,
};

/** Less room than this beside an I/O error means that the disk is full: not every file system says so in words. */
const littleRoomBytes = 1024 * 1024;

function resultCode(error: unknown): number | null {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code & 0xff : null;
}

function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === result.busy || code === result.locked || code === result.protocol;
}

/** What SQLite said, in the log's codes. Errors of our own pass unchanged. */
export function storeError(error: unknown, path: string): MeshwardError {
  if (error instanceof MeshwardError) return error;
  const directory = dirname(path);
  const cause = error instanceof Error ? error.message : String(error);
  switch (resultCode(error) ?? 0) {
    case result.full:
      return fullError(directory, cause);
    case result.ioError:
      if (hasLittleRoom(directory)) return fullError(directory, cause);
      return new MeshwardError('log-unavailable', `the disk under ${path} fails: ${cause}`, {
        next: 'Look at the disk and its file system (dmesg, smartctl); the log goes on by itself when it answers again.',
        retryable: true,
      });
    case result.corrupt:
    case result.notADatabase:
      return new MeshwardError('log-corrupt', `${path} is damaged or is not a file of this log: ${cause}`, {
        next: `Stop the services and keep a copy of ${path}*. To save its records: \`sqlite3 ${path} .recover | sqlite3 ${path}.saved\`, and put the result in its place, without its -wal and -shm. Else move ${path}* away: the log then starts that topic anew and analyzers rebuild from their checkpoint. Test the disk before you start again.`,
      });
    case result.busy:
    case result.locked:
    case result.protocol:
      return new MeshwardError('log-unavailable', `${path} stayed locked by another process`, {
        next: 'Look for a process that holds the file (fuser FILE), such as a backup; the log retries by itself.',
        retryable: true,
      });
    case result.cannotOpen:
    case result.readOnly:
      if (hasLittleRoom(directory)) return fullError(directory, cause);
      return new MeshwardError('log-unavailable', `${path} cannot be opened for writing: ${cause}`, {
        next: `Let this user own ${directory}, and check that it is on a local, writable file system.`,
      });
    default:
      return new MeshwardError('internal', `the store of ${path} failed: ${cause}`, {
        next: 'Report this with the log of the service.',
        cause: error,
      });
  }
}

export function fullError(directory: string, cause: string): MeshwardError {
  return new MeshwardError('log-full', `no room for the log in ${directory}: ${cause}`, {
    next: `Free space on the disk of ${directory}, lower the retention of the topics, or raise the log's size limit; nothing was written in part, and the same append succeeds once there is room.`,
    retryable: true,
    details: { directory },
  });
}

function hasLittleRoom(directory: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize < littleRoomBytes;
  } catch {
    return false;
  }
}
