/**
 * The table on disk, so that a restarted agent need not open every share anew and still knows which are corrupt and where the
 * verifier was. A cache: where it is missing or damaged, the first scan reads the head of every share again.
 *
 * Layout, little-endian: magic (8 bytes), count u32, verifier's position u32, CRC-32 of the rows u32, then 34 bytes a row:
 * storage index 16, size f64, stamp u32, manifest tag u32, number u8, kind and corrupt flag u8.
 */
import { readFile } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { isAbsent, writeDurably } from '#mesh/durable-file.ts';
import { corruptFlag, fileKinds, ShareTable } from './share-table.ts';

const magic = Buffer.from('MWTABLE1', 'ascii');
const headerBytes = 20;
const rowBytes = 34;
const corruptBit = 0x80;

export async function saveTable(path: string, table: ShareTable): Promise<void> {
  let count = 0;
  let rank = 0;
  for (let slot = 0; slot < table.slotLimit; slot++) {
    if (!table.isUsed(slot)) continue;
    if (slot < table.verifyPosition) rank++;
    count++;
  }
  const bytes = Buffer.alloc(headerBytes + count * rowBytes);
  let at = headerBytes;
  for (let slot = 0; slot < table.slotLimit; slot++) {
    if (!table.isUsed(slot)) continue;
    bytes.set(table.storageIndexOf(slot), at);
    bytes.writeDoubleLE(table.sizeOf(slot), at + 16);
    bytes.writeUInt32LE(table.stampOf(slot), at + 24);
    bytes.writeUInt32LE(table.manifestTagOf(slot), at + 28);
    bytes[at + 32] = table.numberOf(slot);
    bytes[at + 33] = fileKinds.indexOf(table.kindOf(slot)) | (table.has(slot, corruptFlag) ? corruptBit : 0);
    at += rowBytes;
  }
  magic.copy(bytes);
  bytes.writeUInt32LE(count, 8);
  bytes.writeUInt32LE(rank, 12);
  bytes.writeUInt32LE(crc32(bytes.subarray(headerBytes)), 16);
  await writeDurably(path, bytes);
}

/** @returns null where there is no table that can be trusted. */
export async function loadTable(path: string): Promise<ShareTable | null> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
  if (bytes.length < headerBytes || !bytes.subarray(0, 8).equals(magic)) return null;
  const count = bytes.readUInt32LE(8);
  if (bytes.length !== headerBytes + count * rowBytes) return null;
  if (crc32(bytes.subarray(headerBytes)) !== bytes.readUInt32LE(16)) return null;
  const table = new ShareTable();
  for (let at = headerBytes; at < bytes.length; at += rowBytes) {
    const meta = bytes[at + 33] as number;
    const kind = fileKinds[meta & ~corruptBit];
    if (kind === undefined || kind === 'free') return null;
    const number = bytes[at + 32] as number;
    const slot = table.insert(
      bytes.subarray(at, at + 16),
      number,
      kind,
      bytes.readDoubleLE(at + 16),
      bytes.readUInt32LE(at + 24),
    );
    table.setManifestTag(slot, bytes.readUInt32LE(at + 28));
    if ((meta & corruptBit) !== 0) table.set(slot, corruptFlag, true);
  }
  table.verifyPosition = bytes.readUInt32LE(12);
  return table;
}
