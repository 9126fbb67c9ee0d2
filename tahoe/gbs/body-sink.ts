/** The body of one response, gathered in one piece of memory and no longer than was agreed. */

/** The response has a longer body than was agreed to. */
export class OverlongBody extends Error {}

/** Copies what comes into one buffer, so that many tiny chunks cost no more than their bytes. */
export class BodySink {
  readonly #maxBytes: number;
  #buffer: Uint8Array;
  #length = 0;

  constructor(maxBytes: number, declaredBytes: number) {
    if (declaredBytes > maxBytes) throw new OverlongBody(`${declaredBytes} bytes instead of at most ${maxBytes}`);
    this.#maxBytes = maxBytes;
    this.#buffer = fresh(Number.isNaN(declaredBytes) ? Math.min(maxBytes, 4096) : declaredBytes);
  }

  add(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > this.#maxBytes) throw new OverlongBody(`more than ${this.#maxBytes} bytes`);
    if (length > this.#buffer.length) {
      const larger = fresh(Math.min(this.#maxBytes, Math.max(length, this.#buffer.length * 2)));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(chunk, this.#length);
    this.#length = length;
  }

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }
}

/** Memory of its own, of any content: it is filled before anybody sees it. */
function fresh(lengthBytes: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(lengthBytes).buffer);
}
