/** What a record batch's bytes expand to, in every codec that Kafka has. Whoever may write to a topic chooses the codec, so all are read. */
import { promisify } from 'node:util';
import { gunzip, zstdDecompress } from 'node:zlib';

const expandGzip = promisify(gunzip);
const expandZstd = promisify(zstdDecompress);

/** Lowest three bits of a batch's attributes. */
export const codecNames = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
type CodecName = (typeof codecNames)[number];

/** @throws Error where the bytes are not of the codec, or expand to more than `maxBytes`. */
export async function expand(codec: number, packed: Buffer, maxBytes: number): Promise<Buffer> {
  const name = codecNames[codec];
  if (name === undefined) throw new RangeError(`codec ${codec} is not known`);
  return codecs[name](packed, maxBytes);
}

const codecs: Readonly<Record<CodecName, (packed: Buffer, maxBytes: number) => Buffer | Promise<Buffer>>> = {
  none: (packed) => packed,
  gzip: (packed, maxOutputLength) => expandGzip(packed, { maxOutputLength }),
  snappy: expandSnappy,
  lz4: expandLz4,
  zstd: (packed, maxOutputLength) => expandZstd(packed, { maxOutputLength }),
};

/** Java's producers write blocks, each after its length, behind this mark and two versions of four bytes; others write one bare block. */
const framedSnappyMark = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const framedSnappyHeaderBytes = framedSnappyMark.length + 8;

async function expandSnappy(packed: Buffer, maxBytes: number): Promise<Buffer> {
  const { uncompress } = await import('snappy');
  const blocks: Buffer[] = [];
  let left = maxBytes;
  for (const block of snappyBlocks(packed)) {
    left -= snappyLength(block);
    if (left < 0) throw new RangeError(`it expands to more than ${maxBytes} bytes`);
    blocks.push((await uncompress(block)) as Buffer);
  }
  return blocks.length === 1 ? (blocks[0] as Buffer) : Buffer.concat(blocks);
}

function snappyBlocks(packed: Buffer): readonly Buffer[] {
  if (!packed.subarray(0, framedSnappyMark.length).equals(framedSnappyMark)) return [packed];
  const blocks: Buffer[] = [];
  for (let at = framedSnappyHeaderBytes; at < packed.length; ) {
    const end = at + 4 + packed.readUInt32BE(at);
    if (end > packed.length) throw new RangeError('a block that reaches over the end');
    blocks.push(packed.subarray(at + 4, end));
    at = end;
  }
  return blocks;
}

/** A block begins with the length that it expands to, seven bits a byte, the lowest first. */
function snappyLength(block: Buffer): number {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    const byte = block[i] ?? 0;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) break;
  }
  return length;
}

async function expandLz4(packed: Buffer, maxBytes: number): Promise<Buffer> {
  if (mostLz4Bytes(packed) > maxBytes) throw new RangeError(`it may expand to more than ${maxBytes} bytes`);
  const { decompressFrame } = await import('lz4-napi');
  return decompressFrame(packed);
}

const lz4Mark = 0x184d2204;
/** Of a block, by the code in the frame's header. */
const lz4BlockBytes = [0, 0, 0, 0, 64, 256, 1024, 4096].map((kibibytes) => kibibytes * 1024);

/**
 * What a frame can expand to at most: its blocks, times the size that it says a block has. Its header is mark u32, flags u8, sizes u8,
 * content size u64 (flag 8), dictionary u32 (flag 1), checksum u8; a block is its length u32 (the highest bit: not compressed), its bytes
 * and a checksum u32 (flag 16); a length of 0 ends it. Little-endian.
 */
function mostLz4Bytes(packed: Buffer): number {
  if (packed.readUInt32LE(0) !== lz4Mark) throw new RangeError('it is no frame of LZ4');
  const flags = packed.readUInt8(4);
  const blockBytes = lz4BlockBytes[(packed.readUInt8(5) >> 4) & 7] as number;
  let most = 0;
  for (let at = 7 + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0); at + 4 <= packed.length; ) {
    const length = packed.readUInt32LE(at) & 0x7fffffff;
    if (length === 0) break;
    most += blockBytes;
    at += 4 + length + (flags & 16 ? 4 : 0);
  }
  return most;
}
