/**
 * What stands in a journal of shares: records of 72 bytes and a content, each from a multiple of 4096 on, integers little-endian.
 *
 * magic 4, version 1, kind 1, share number 2, nonce of the segment 16, bytes of the content 4, zeros 4, storage index 26, zeros 6,
 * XXH64 of all of the record 8 (over zeros where it stands). A segment begins with a record of its own kind, whose content is its
 * place in the order of segments. The nonce is drawn anew each time a segment is used: what an earlier use left, and what
 * the content of a share looks like, are no records of it.
 */
import { isStorageIndex, type StorageIndex } from '#mesh/storage-index.ts';
import { recordAlignment, recordChecksum } from '#native/disk.ts';

export const recordHeadBytes = 72;
export const nonceBytes = 16;
/** Records are held in memory one at a time; larger shares are synced by themselves. */
export const mostRecordBytes = 1024 * 1024;

const [magic, version] = [0x4a53574d, 1];
const kinds = { segment: 0, share: 1, revoked: 2 } as const;

export type RecordKind = keyof typeof kinds;

export interface RecordHead {
  readonly kind: RecordKind;
  readonly nonce: Uint8Array;
  readonly shareNumber: number;
  readonly contentBytes: number;
  /** '' in the record that a segment begins with. */
  readonly index: StorageIndex | '';
}

/** The checksum is left to who writes it. */
export function encodeRecordHead({ kind, nonce, shareNumber, contentBytes, index }: RecordHead): Uint8Array {
  const head = Buffer.alloc(recordHeadBytes);
  head.writeUInt32LE(magic, 0);
  head.writeUInt8(version, 4);
  head.writeUInt8(kinds[kind], 5);
  head.writeUInt16LE(shareNumber, 6);
  head.set(nonce, 8);
  head.writeUInt32LE(contentBytes, 24);
  head.write(index, 32, 'latin1');
  return head;
}

/** `newer`: of a later version, so nothing else is known of it. Undefined: no head. The checksum was not looked at. */
export function decodeRecordHead(bytes: Uint8Array): RecordHead | 'newer' | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (head.length < recordHeadBytes || head.readUInt32LE(0) !== magic) return undefined;
  if (head.readUInt8(4) > version) return 'newer';
  const kind = (Object.keys(kinds) as RecordKind[]).find((each) => kinds[each] === head.readUInt8(5));
  const contentBytes = head.readUInt32LE(24);
  const index = head.toString('latin1', 32, 58).replace(/\0+$/, '');
  if (kind === undefined || contentBytes > mostRecordBytes - recordHeadBytes) return undefined;
  if (kind === 'segment' ? index !== '' : !isStorageIndex(index)) return undefined;
  const nonce = Uint8Array.from(head.subarray(8, 8 + nonceBytes));
  return { kind, nonce, shareNumber: head.readUInt16LE(6), contentBytes, index: index as StorageIndex | '' };
}

/** @param record all of it; comes back as it was. */
export function isWhole(record: Uint8Array): boolean {
  const at = recordHeadBytes - 8;
  const stored = Uint8Array.from(record.subarray(at, recordHeadBytes));
  record.fill(0, at, recordHeadBytes);
  const sum = recordChecksum(record);
  record.set(stored, at);
  return Buffer.from(stored).readBigUInt64LE(0) === sum;
}

/** What a record takes of its segment. */
export function recordSpace(contentBytes: number): number {
  return Math.ceil((recordHeadBytes + contentBytes) / recordAlignment) * recordAlignment;
}
