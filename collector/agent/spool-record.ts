/**
 * Records of the spool's segment files, little-endian:
 *
 *     u32 payload bytes | u32 CRC-32 of all that follows | u64 incarnation | u64 sequence |
 *     u32 inventory generation, 0 for none | u32 part of the inventory, its top bit set on the last | payload (a ShareBatch)
 */
import { crc32 } from 'node:zlib';

export interface SpoolRecord {
  readonly incarnation: number;
  readonly sequence: number;
  /** 0 where the batch belongs to no inventory. */
  readonly generation: number;
  /** Position in its inventory, from 0. */
  readonly part: number;
  readonly isLastPart: boolean;
  /** A serialised ShareBatch. */
  readonly payload: Uint8Array;
}

export const recordHeaderBytes = 32;
/** A batch is at most a post; a longer record is damage. */
const payloadLimitBytes = 16 * 1024 * 1024;
const lastPartBit = 0x8000_0000;

export function encodeRecord(record: SpoolRecord): Buffer {
  const bytes = Buffer.alloc(recordHeaderBytes + record.payload.length);
  bytes.writeUInt32LE(record.payload.length, 0);
  bytes.writeBigUInt64LE(BigInt(record.incarnation), 8);
  bytes.writeBigUInt64LE(BigInt(record.sequence), 16);
  bytes.writeUInt32LE(record.generation, 24);
  bytes.writeUInt32LE((record.part | (record.isLastPart ? lastPartBit : 0)) >>> 0, 28);
  bytes.set(record.payload, recordHeaderBytes);
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4);
  return bytes;
}

export type DecodedRecord =
  | { readonly state: 'good'; readonly record: SpoolRecord; readonly nextOffset: number }
  /** The file ends here, whole. */
  | { readonly state: 'end' }
  /** Written in part when the process or the machine died: nothing follows. */
  | { readonly state: 'torn' }
  | { readonly state: 'damaged' };

/** @param bytes the file from its start. */
export function decodeRecord(bytes: Buffer, offset: number): DecodedRecord {
  const left = bytes.length - offset;
  if (left === 0) return { state: 'end' };
  if (left < recordHeaderBytes) return { state: 'torn' };
  const length = bytes.readUInt32LE(offset);
  const nextOffset = offset + recordHeaderBytes + length;
  if (length > payloadLimitBytes) return isZero(bytes, offset) ? { state: 'torn' } : { state: 'damaged' };
  if (nextOffset > bytes.length) return { state: 'torn' };
  if (crc32(bytes.subarray(offset + 8, nextOffset)) !== bytes.readUInt32LE(offset + 4)) {
    // After a power loss a file may be longer than what reached the disk: zeros to the end are a torn tail as well.
    return nextOffset === bytes.length || isZero(bytes, offset) ? { state: 'torn' } : { state: 'damaged' };
  }
  const part = bytes.readUInt32LE(offset + 28);
  const record: SpoolRecord = {
    incarnation: Number(bytes.readBigUInt64LE(offset + 8)),
    sequence: Number(bytes.readBigUInt64LE(offset + 16)),
    generation: bytes.readUInt32LE(offset + 24),
    part: part & ~lastPartBit,
    isLastPart: (part & lastPartBit) !== 0,
    payload: bytes.subarray(offset + recordHeaderBytes, nextOffset),
  };
  return { state: 'good', record, nextOffset };
}

function isZero(bytes: Buffer, offset: number): boolean {
  for (let i = offset; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}
