/** How each ClickHouse type that the store uses is written and read. `type` is exactly what the server calls it. */
import { MeshwardError } from '#mesh/errors.ts';
import { type PeerId, peerIdBytes, peerIdFromBytes, peerIdToBytes } from '#mesh/peer-id.ts';
import {
  type StorageIndex,
  storageIndexBytes,
  storageIndexFromBytes,
  storageIndexToBytes,
} from '#mesh/storage-index.ts';
import type { RowBinaryReader } from './reader.ts';
import type { RowBinaryWriter } from './writer.ts';

export interface Column<T> {
  readonly type: string;
  /** @throws MeshwardError `bad-input` where the value does not fit: nothing is cut or wrapped in silence. */
  write(out: RowBinaryWriter, value: T): void;
  read(input: RowBinaryReader): T;
}

export type Columns = Readonly<Record<string, Column<unknown>>>;

export type RowOf<C extends Columns> = { readonly [K in keyof C]: C[K] extends Column<infer T> ? T : never };

export const uint8 = whole(
  'UInt8',
  0xff,
  (out, value) => out.uint8(value),
  (input) => input.uint8(),
);
export const uint16 = whole(
  'UInt16',
  0xffff,
  (out, value) => out.uint16(value),
  (input) => input.uint16(),
);
export const uint32 = whole(
  'UInt32',
  0xffffffff,
  (out, value) => out.uint32(value),
  (input) => input.uint32(),
);
/** As a number: up to 2^53 − 1. */
export const uint64 = whole(
  'UInt64',
  Number.MAX_SAFE_INTEGER,
  (out, value) => out.uint64(value),
  (input) => input.uint64(),
);

/** A sum that may pass 2^53, such as the bytes of all files: rounded to what a number can hold. Up to 2^64. */
export const uint64Sum: Column<number> = {
  type: 'UInt64',
  write(out, value) {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** 64) throw misfit('UInt64', value);
    out.uint64(value);
  },
  read: (input) => input.uint64Rounded(),
};

export const int16: Column<number> = {
  type: 'Int16',
  write(out, value) {
    if (!Number.isInteger(value) || value < -0x8000 || value > 0x7fff) throw misfit('Int16', value);
    out.uint16(value & 0xffff);
  },
  read: (input) => input.int16(),
};

export const float32: Column<number> = {
  type: 'Float32',
  write: (out, value) => out.float32(value),
  read: (input) => input.float32(),
};
export const float64: Column<number> = {
  type: 'Float64',
  write: (out, value) => out.float64(value),
  read: (input) => input.float64(),
};

export const flag: Column<boolean> = {
  type: 'Bool',
  write: (out, value) => out.uint8(value ? 1 : 0),
  read: (input) => input.uint8() !== 0,
};

export const text: Column<string> = {
  type: 'String',
  write: (out, value) => out.text(value),
  read: (input) => input.text(),
};
/** A text of few different values. */
export const label: Column<string> = { ...text, type: 'LowCardinality(String)' };

/** Milliseconds since the Unix epoch. */
export const timestamp: Column<number> = {
  type: "DateTime64(3, 'UTC')",
  write(out, value) {
    if (!Number.isFinite(value)) throw misfit('DateTime64', value);
    out.int64(BigInt(Math.round(value)));
  },
  read: (input) => Number(input.int64()),
};

/** Milliseconds since the Unix epoch, kept in whole seconds: the start of a rollup's bucket. */
export const bucketStart: Column<number> = {
  type: "DateTime('UTC')",
  write: (out, value) => out.uint32(Math.floor(value / 1000)),
  read: (input) => input.uint32() * 1000,
};

export const storageIndex: Column<StorageIndex> = {
  type: 'FixedString(16)',
  write: (out, value) => out.raw(storageIndexToBytes(value)),
  read: (input) => storageIndexFromBytes(input.raw(storageIndexBytes)),
};

