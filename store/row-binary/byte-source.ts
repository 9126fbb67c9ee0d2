import { EndOfBytes } from './reader.ts';

const decoder = new TextDecoder('utf-8');

/** Takes values of known size out of chunks that end anywhere. Holds no more than the value that is being taken. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #position = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async atEnd(): Promise<boolean> {
    return this.#position === this.#chunk.length && !(await this.#advance());
  }

  /** The next bytes in a buffer of their own, so that typed arrays can stand on it. @throws EndOfBytes */
  async copy(byteCount: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(byteCount);
    let filled = 0;
    while (filled < byteCount) {
      if (await this.atEnd()) throw new EndOfBytes();
      const part = this.#chunk.subarray(this.#position, this.#position + byteCount - filled);
      bytes.set(part, filled);
      filled += part.length;
      this.#position += part.length;
    }
    return bytes;
  }

  async uint64(): Promise<bigint> {
    return new DataView((await this.copy(8)).buffer).getBigUint64(0, true);
  }

  async length32(): Promise<number> {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 28; factor *= 128) {
      if (await this.atEnd()) throw new EndOfBytes();
      const byte = this.#chunk[this.#position++] as number;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a length is beyond 2^35');
  }

  /** A name: at most 64 KiB. */
  async text(): Promise<string> {
    const byteCount = await this.length32();
    if (byteCount > 65_536) throw new RangeError('a name is longer than 64 KiB');
    return decoder.decode(await this.copy(byteCount));
  }

  /** Moves on to the next chunk that holds bytes. */
  async #advance(): Promise<boolean> {
    for (;;) {
      const next = await this.#chunks.next();
      if (next.done === true) return false;
      if (next.value.length === 0) continue;
      this.#chunk = next.value;
      this.#position = 0;
      return true;
    }
  }
}
