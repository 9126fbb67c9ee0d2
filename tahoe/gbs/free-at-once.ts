/**
 * Gives back memory that nobody will look at again, without waiting for the collector of garbage. What moves over connections
 * lies outside of JavaScript's heap, and V8 collects the whole heap whenever some 32 MB of such memory have come since the last
 * time: at the speed of repair that was a third of a peer's processor time, to free what had been known to be done with all along.
 */

/**
 * All the memory that `bytes` are a view of: the caller must have got it for them alone. Whoever still looks at it finds it empty. Must
 * not be called while native code works on it.
 */
export function freeAtOnce({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
}

/** Frees chunks of connections after the turn of the event loop in which they came, when no parser works on them any more. */
export class SpentChunks {
  #chunks: ArrayBuffer[] = [];
  readonly #free = (): void => {
    const chunks = this.#chunks;
    this.#chunks = [];
    for (const chunk of chunks) if (!chunk.detached) chunk.transfer(0);
  };

  /** @param chunk a view of what was read from a connection at a time, copied or let go of by all who were given it. */
  add(chunk: Uint8Array): void {
    const { buffer } = chunk;
    // Smaller ones may be parts of memory that others have a part in.
    if (!(buffer instanceof ArrayBuffer) || chunk.length * 2 <= buffer.byteLength) return;
    if (this.#chunks.length === 0) setImmediate(this.#free);
    this.#chunks.push(buffer);
  }
}