export const peerId: Column<PeerId> = {
  type: 'FixedString(32)',
  write: (out, value) => out.raw(peerIdToBytes(value)),
  read: (input) => peerIdFromBytes(input.raw(peerIdBytes)),
};

/** A peer where rows are many and peers few: stored as a number into a dictionary. */
export const repeatedPeerId: Column<PeerId> = { ...peerId, type: 'LowCardinality(FixedString(32))' };

/** 32 bytes, such as a UEB hash. */
export const digest: Column<Uint8Array> = {
  type: 'FixedString(32)',
  write(out, value) {
    if (value.length !== 32) throw misfit('FixedString(32)', `${value.length} bytes`);
    out.raw(value);
  },
  read: (input) => Uint8Array.from(input.raw(32)),
};

/** One of a closed list of words, numbered from 1 in their order: the order is what comparisons in SQL go by. */
export function choice<const W extends readonly string[]>(words: W): Column<W[number]> {
  const numbers = new Map<string, number>(words.map((word, index) => [word, index + 1]));
  return {
    type: `Enum8(${words.map((word, index) => `'${word}' = ${index + 1}`).join(', ')})`,
    write(out, value) {
      const number = numbers.get(value);
      if (number === undefined) throw misfit(`one of ${words.join(', ')}`, value);
      out.uint8(number);
    },
    read(input) {
      const word = words[input.int8() - 1];
      if (word === undefined) throw new RangeError('an Enum8 holds a number that has no word');
      return word;
    },
  };
}

export function nullable<T>(inner: Column<T>): Column<T | null> {
  return {
    type: `Nullable(${inner.type})`,
    write(out, value) {
      out.uint8(value === null ? 1 : 0);
      if (value !== null) inner.write(out, value);
    },
    read: (input) => (input.uint8() === 1 ? null : inner.read(input)),
  };
}

export function list<T>(inner: Column<T>): Column<readonly T[]> {
  return {
    type: `Array(${inner.type})`,
    write(out, values) {
      out.length32(values.length);
      for (const value of values) inner.write(out, value);
    },
    read: (input) => Array.from({ length: input.length32() }, () => inner.read(input)),
  };
}

/** Words to values, such as the kinds of failure domains to their names. */
export function record<T>(inner: Column<T>): Column<Readonly<Record<string, T>>> {
  return {
    type: `Map(LowCardinality(String), ${inner.type})`,
    write(out, values) {
      const entries = Object.entries(values);
      out.length32(entries.length);
      for (const [key, value] of entries) {
        out.text(key);
        inner.write(out, value);
      }
    },
    read(input) {
      return Object.fromEntries(Array.from({ length: input.length32() }, () => [input.text(), inner.read(input)]));
    },
  };
}

/** In its usual 36 characters. On the wire: two little-endian halves, the high one first. */
export const uuid: Column<string> = {
  type: 'UUID',
  write(out, value) {
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)) throw misfit('UUID', value);
    const bytes = Buffer.from(value.replaceAll('-', ''), 'hex');
    out.raw(bytes.subarray(0, 8).toReversed());
    out.raw(bytes.subarray(8).toReversed());
  },
  read(input) {
    const high = Buffer.from(input.raw(8).toReversed()).toString('hex');
    const low = Buffer.from(input.raw(8).toReversed()).toString('hex');
    return `${high.slice(0, 8)}-${high.slice(8, 12)}-${high.slice(12)}-${low.slice(0, 4)}-${low.slice(4)}`;
  },
};

function whole(
  type: string,
  max: number,
  write: (out: RowBinaryWriter, value: number) => void,
  read: (input: RowBinaryReader) => number,
): Column<number> {
  return {
    type,
    write(out, value) {
      if (!Number.isInteger(value) || value < 0 || value > max) throw misfit(type, value);
      write(out, value);
    },
    read,
  };
}

function misfit(type: string, value: unknown): MeshwardError {
  return new MeshwardError('bad-input', `${String(value).slice(0, 60)} does not fit ${type}`, {
    next: 'This is a defect of the caller: please report it with the log around it.',
  });
}
