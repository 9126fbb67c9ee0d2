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

const rowBytes = 2 + storageIndexBytes + 1 + peerIdBytes + 1 + 4 + 8 + 8 + 8;

/** RowBinary of the rows `from … to − 1`, in the order of the columns of `placements`: 80 bytes a row. */
export function encodePlacements(columns: PlacementColumns, from = 0, to = columns.count): Uint8Array {
  const { storageIndexes, shareNumbers, peers, peerIndexes, states, generations, incarnations, sequences, versions } =
    columns;
  const bytes = new Uint8Array((to - from) * rowBytes);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (let row = from; row < to; row++) {
    view.setUint16(at, columns.partition, true);
    copy(bytes, at + 2, storageIndexes, row * storageIndexBytes, storageIndexBytes);
    bytes[at + 18] = shareNumbers[row] as number;
    copy(bytes, at + 19, peers, (peerIndexes[row] as number) * peerIdBytes, peerIdBytes);
    bytes[at + 51] = states[row] as number;
    view.setUint32(at + 52, generations[row] as number, true);
    setUint64(view, at + 56, incarnations[row] as number);
    setUint64(view, at + 64, sequences[row] as number);
    setUint64(view, at + 72, versions[row] as number);
    at += rowBytes;
  }
  return bytes;
}

/** Hands the rows to the writer in slices, waiting where it is full. */
export async function enqueuePlacements(writer: StoreWriter, columns: PlacementColumns): Promise<void> {
  const sliceRows = 50_000;
  for (let from = 0; from < columns.count; from += sliceRows) {
    const to = Math.min(columns.count, from + sliceRows);
    await writer.enqueueEncoded(placements, to - from, encodePlacements(columns, from, to));
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
    await columnHead(source, 2, 'LowCardinality(FixedString(32))');
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

/** Faster than `set(subarray)` for a handful of bytes: no view is made. */
function copy(to: Uint8Array, at: number, from: Uint8Array, start: number, length: number): void {
  for (let i = 0; i < length; i++) to[at + i] = from[start + i] as number;
}

function setUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 0x100000000, true);
  view.setUint32(at + 4, Math.floor(value / 0x100000000), true);
}
