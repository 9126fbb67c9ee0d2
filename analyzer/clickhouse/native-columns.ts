/**
 * Columns out of ClickHouse's Native format: for each block the counts of columns and rows, then for each column its name,
 * its type and its values in one piece (https://clickhouse.com/docs/en/interfaces/formats#native).
 */
import { ByteSource } from '#store/row-binary/byte-source.ts';

interface NativeColumn<T> {
  /** As the server writes it. */
  readonly type: string;
  readonly read: (source: ByteSource, count: number) => Promise<T>;
}

export interface Dictionary {
  readonly keys: readonly string[];
  readonly indexes: Uint8Array | Uint16Array | Uint32Array;
}

type NativeColumns = Readonly<Record<string, NativeColumn<unknown>>>;

export type NativeBlock<C extends NativeColumns> = { readonly count: number } & {
  readonly [K in keyof C]: C[K] extends NativeColumn<infer T> ? T : never;
};

export function fixedBytes(length: number): NativeColumn<Uint8Array> {
  return { type: `FixedString(${length})`, read: (source, count) => source.copy(count * length) };
}

export const uint8: NativeColumn<Uint8Array> = { type: 'UInt8', read: (source, count) => source.copy(count) };
export const uint16: NativeColumn<Uint16Array> = {
  type: 'UInt16',
  read: async (source, count) => new Uint16Array((await source.copy(count * 2)).buffer),
};
export const uint32: NativeColumn<Uint32Array> = {
  type: 'UInt32',
  read: async (source, count) => new Uint32Array((await source.copy(count * 4)).buffer),
};

/** As numbers: exact up to 2^53. */
export const uint64: NativeColumn<Float64Array> = {
  type: 'UInt64',
  read: async (source, count) => {
    const words = new Uint32Array((await source.copy(count * 8)).buffer);
    return Float64Array.from(
      { length: count },
      (_, i) => (words[i * 2] as number) + (words[i * 2 + 1] as number) * 2 ** 32,
    );
  },
};

const indexWidths = [uint8, uint16, uint32] as const;
const maxKeys = 4_000_000;

/** Version of the dictionary, flags with the width of the indexes, the block's keys, and an index into them for each row. */
export const dictionaryOfText: NativeColumn<Dictionary> = {
  type: 'LowCardinality(String)',
  read: async (source, count) => {
    if (count === 0) return { keys: [], indexes: new Uint8Array() };
    const version = await source.uint64();
    const flags = await source.uint64();
    const ofBlockAlone = (flags & 0x100n) === 0n && (flags & 0x200n) !== 0n;
    const width = indexWidths[Number(flags & 0xffn)];
    if (version !== 1n || !ofBlockAlone || width === undefined) throw new RangeError('a dictionary has another layout');
    const keyCount = Number(await source.uint64());
    if (keyCount > maxKeys) throw new RangeError('a dictionary is too large');
    const keys: string[] = [];
    for (let i = 0; i < keyCount; i++) keys.push(await source.text());
    if (Number(await source.uint64()) !== count) throw new RangeError('a dictionary has another count of rows');
    return { keys, indexes: await width.read(source, count) };
  },
};

const maxRows = 4_000_000;

/** @throws RangeError where the bytes are not such blocks: an error text behind a half answer ends up here. */
export async function* readNativeBlocks<C extends NativeColumns>(
  chunks: AsyncIterable<Uint8Array>,
  columns: C,
): AsyncGenerator<NativeBlock<C>, void> {
  const source = new ByteSource(chunks);
  const names = Object.keys(columns);
  while (!(await source.atEnd())) {
    const columnCount = await source.length32();
    const count = await source.length32();
    if (columnCount !== names.length || count > maxRows) throw new RangeError('not a block of these columns');
    const block: Record<string, unknown> = { count };
    for (const name of names) {
      const column = columns[name] as NativeColumn<unknown>;
      const found = `${await source.text()} ${await source.text()}`;
      if (found !== `${name} ${column.type}`)
        throw new RangeError(`a column is ${found.slice(0, 80)}, not ${name} ${column.type}`);
      block[name] = await column.read(source, count);
    }
    if (count > 0) yield block as NativeBlock<C>;
  }
}
