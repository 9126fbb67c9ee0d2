/**
 * Record batches of Kafka, version 2 ("magic 2"), which every broker since 0.11 writes. In bytes, big-endian:
 *
 *   0 base offset i64 | 8 length of what follows i32 | 12 leader epoch i32 | 16 magic i8 | 17 CRC-32C of what follows u32
 *   21 attributes i16 (0–2 compression, 3 broker's time, 5 control) | 23 last offset delta i32 | 27 first time i64
 *   35 largest time i64 | 43 producer id i64 | 51 producer epoch i16 | 53 first sequence i32 | 57 count i32 | 61 records
 *
 * A record, all numbers zigzag varints: length, attributes i8, time delta, offset delta, key length (−1 null), key,
 * value length, value, count of headers, and for each header key length, key, value length, value.
 * Source: the "Message Format" section of Kafka's documentation.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { AppendRecord, LogRecord, UnreadableBatch } from '../port.ts';
import { codecNames, expand } from './compression.ts';
import { crc32c } from './crc32c.ts';

const compress = promisify(gzip);

const headerBytes = 61;
const lengthEnd = 12;
const crcAt = 17;
const attributesAt = 21;
const countAt = 57;
/** Above this, what a batch expands to is taken for damage or malice. */
const maxExpandedBytes = 256 * 1024 * 1024;

/** Under whose name, and as which of their records, a partition takes a batch; it takes the same one once only. */
export interface ProducerPlace {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly firstSequence: number;
}

export async function encodeBatch(
  records: readonly AppendRecord[],
  place: ProducerPlace,
  nowMs: number,
  compression: 'none' | 'gzip',
): Promise<Buffer> {
  const body = encodeRecords(records);
  const packed = compression === 'gzip' ? await compress(body) : body;
  const batch = Buffer.allocUnsafe(headerBytes + packed.length);
  const time = BigInt(Math.trunc(nowMs));
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(batch.length - lengthEnd, 8);
  batch.writeInt32BE(-1, 12);
  batch.writeInt8(2, 16);
  batch.writeInt16BE(compression === 'gzip' ? 1 : 0, attributesAt);
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeBigInt64BE(time, 27);
  batch.writeBigInt64BE(time, 35);
  batch.writeBigInt64BE(place.producerId, 43);
  batch.writeInt16BE(place.producerEpoch, 51);
  batch.writeInt32BE(place.firstSequence, 53);
  batch.writeInt32BE(records.length, countAt);
  packed.copy(batch, headerBytes);
  batch.writeUInt32BE(crc32c(batch.subarray(attributesAt)), crcAt);
  return batch;
}

/** What a record takes in a batch, at most. */
export function recordBytes(record: AppendRecord): number {
  let bytes = 32 + (record.key?.length ?? 0) + (record.value?.length ?? 0);
  for (const [name, value] of Object.entries(record.headers ?? {}))
    bytes += 10 + Buffer.byteLength(name) + Buffer.byteLength(value);
  return bytes;
}

function encodeRecords(records: readonly AppendRecord[]): Buffer {
  let room = 0;
  for (const record of records) room += recordBytes(record);
  const writer = new Writer(room);
  for (const [index, record] of records.entries()) {
    const headers = Object.entries(record.headers ?? {}).map(([name, value]) => [
      Buffer.from(name),
      Buffer.from(value),
    ]);
    let length = 1 + 1 + varintBytes(index) + fieldBytes(record.key) + fieldBytes(record.value);
    length += varintBytes(headers.length);
    for (const [name, value] of headers) length += fieldBytes(name as Buffer) + fieldBytes(value as Buffer);
    writer.varint(length);
    writer.byte(0);
    writer.varint(0);
    writer.varint(index);
    writer.field(record.key);
    writer.field(record.value);
    writer.varint(headers.length);
    for (const [name, value] of headers) {
      writer.field(name as Buffer);
      writer.field(value as Buffer);
    }
  }
  return writer.written();
}

/** One batch of what a broker sent, and where it lies there. */
export interface FoundBatch {
  readonly start: number;
  readonly end: number;
  readonly baseOffset: number;
  /** The offset after its last one, whether that record is still there or not. */
  readonly nextOffset: number;
  /** Whether it has records to hand over; unknown is yes. */
  readonly isData?: boolean;
}

/** The whole batches of `bytes`, in order. Brokers cut the last one off where they reach the limit that they were given. */
export function findBatches(bytes: Buffer): FoundBatch[] {
  const found: FoundBatch[] = [];
  for (let start = 0; start + headerBytes <= bytes.length; ) {
    const end = start + lengthEnd + bytes.readInt32BE(start + 8);
    if (end > bytes.length || end < start + headerBytes) break;
    const baseOffset = Number(bytes.readBigInt64BE(start));
    const nextOffset = baseOffset + bytes.readInt32BE(start + 23) + 1;
    found.push({ start, end, baseOffset, nextOffset });
    start = end;
  }
  return found;
}

