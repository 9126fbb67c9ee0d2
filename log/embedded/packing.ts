/**
 * Records on their way between a thread of the store and the caller: all bytes in one buffer that is handed over without
 * a copy, beside a short description of each record. The caller's own buffers are never detached, pinned or shared.
 */
import type { AppendRecord, LogRecord } from '../port.ts';

/** `keyBytes` and `valueBytes` are −1 for null. `headers` is a JSON object, or null where there are none. */
export interface PackedShape {
  readonly partition: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly headers: string | null;
}

export interface PackedRecords<S extends PackedShape = PackedShape> {
  readonly shapes: readonly S[];
  /** Key and value of each record, one after the other. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface PackedLogShape extends PackedShape {
  readonly offset: number;
  readonly appendedAtMs: number;
}

export interface PackedContent<S extends PackedShape> {
  readonly shape: S;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}

/** What a record counts for in limits and retention: its bytes and a fixed part for its place in the store. */
export function recordBytes(record: {
  key: Uint8Array | null;
  value: Uint8Array | null;
  headersText: string | null;
}): number {
  return 32 + (record.key?.length ?? 0) + (record.value?.length ?? 0) + (record.headersText?.length ?? 0);
}

export function headersToText(headers: Readonly<Record<string, string>> | undefined): string | null {
  if (headers === undefined || Object.keys(headers).length === 0) return null;
  return JSON.stringify(headers);
}

export function packRecords(records: readonly AppendRecord[]): PackedRecords {
  return pack(
    records.map((record) => ({
      shape: {
        partition: record.partition,
        keyBytes: record.key?.length ?? -1,
        valueBytes: record.value?.length ?? -1,
        headers: headersToText(record.headers),
      },
      key: record.key,
      value: record.value,
    })),
  );
}

export function pack<S extends PackedShape>(contents: readonly PackedContent<S>[]): PackedRecords<S> {
  let total = 0;
  for (const { key, value } of contents) total += (key?.length ?? 0) + (value?.length ?? 0);
  const bytes = new Uint8Array(total);
  let position = 0;
  for (const { key, value } of contents) {
    if (key !== null) bytes.set(key, position);
    position += key?.length ?? 0;
    if (value !== null) bytes.set(value, position);
    position += value?.length ?? 0;
  }
  return { shapes: contents.map((content) => content.shape), bytes };
}

/** Views into the packed buffer; `detached` copies them, so that keeping one record does not keep all. */
export function* unpack<S extends PackedShape>(
  packed: PackedRecords<S>,
  detached: boolean,
): Generator<PackedContent<S>> {
  let position = 0;
  const take = (length: number): Uint8Array | null => {
    if (length < 0) return null;
    const start = position;
    position += length;
    return detached ? packed.bytes.slice(start, position) : packed.bytes.subarray(start, position);
  };
  for (const shape of packed.shapes) {
    const key = take(shape.keyBytes);
    const value = take(shape.valueBytes);
    yield { shape, key, value };
  }
}

export function toLogRecords(topic: string, packed: PackedRecords<PackedLogShape>): LogRecord[] {
  const records: LogRecord[] = [];
  for (const { shape, key, value } of unpack(packed, true)) {
    const { partition, offset, appendedAtMs } = shape;
    const headers = shape.headers === null ? {} : (JSON.parse(shape.headers) as Record<string, string>);
    records.push({ topic, partition, offset, key, value, headers, appendedAtMs });
  }
  return records;
}
