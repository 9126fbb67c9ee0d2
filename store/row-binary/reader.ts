/** Thrown where a value goes beyond the bytes at hand: in a stream, the rest comes with the next chunk. */
export class EndOfBytes extends Error {
  constructor() {
    super('the RowBinary bytes end within a value');
    this.name = 'EndOfBytes';
  }
}

const decoder = new TextDecoder('utf-8');

/** Reads what RowBinaryWriter writes; also the values inside of Native blocks. */
export class RowBinaryReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#bytes.length - this.#position;
  }

  /** Back to an earlier position, where a value was cut short. */
  rewind(position: number): void {
    this.#position = position;
  }

  uint8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  int8(): number {
    return this.#view.getInt8(this.#advance(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  int16(): number {
    return this.#view.getInt16(this.#advance(2), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  int64(): bigint {
    return this.#view.getBigInt64(this.#advance(8), true);
  }

  /** @throws RangeError above 2^53 − 1, which no count, position or time of ours reaches. */
  uint64(): number {
    const value = this.uint64Rounded();
    if (value > Number.MAX_SAFE_INTEGER) throw new RangeError('a UInt64 is beyond 2^53 − 1');
    return value;
  }

  /** The nearest number, above 2^53 too. */
  uint64Rounded(): number {
    const at = this.#advance(8);
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 0x100000000;
  }

  float32(): number {
    return this.#view.getFloat32(this.#advance(4), true);
  }

  float64(): number {
    return this.#view.getFloat64(this.#advance(8), true);
  }

  length32(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 28; factor *= 128) {
      const byte = this.uint8();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a length is beyond 2^35');
  }

  /** A view into the bytes, not a copy. */
  raw(byteCount: number): Uint8Array {
    const at = this.#advance(byteCount);
    return this.#bytes.subarray(at, at + byteCount);
  }

  text(): string {
    return decoder.decode(this.raw(this.length32()));
  }

  #advance(byteCount: number): number {
    const at = this.#position;
    if (at + byteCount > this.#bytes.length) throw new EndOfBytes();
    this.#position = at + byteCount;
    return at;
  }
}
