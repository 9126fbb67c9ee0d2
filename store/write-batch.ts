/** Rows of one table on their way: open while more are added, then sealed with a token that its bytes alone give. */
import { createHash } from 'node:crypto';
import type { InsertFormat } from './client.ts';
import type { Table } from './row-binary/table.ts';
import { RowBinaryWriter } from './row-binary/writer.ts';

/** Stands before rows that only an owner may write. */
export interface WriteGuard {
  /** Asked right before each try to send the rows: where it says no, they are left out. */
  holds(): Promise<boolean>;
}

interface Part {
  readonly bytes: Uint8Array;
  readonly rows: number;
  readonly guard: WriteGuard | null;
}

export class OpenBatch {
  readonly table: Table;
  readonly format: InsertFormat;
  readonly openedAtMs: number;
  callOffSealing: () => void = () => undefined;
  /** When it is sealed at the latest. */
  dueAtMs = Number.POSITIVE_INFINITY;
  /** Traces that rows belong to: the newest. */
  readonly traces = new Set<string>();
  readonly #parts: Part[] = [];
  #closedBytes = 0;
  #closedRows = 0;
  #writer: RowBinaryWriter | null = null;
  #guard: WriteGuard | null = null;
  #writerRows = 0;

  constructor(table: Table, format: InsertFormat, openedAtMs: number) {
    this.table = table;
    this.format = format;
    this.openedAtMs = openedAtMs;
  }

  get rows(): number {
    return this.#closedRows + this.#writerRows;
  }

  get bytes(): number {
    return this.#closedBytes + (this.#writer?.length ?? 0);
  }

  /** Where the next row is written; `countRow` follows. */
  writer(guard: WriteGuard | null): RowBinaryWriter {
    if (guard !== this.#guard) this.#closePart();
    this.#guard = guard;
    this.#writer ??= new RowBinaryWriter();
    return this.#writer;
  }

  countRow(): void {
    this.#writerRows += 1;
  }

  addEncoded(rows: number, bytes: Uint8Array): void {
    this.#closePart();
    this.#add({ bytes, rows, guard: null });
  }

  seal(): SealedBatch {
    this.#closePart();
    return new SealedBatch(this, this.#parts);
  }

  #closePart(): void {
    if (this.#writer === null || this.#writer.length === 0) return;
    this.#add({ bytes: this.#writer.finish(), rows: this.#writerRows, guard: this.#guard });
    this.#writer = null;
    this.#writerRows = 0;
  }

  #add(part: Part): void {
    this.#parts.push(part);
    this.#closedBytes += part.bytes.length;
    this.#closedRows += part.rows;
  }
}

export class SealedBatch {
  readonly table: Table;
  readonly format: InsertFormat;
  readonly openedAtMs: number;
  /** As sealed: what is left out later counts too, until the batch is acknowledged. */
  readonly rows: number;
  readonly bytes: number;
  /** Resolves when the batch is acknowledged or given up. */
  readonly settled: Promise<void>;
  readonly settle: () => void;
  readonly traces: readonly string[];
  #parts: readonly Part[];
  #token: string | null = null;

  constructor({ table, format, openedAtMs, rows, bytes, traces }: OpenBatch, parts: readonly Part[]) {
    this.table = table;
    this.format = format;
    this.openedAtMs = openedAtMs;
    this.rows = rows;
    this.bytes = bytes;
    this.#parts = parts;
    this.traces = [...traces];
    const { promise, resolve } = Promise.withResolvers<void>();
    this.settled = promise;
    this.settle = resolve;
  }

  get body(): readonly Uint8Array[] {
    return this.#parts.map(({ bytes }) => bytes);
  }

  get rowsToSend(): number {
    return this.#parts.reduce((sum, { rows }) => sum + rows, 0);
  }

  /** The same bytes for the same table give the same token: sent again, they are known to be the same. */
  get token(): string {
    if (this.#token === null) {
      const hash = createHash('sha256').update(`${this.table.name}\n`);
      for (const { bytes } of this.#parts) hash.update(bytes);
      this.#token = hash.digest('hex');
    }
    return this.#token;
  }

  /** Leaves rows out whose guard does not hold any more. @throws what a guard throws. */
  async askGuards(): Promise<void> {
    const guards = new Set(this.#parts.flatMap(({ guard }) => (guard === null ? [] : [guard])));
    for (const guard of guards) {
      if (await guard.holds()) continue;
      this.#parts = this.#parts.filter((part) => part.guard !== guard);
      this.#token = null;
    }
  }
}