/** A batch that is there and cannot be read. */
export class BatchFault extends MeshwardError {
  readonly batch: UnreadableBatch;
  /** Whether it may read well when it is asked for again: it may have been the way here. */
  readonly mayPass: boolean;

  constructor(batch: Omit<UnreadableBatch, 'error'>, what: string, next: string, mayPass: boolean) {
    const { topic, partition, offset, nextOffset } = batch;
    super('log-corrupt', `the batch at ${topic}/${partition} offset ${offset} ${what}`, {
      next,
      details: { topic, partition, offset, nextOffset },
    });
    this.batch = { ...batch, error: this };
    this.mayPass = mayPass;
  }
}

const damagedAdvice = "Look for disk errors on the partition's leader, and let another replica lead; then read again.";
const foreignAdvice =
  'See who else writes to this topic, and take the right from them: only the services of this mesh do.';

/** The records of one batch from `fromOffset` on; none where it is a mark of a transaction. @throws BatchFault. */
export async function decodeBatch(
  topic: string,
  partition: number,
  batch: Buffer,
  fromOffset: number,
): Promise<LogRecord[]> {
  const baseOffset = Number(batch.readBigInt64BE(0));
  const nextOffset = baseOffset + batch.readInt32BE(23) + 1;
  const fault = (what: string, next: string, mayPass = false): BatchFault =>
    new BatchFault({ topic, partition, offset: baseOffset, nextOffset, bytes: batch }, what, next, mayPass);
  if (batch[16] !== 2)
    throw fault(`is of format ${batch[16]}: the topic holds records from before Kafka 0.11`, foreignAdvice);
  if (crc32c(batch.subarray(attributesAt)) !== batch.readUInt32BE(crcAt))
    throw fault('does not match its checksum', damagedAdvice, true);
  const attributes = batch.readInt16BE(attributesAt);
  if (attributes & 0x20) return [];
  const codec = attributes & 7;
  try {
    const body = await expand(codec, batch.subarray(headerBytes), maxExpandedBytes);
    return decodeRecords(topic, partition, batch, body, baseOffset, fromOffset);
  } catch (error) {
    throw fault(`cannot be decoded (${codecNames[codec] ?? `codec ${codec}`}: ${describeError(error)})`, foreignAdvice);
  }
}

function decodeRecords(
  topic: string,
  partition: number,
  batch: Buffer,
  body: Buffer,
  baseOffset: number,
  fromOffset: number,
): LogRecord[] {
  const isBrokersTime = (batch.readInt16BE(attributesAt) & 8) !== 0;
  const firstTimeMs = Number(batch.readBigInt64BE(27));
  const largestTimeMs = Number(batch.readBigInt64BE(35));
  const count = batch.readInt32BE(countAt);
  const reader = new Reader(body);
  const records: LogRecord[] = [];
  for (let i = 0; i < count; i++) {
    const end = reader.varint() + reader.at;
    reader.at++;
    const timeDelta = reader.varint();
    const offset = baseOffset + reader.varint();
    if (offset >= fromOffset) {
      const key = reader.field();
      const value = reader.field();
      const headers: Record<string, string> = {};
      for (let left = reader.varint(); left > 0; left--) {
        const name = reader.field();
        headers[name?.toString() ?? ''] = reader.field()?.toString() ?? '';
      }
      const appendedAtMs = isBrokersTime ? largestTimeMs : firstTimeMs + timeDelta;
      records.push({ topic, partition, offset, key, value, headers, appendedAtMs });
    }
    reader.at = end;
  }
  return records;
}

class Writer {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(room: number) {
    this.#bytes = Buffer.allocUnsafe(room);
  }

  byte(value: number): void {
    this.#bytes[this.#at++] = value;
  }

  varint(value: number): void {
    let rest = zigzag(value);
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest & 0x7f) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#at++] = rest;
  }

  field(value: Uint8Array | null): void {
    this.varint(value === null ? -1 : value.length);
    if (value === null) return;
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  written(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }
}

class Reader {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined || scale > 2 ** 56) throw new RangeError('a number that does not end');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
  }

  field(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const end = this.at + length;
    if (end > this.#bytes.length) throw new RangeError('a field that reaches over the end');
    const field = this.#bytes.subarray(this.at, end);
    this.at = end;
    return field;
  }
}

function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = zigzag(value); rest >= 0x80; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

function fieldBytes(value: Uint8Array | null): number {
  return value === null ? 1 : varintBytes(value.length) + value.length;
}
