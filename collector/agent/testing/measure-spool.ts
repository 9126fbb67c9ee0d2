/**
 * Measures the spool beside the same queue on SQLite: `node collector/agent/testing/measure-spool.ts [batches] [bytes] [spools]`
 * (default 5000 batches of 4096 bytes, 1 spool). Prints what docs/decisions/agent-spool.md is founded on.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { DatabaseSync } from 'node:sqlite';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { systemClock } from '#mesh/clock.ts';
import { silentLogger } from '#mesh/logger.ts';
import { Spool } from '../spool.ts';
import type { SpoolRecord } from '../spool-record.ts';

interface Queue {
  append(record: SpoolRecord): Promise<unknown>;
  /** Takes the oldest away, as after it was sent. */
  passOne(): Promise<void>;
  close(): Promise<void>;
}

/** What the spool does, as far as it costs: append, oldest first, delete; synced once a second and not with each append. */
class SqliteSpool {
  readonly #database: DatabaseSync;
  readonly #syncing: NodeJS.Timeout;

  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL');
    this.#database.exec(
      'CREATE TABLE IF NOT EXISTS batch (id INTEGER PRIMARY KEY, incarnation INT, sequence INT, generation INT, part INT, payload BLOB)',
    );
    this.#syncing = setInterval(() => this.#database.exec('PRAGMA wal_checkpoint(PASSIVE)'), 1000);
  }

  append({ incarnation, sequence, generation, part, payload }: SpoolRecord): void {
    this.#database
      .prepare('INSERT INTO batch (incarnation, sequence, generation, part, payload) VALUES (?, ?, ?, ?, ?)')
      .run(incarnation, sequence, generation, part, payload);
  }

  passOne(): void {
    const oldest = this.#database.prepare('SELECT id, payload FROM batch ORDER BY id LIMIT 1').get();
    if (oldest !== undefined) this.#database.prepare('DELETE FROM batch WHERE id = ?').run(oldest['id'] as number);
  }

  /** What a start needs to know: how much waits, and where its inventories begin. */
  recover(): unknown {
    return this.#database.prepare('SELECT id, generation, part, length(payload) FROM batch ORDER BY id').all();
  }

  close(): void {
    clearInterval(this.#syncing);
    this.#database.close();
  }
}

function onThisThread(path: string): Queue {
  const spool = new SqliteSpool(path);
  // The event loop turns after each call, as it does when a batch came from a socket or a timer.
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    append: (record) => turn().then(() => spool.append(record)),
    passOne: () => turn().then(() => spool.passOne()),
    close: () => Promise.resolve(spool.close()),
  };
}

/** All spools of a process behind one thread, as the embedded log holds its files. */
class SqliteThread {
  readonly #worker = new Worker(new URL(import.meta.url), { workerData: 'spools' });
  readonly #waiting = new Map<number, () => void>();
  #calls = 0;

  constructor() {
    this.#worker.on('message', (id: number) => {
      this.#waiting.get(id)?.();
      this.#waiting.delete(id);
    });
  }

  open(path: string): Queue {
    const call = (what: string, record?: SpoolRecord): Promise<void> =>
      new Promise((resolve) => {
        const id = ++this.#calls;
        this.#waiting.set(id, resolve);
        this.#worker.postMessage({ id, path, what, record }, []);
      });
    return { append: (record) => call('append', record), passOne: () => call('passOne'), close: () => call('close') };
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}

function serveSpools(): void {
  const spools = new Map<string, SqliteSpool>();
  parentPort?.on('message', ({ id, path, what, record }) => {
    const spool = spools.get(path) ?? new SqliteSpool(path);
    spools.set(path, spool);
    if (what === 'append') spool.append(record as SpoolRecord);
    else if (what === 'passOne') spool.passOne();
    else spool.close();
    parentPort?.postMessage(id, []);
  });
}

async function segments(directory: string): Promise<Queue> {
  const options = { directory, maxBytes: 1e9, clock: systemClock, log: silentLogger, onDropped: () => undefined };
  const spool = await Spool.open(options);
  return {
    append: (record) => spool.append(record),
    async passOne() {
      const record = await spool.peek();
      if (record !== null) await spool.sent(record);
    },
    close: () => spool.close(),
  };
}

async function measure(): Promise<void> {
  const [batches = 5000, bytes = 4096, spools = 1] = process.argv.slice(2).map(Number);
  const directory = mkdtempSync(join(tmpdir(), 'meshward-spool-'));
  const thread = new SqliteThread();
  const only = process.env['SPOOL'];
  const kinds: Record<string, (name: string) => Promise<Queue>> = {
    'segment files': (name) => segments(join(directory, name)),
    'SQLite, this thread': (name) => Promise.resolve(onThisThread(join(directory, name))),
    'SQLite, own thread': (name) => Promise.resolve(thread.open(join(directory, name))),
  };
  const record = (sequence: number): SpoolRecord => ({
    incarnation: 1,
    sequence,
    generation: 0,
    part: 0,
    isLastPart: false,
    payload: new Uint8Array(bytes).fill(sequence),
  });
  process.stdout.write(`${spools} spools, ${batches} batches of ${bytes} bytes in all\n`);
  for (const [kind, open] of Object.entries(kinds)) {
    if (only !== undefined && only !== kind) continue;
    const queues = await Promise.all(Array.from({ length: spools }, (_, i) => open(`${kind} ${i}`)));
    const each = async (work: (queue: Queue, i: number) => Promise<unknown>): Promise<string> => {
      const delay = monitorEventLoopDelay({ resolution: 1 });
      const cpu = process.cpuUsage();
      const beganMs = performance.now();
      delay.enable();
      await Promise.all(
        queues.map(async (queue) => {
          for (let i = 1; i <= batches / spools; i++) await work(queue, i);
        }),
      );
      delay.disable();
      const tookMs = performance.now() - beganMs;
      const { user, system } = process.cpuUsage(cpu);
      const rate = Math.round((batches / tookMs) * 1000);
      return `${rate}/s, ${Math.round((user + system) / batches)} us of processor each, loop held p99 ${(delay.percentile(99) / 1e6).toFixed(1)} max ${(delay.max / 1e6).toFixed(1)} ms`;
    };
    process.stdout.write(`${kind}: append ${await each((queue, i) => queue.append(record(i)))}\n`);
    process.stdout.write(`${kind}: pass ${await each((queue) => queue.passOne())}\n`);
    for (let i = 1; i <= batches; i++) await (queues[0] as Queue).append(record(i));
    await Promise.all(queues.map((queue) => queue.close()));
    const beganMs = performance.now();
    if (kind === 'segment files') await (await segments(join(directory, `${kind} 0`))).close();
    else new SqliteSpool(join(directory, `${kind} 0`)).recover();
    process.stdout.write(`${kind}: start with ${batches} batches ${Math.round(performance.now() - beganMs)} ms\n`);
  }
  await thread.end();
  rmSync(directory, { recursive: true });
  process.exit(0);
}

if (workerData === 'spools') serveSpools();
else await measure();
