/** Placements in columns, both ways: no object for each share, since a partition holds tens of millions of them. */
import { peerIdBytes } from '#mesh/peer-id.ts';
import { storageIndexBytes } from '#mesh/storage-index.ts';
import { ByteSource } from './row-binary/byte-source.ts';
import { placements } from './tables.ts';
import type { StoreWriter } from './writer.ts';

/** Numbers of the words of `placementStates` in `states`. */
export const placementStateNumbers = { stored: 1, lost: 2, corrupt: 3 } as const;

/** Rows for `placements`; each typed array has an entry for each row. */
export interface PlacementColumns {
  readonly count: number;
  readonly partition: number;
  /** 16 bytes each. */
  readonly storageIndexes: Uint8Array;
  readonly shareNumbers: Uint8Array;
  /** 32 bytes for each peer that `peerIndexes` points to. */
  readonly peers: Uint8Array;
  readonly peerIndexes: Uint8Array | Uint16Array | Uint32Array;
  /** Values of `placementStateNumbers`. */
  readonly states: Uint8Array;
  readonly generations: Uint32Array;
  readonly incarnations: Float64Array;
  readonly sequences: Float64Array;
  readonly versions: Float64Array;
}

/**
 * The rows `from … to − 1` as one block of ClickHouse's Native format: the columns of `placements` one after the other. The peers that
 * occur in it are its dictionary.
 */
export function encodePlacements(columns: PlacementColumns, from = 0, to = columns.count): Uint8Array {
  const count = to - from;
  const { dictionary, indexes } = peersOfBlock(columns, from, to);
  const out = new BlockWriter(count, dictionary.length);
  out.varint(Object.keys(placements.columns).length);
  out.varint(count);
  out.head('partition', uint16Type);
  out.bytes(new Uint16Array(count).fill(columns.partition));
  out.head('storage_index', 'FixedString(16)');
  out.bytes(columns.storageIndexes.subarray(from * storageIndexBytes, to * storageIndexBytes));
  out.head('share_number', 'UInt8');
  out.bytes(columns.shareNumbers.subarray(from, to));
  out.head('peer_id', peerColumnType);
  out.uint64(dictionaryVersion);
  out.uint64(hasAdditionalKeys | BigInt(Math.log2(indexes.BYTES_PER_ELEMENT)));
  out.uint64(BigInt(dictionary.length / peerIdBytes));
  out.bytes(dictionary);
  out.uint64(BigInt(count));
  out.bytes(indexes);
  out.head('state', placements.columns.state.type);
  out.bytes(columns.states.subarray(from, to));
  out.head('generation', 'UInt32');
  out.bytes(columns.generations.subarray(from, to));
  for (const [name, values] of [
    ['incarnation', columns.incarnations],
    ['sequence', columns.sequences],
    ['version', columns.versions],
  ] as const) {
    out.head(name, 'UInt64');
    out.bytes(uint64s(values, from, to));
  }
  return out.written();
}

const uint16Type = 'UInt16';
const peerColumnType = 'LowCardinality(FixedString(32))';
/** Names, types, counts and the dictionary's head: less than this. */
const headBytes = 512;
/** Bytes of a row beside its place in the dictionary. */
const rowBytes = 2 + storageIndexBytes + 1 + 1 + 4 + 8 + 8 + 8;

/** The dictionary begins with the type's default value, which ClickHouse keeps in its first place. */
function peersOfBlock(
  { peers, peerIndexes }: PlacementColumns,
  from: number,
  to: number,
): { readonly dictionary: Uint8Array; readonly indexes: Uint8Array | Uint16Array | Uint32Array } {
  const numbers = new Map<number, number>();
  const places = new Uint32Array(to - from);
  for (let row = from; row < to; row++) {
    const peer = peerIndexes[row] as number;
    let place = numbers.get(peer);
    if (place === undefined) numbers.set(peer, (place = numbers.size + 1));
    places[row - from] = place;
  }
  const dictionary = new Uint8Array((numbers.size + 1) * peerIdBytes);
  for (const [peer, place] of numbers)
    dictionary.set(peers.subarray(peer * peerIdBytes, (peer + 1) * peerIdBytes), place * peerIdBytes);
  const indexes =
    numbers.size < 0x100 ? Uint8Array.from(places) : numbers.size < 0x10000 ? Uint16Array.from(places) : places;
  return { dictionary, indexes };
}

class BlockWriter {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(rows: number, dictionaryBytes: number) {
    this.#bytes = new Uint8Array(headBytes + dictionaryBytes + rows * (rowBytes + 4));
  }

  varint(value: number): void {
    let rest = value;
    for (; rest >= 0x80; rest >>>= 7) this.#bytes[this.#at++] = (rest & 0x7f) | 0x80;
    this.#bytes[this.#at++] = rest;
  }

  uint64(value: bigint): void {
    new DataView(this.#bytes.buffer).setBigUint64(this.#at, value, true);
    this.#at += 8;
  }

  bytes(values: Uint8Array | Uint16Array | Uint32Array): void {
    this.#bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), this.#at);
    this.#at += values.byteLength;
  }

  head(name: string, type: string): void {
    for (const text of [name, type]) {
      const bytes = Buffer.from(text);
      this.varint(bytes.length);
      this.bytes(bytes);
    }
  }

  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }
}

