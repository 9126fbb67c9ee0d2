/** Keeps proofs and repairs of commands in ClickHouse, where the page and the history show them; both work without it. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { systemClock } from '#mesh/clock.ts';
import { describeError } from '#mesh/errors.ts';
import { silentLogger } from '#mesh/logger.ts';
import { type ProofRow, proofs, type RepairRow, repairs } from '#store/tables.ts';
import { createStoreWriter, type StoreWriter } from '#store/writer.ts';
import { openStore } from './connections.ts';
import { type Context, foldersOf } from './context.ts';
import { findRunFile } from './run-file.ts';

export type Recording = { readonly recorded: true } | { readonly recorded: false; readonly reason: string };

const connectTimeoutMs = 5_000;
const writeTimeoutMs = 15_000;

export function newProofId(): string {
  return randomUUID();
}

export function recordProofs(context: Context, rows: readonly ProofRow[]): Promise<Recording> {
  return record(context, (writer) => writer.enqueue(proofs, rows));
}

export function recordRepair(context: Context, row: RepairRow): Promise<Recording> {
  return record(context, (writer) => writer.enqueue(repairs, [row]));
}

async function record(context: Context, write: (writer: StoreWriter) => Promise<void>): Promise<Recording> {
  const withStore = await withClickHouse(context);
  if (withStore === null)
    return { recorded: false, reason: 'no ClickHouse is configured or runs with this data directory' };
  try {
    const opened = await openStore(withStore, silentLogger, AbortSignal.timeout(connectTimeoutMs));
    try {
      // A writer that gives up: a command must not wait for a database that went away.
      const writer = createStoreWriter({
        store: opened.store,
        clock: systemClock,
        random: Math.random,
        signal: AbortSignal.timeout(writeTimeoutMs),
      });
      await write(writer);
      await writer.close();
    } finally {
      await opened.close();
    }
    return { recorded: true };
  } catch (error) {
    return { recorded: false, reason: describeError(error) };
  }
}

/** The same context with the address of the ClickHouse that runs here; null where there is none. */
export async function withClickHouse(context: Context): Promise<Context | null> {
  const { config, dataDir } = context;
  if (config.clickhouse.mode === 'external') return config.clickhouse.urls.length === 0 ? null : context;
  const folders = foldersOf(dataDir, config);
  const run = await findRunFile(folders.runFile);
  if (run === null || run.clickhouseUrl === '') return null;
  const clickhouse = {
    ...config.clickhouse,
    mode: 'external' as const,
    urls: [run.clickhouseUrl],
    username: 'meshward',
    passwordFile: join(folders.clickhouse, 'password'),
  };
  return { ...context, config: { ...config, clickhouse } };
}
