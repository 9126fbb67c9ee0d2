import type { Clock } from '#mesh/clock.ts';
import type { Store } from '../client.ts';
import { text, uint64 } from '../row-binary/columns.ts';
import { hasServerType } from '../store-errors.ts';

/**
 * Lets one service migrate at a time. ClickHouse has no locks, but making a table that must not exist is atomic: who makes
 * `schema_lock` holds it. The holder writes a beat before each statement; who sees no beat for a lease, by its own clock,
 * takes the holder for dead and drops the lock. If that was wrong, two run the same steps: every statement stands being
 * run twice, so the lock saves work and confusion, and correctness does not hang on it.
 */
export class SchemaLock {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #holder: string;
  readonly #leaseMs: number;
  #beats = 0;
  #seen: { beat: string; atMs: number } | null = null;

  constructor(store: Store, clock: Clock, holder: string, leaseMs: number) {
    this.#store = store;
    this.#clock = clock;
    this.#holder = holder;
    this.#leaseMs = leaseMs;
  }

  async tryTake(): Promise<boolean> {
    try {
      await this.#store.command(`CREATE TABLE ${this.#table} (holder String, beat UInt64) ENGINE = Memory`);
      await this.beat();
      return true;
    } catch (error) {
      if (!hasServerType(error, 'TABLE_ALREADY_EXISTS')) throw error;
      await this.#dropWhereDead();
      return false;
    }
  }

  async beat(): Promise<void> {
    this.#beats += 1;
    try {
      await this.#store.command(`INSERT INTO ${this.#table} SELECT {holder:String}, {beat:UInt64}`, {
        parameters: { holder: this.#holder, beat: this.#beats },
      });
    } catch (error) {
      // Taken over by one that thought us dead, and released since: the steps go on all the same.
      if (!hasServerType(error, 'UNKNOWN_TABLE')) throw error;
    }
  }

  async release(): Promise<void> {
    await this.#store.command(`DROP TABLE IF EXISTS ${this.#table}`);
  }

  async #dropWhereDead(): Promise<void> {
    const beat = await this.#readBeat();
    const nowMs = this.#clock.monotonicMs();
    if (this.#seen?.beat !== beat) {
      this.#seen = { beat, atMs: nowMs };
    } else if (nowMs - this.#seen.atMs >= this.#leaseMs) {
      this.#seen = null;
      await this.release();
    }
  }

  async #readBeat(): Promise<string> {
    try {
      const rows = await this.#store.select(
        { holder: text, beat: uint64 },
        `SELECT holder, max(beat) FROM ${this.#table} GROUP BY holder ORDER BY holder`,
      );
      return JSON.stringify(rows);
    } catch (error) {
      if (hasServerType(error, 'UNKNOWN_TABLE')) return 'released';
      throw error;
    }
  }

  get #table(): string {
    return this.#store.qualified('schema_lock');
  }
}