/** Numbers of up to 53 bits as pairs of words. */
function uint64s(values: Float64Array, from: number, to: number): Uint32Array {
  const words = new Uint32Array((to - from) * 2);
  for (let row = from, at = 0; row < to; row++, at += 2) {
    const value = values[row] as number;
    words[at] = value % 0x100000000;
    words[at + 1] = Math.floor(value / 0x100000000);
  }
  return words;
}

/** Hands the rows to the writer in slices, waiting where it is full. */
export async function enqueuePlacements(writer: StoreWriter, columns: PlacementColumns): Promise<void> {
  const sliceRows = 50_000;
  for (let from = 0; from < columns.count; from += sliceRows) {
    const to = Math.min(columns.count, from + sliceRows);
    await writer.enqueueEncoded(placements, to - from, encodePlacements(columns, from, to), 'Native');
  }
}

/** Placements as they are read back: the newest version of each, without lost ones. */
export interface PlacementBlock {
  readonly count: number;
  readonly storageIndexes: Uint8Array;
  readonly shareNumbers: Uint8Array;
  /** Dictionary of this block, 32 bytes an entry; some entries may be unused. */
  readonly peers: Uint8Array;
  readonly peerIndexes: Uint8Array | Uint16Array | Uint32Array;
  readonly states: Uint8Array;
  readonly generations: Uint32Array;
}

/** The columns of a block, in the order in which `readPlacementBlocks` wants them. */
export const placementBlockColumns = 'storage_index, share_number, peer_id, state, generation';

const blockColumnNames = placementBlockColumns.split(', ');
const maxBlockRows = 4_000_000;

/**
 * Blocks out of ClickHouse's Native format: for each block the counts of columns and rows, then for each column its name,
 * its type and its values in one piece (https://clickhouse.com/docs/en/interfaces/formats#native).
 * @throws RangeError where the bytes are not that: an error text that the server put behind a half answer ends up here.
 */
export async function* readPlacementBlocks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<PlacementBlock, void> {
  const source = new ByteSource(chunks);
  while (!(await source.atEnd())) {
    const columnCount = await source.length32();
    const count = await source.length32();
    if (columnCount !== blockColumnNames.length || count > maxBlockRows)
      throw new RangeError('not a block of placements');
    await columnHead(source, 0, 'FixedString(16)');
    const storageIndexes = await source.copy(count * storageIndexBytes);
    await columnHead(source, 1, 'UInt8');
    const shareNumbers = await source.copy(count);
    await columnHead(source, 2, peerColumnType);
    const { peers, peerIndexes } =
      count === 0 ? { peers: new Uint8Array(0), peerIndexes: new Uint8Array(0) } : await readPeers(source, count);
    await columnHead(source, 3, placements.columns.state.type);
    const states = await source.copy(count);
    await columnHead(source, 4, 'UInt32');
    const generations = new Uint32Array((await source.copy(count * 4)).buffer);
    if (count > 0) yield { count, storageIndexes, shareNumbers, peers, peerIndexes, states, generations };
  }
}

async function columnHead(source: ByteSource, index: number, type: string): Promise<void> {
  const name = await source.text();
  const foundType = await source.text();
  if (name !== blockColumnNames[index] || foundType !== type) {
    throw new RangeError(
      `column ${index} is ${name.slice(0, 40)} ${foundType.slice(0, 80)}, not ${blockColumnNames[index]} ${type}`,
    );
  }
}

const dictionaryVersion = 1n;
const indexWidthMask = 0xffn;
const hasGlobalDictionary = 1n << 8n;
const hasAdditionalKeys = 1n << 9n;

/** A LowCardinality column: version, flags with the width of the indexes, the block's keys, and an index into them for each row. */
async function readPeers(source: ByteSource, count: number): Promise<Pick<PlacementBlock, 'peers' | 'peerIndexes'>> {
  const version = await source.uint64();
  const flags = await source.uint64();
  if (version !== dictionaryVersion || (flags & hasGlobalDictionary) !== 0n || (flags & hasAdditionalKeys) === 0n) {
    throw new RangeError('a LowCardinality column has another layout than its block alone explains');
  }
  const keyCount = Number(await source.uint64());
  if (keyCount > maxBlockRows) throw new RangeError('a dictionary is larger than its block');
  const peers = await source.copy(keyCount * peerIdBytes);
  if (Number(await source.uint64()) !== count)
    throw new RangeError('a LowCardinality column has another count of rows than its block');
  return { peers, peerIndexes: await readIndexes(source, count, Number(flags & indexWidthMask)) };
}

async function readIndexes(source: ByteSource, count: number, width: number): Promise<PlacementBlock['peerIndexes']> {
  switch (width) {
    case 0:
      return await source.copy(count);
    case 1:
      return new Uint16Array((await source.copy(count * 2)).buffer);
    case 2:
      return new Uint32Array((await source.copy(count * 4)).buffer);
    default:
      throw new RangeError(`indexes of width ${width} are not known`);
  }
}
