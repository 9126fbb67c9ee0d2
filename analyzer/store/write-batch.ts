/** Rows of one table on their way: open while more are added, then sealed with a token that its bytes alone give. */
import { createHash } from 'node:crypto';
import type { Table } from './row-binary/table.ts';
import { RowBinaryWriter } from './row-binary/writer.ts';

export interface SealedBatch {
  readonly table: Table;
  readonly rows: number;
  readonly bytes: number;
  readonly body: readonly Uint8Array[];
  /** The same bytes for the same table give the same token: sent again, they are known to be the same. */
  readonly token: string;
  readonly openedAtMs: number;
  /** Resolves when the batch is acknowledged or given up. */
  readonly settled: Promise<void>;
  settle(): void;
}

export class OpenBatch {
  readonly table: Table;
  readonly openedAtMs: number;
  callOffSealing: () => void = () => undefined;
  readonly #parts: Uint8Array[] = [];
  #partBytes = 0;
  #rows = 0;
  #writer: RowBinaryWriter | null = null;

  constructor(table: Table, openedAtMs: number) {
    this.table = table;
    this.openedAtMs = openedAtMs;
  }

  get rows(): number {
    return this.#rows;
  }

  get bytes(): number {
    return this.#partBytes + (this.#writer?.length ?? 0);
  }

  /** Where the next row is written; `countRow` follows. */
  writer(): RowBinaryWriter {
    this.#writer ??= new RowBinaryWriter();
    return this.#writer;
  }

  countRow(): void {
    this.#rows += 1;
  }

  addEncoded(rowCount: number, bytes: Uint8Array): void {
    this.#closePart();
    this.#parts.push(bytes);
    this.#partBytes += bytes.length;
    this.#rows += rowCount;
  }

  seal(): SealedBatch {
    this.#closePart();
    const hash = createHash('sha256').update(`${this.table.name}\n`);
    for (const part of this.#parts) hash.update(part);
    const { promise: settled, resolve: settle } = Promise.withResolvers<void>();
    return {
      table: this.table,
      rows: this.#rows,
      bytes: this.#partBytes,
      body: this.#parts,
      token: hash.digest('hex'),
      openedAtMs: this.openedAtMs,
      settled,
      settle,
    };
  }

  #closePart(): void {
    if (this.#writer === null || this.#writer.length === 0) return;
    this.#parts.push(this.#writer.finish());
    this.#partBytes += this.#writer.length;
    this.#writer = null;
  }
}
