/**
 * One agent at a time on one folder. The lock is SQLite's on a file beside the state: the system lets go of it when the process
 * ends, however it ends, and other processes and containers of the machine see it.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { MeshwardError } from '#mesh/errors.ts';
import type { AgentFolders } from './folders.ts';

const lockFileName = 'agent.lock';
/** SQLite's SQLITE_BUSY. */
const busy = 5;

export class AgentLock {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** @throws MeshwardError `config-invalid` where an agent runs on the folder, or its state cannot be kept. */
  static async take({ state, shares }: AgentFolders): Promise<AgentLock> {
    let database: DatabaseSync | null = null;
    try {
      await mkdir(state, { recursive: true, mode: 0o700 });
      database = new DatabaseSync(join(state, lockFileName));
      database.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
      return new AgentLock(database);
    } catch (error) {
      database?.close();
      if ((error as { errcode?: unknown }).errcode === busy) {
        throw new MeshwardError('config-invalid', `an agent already runs on ${shares}`, {
          next: 'Leave that one running, or stop it first. A second peer needs a folder and a key of its own.',
        });
      }
      throw new MeshwardError('config-invalid', `the agent's folder ${state} cannot be written`, {
        next: 'Set agent.spoolDir to a folder on this machine that the agent may write, on a disk with room.',
        cause: error,
      });
    }
  }

  release(): void {
    this.#database.close();
  }
}
