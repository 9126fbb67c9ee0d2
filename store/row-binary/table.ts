/** A table as the program sees it: typed rows with camelCase names over snake_case columns. */
import type { Columns, RowOf } from './columns.ts';
import { EndOfBytes, RowBinaryReader } from './reader.ts';
import { RowBinaryWriter } from './writer.ts';

export interface Table<C extends Columns = Columns> {
  readonly name: string;
  readonly columns: C;
  /** In the order in which rows are encoded. */
  readonly columnNames: readonly string[];
}

export type Row<T extends Table> = RowOf<T['columns']>;

export function defineTable<C extends Columns>(name: string, columns: C): Table<C> {
  return { name, columns, columnNames: Object.keys(columns).map(snakeCase) };
}

export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Appends the row whole, or throws and appends nothing. */
export function writeRow<C extends Columns>(out: RowBinaryWriter, columns: C, row: RowOf<C>): void {
  const before = out.length;
  try {
    for (const name in columns) columns[name]?.write(out, row[name]);
  } catch (error) {
    out.truncate(before);
    throw error;
  }
}

/** Rows as the body of an insert. @throws where a value does not fit. */
export function encodeRows<T extends Table>(table: T, rows: readonly Row<T>[]): Uint8Array {
  const out = new RowBinaryWriter();
  for (const row of rows) writeRow(out, table.columns, row);
  return out.finish();
}

export function readRow<C extends Columns>(input: RowBinaryReader, columns: C): RowOf<C> {
  const row: Record<string, unknown> = {};
  for (const name in columns) row[name] = columns[name]?.read(input);
  return row as RowOf<C>;
}

/** Rows out of chunks that end anywhere: each chunk gives the rows that it completes. @throws EndOfBytes at a cut end. */
export async function* readRowBatches<C extends Columns>(
  chunks: AsyncIterable<Uint8Array>,
  columns: C,
): AsyncGenerator<RowOf<C>[], void> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const input = new RowBinaryReader(bytes);
    const rows: RowOf<C>[] = [];
    let complete = 0;
    try {
      while (input.remaining > 0) {
        rows.push(readRow(input, columns));
        complete = input.position;
      }
    } catch (error) {
      if (!(error instanceof EndOfBytes)) throw error;
    }
    rest = bytes.subarray(complete);
    if (rows.length > 0) yield rows;
  }
  if (rest.length > 0) throw new EndOfBytes();
}
