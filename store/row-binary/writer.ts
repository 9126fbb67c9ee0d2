/**
 * Writes ClickHouse's RowBinary: values one after another, little-endian, with no names, types or padding
 * (https://clickhouse.com/docs/en/interfaces/formats#rowbinary).
 */
export class RowBinaryWriter {
  #bytes: Buffer<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(initialBytes = 4096) {
    this.#bytes = Buffer.allocUnsafeSlow(initialBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  uint8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  uint16(value: number): void {
    this.#reserve(2);
    this.#view.setUint16(this.#length, value, true);
    this.#length += 2;
  }

  uint32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  int64(value: bigint): void {
    this.#reserve(8);
    this.#view.setBigInt64(this.#length, value, true);
    this.#length += 8;
  }

  /** @param value a whole number of at most 2^53 − 1: counts, positions and milliseconds never leave that range. */
  uint64(value: number): void {
    this.#reserve(8);
    this.#view.setUint32(this.#length, value % 0x100000000, true);
    this.#view.setUint32(this.#length + 4, Math.floor(value / 0x100000000), true);
    this.#length += 8;
  }

  float32(value: number): void {
    this.#reserve(4);
    this.#view.setFloat32(this.#length, value, true);
    this.#length += 4;
  }

  float64(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  /** LEB128, for lengths and counts below 2^32. */
  length32(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.uint8((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.uint8(rest);
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  text(value: string): void {
    const byteCount = Buffer.byteLength(value);
    this.length32(byteCount);
    this.#reserve(byteCount);
    this.#bytes.write(value, this.#length);
    this.#length += byteCount;
  }

  /** Forgets what was written after `length`: a row that turned out not to be writable. */
  truncate(length: number): void {
    this.#length = Math.min(this.#length, length);
  }

  /** The bytes written so far, holding little more memory than they need; the writer must not be used afterwards. */
  finish(): Uint8Array {
    const mostlyUsed = this.#length > this.#bytes.length * 0.75;
    return mostlyUsed
      ? this.#bytes.subarray(0, this.#length)
      : Uint8Array.prototype.slice.call(this.#bytes, 0, this.#length);
  }

  #reserve(byteCount: number): void {
    const needed = this.#length + byteCount;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
