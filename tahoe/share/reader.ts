/** Where share data is read from: a peer, a container file, memory. Offsets count from the start of the share data. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type Container, containerHeaderBytes, leaseBytes, parseContainer, parseLeaseExpiries } from './container.ts';
import { fileError, shareError } from './share-errors.ts';

/** The port. A share server does not tell how long a share is, so the length may be null. */
export interface ShareSource {
  /** Length of the share data, where it is known. */
  readonly lengthBytes?: number | null;
  /**
   * `length` bytes from `offset` on; fewer only where the share ends. Rejects where the share cannot be reached: that
   * says nothing about the share itself.
   */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Told of bytes of a read that nobody will look at again, so that their memory can be used for others. */
  letGo?(bytes: Uint8Array): void;
  /** Lets go of what the source holds open. */
  close?(): Promise<void>;
}

/** @throws MeshwardError `share-truncated` where the share ends before `offset + length`. */
export async function readExactly(
  source: ShareSource,
  offset: number,
  length: number,
  what: string,
): Promise<Uint8Array> {
  // Refuses before anything is allocated: the numbers may be hostile.
  const isBeyond = typeof source.lengthBytes === 'number' && offset + length > source.lengthBytes;
  const bytes = isBeyond || length === 0 ? new Uint8Array(0) : await source.read(offset, length);
  if (bytes.length < length) throw shareError('share-truncated', `the share ends inside its ${what}`);
  return bytes.length === length ? bytes : bytes.subarray(0, length);
}

export function memoryShareSource(shareData: Uint8Array): ShareSource {
  return {
    lengthBytes: shareData.length,
    read: (offset, length) => Promise.resolve(shareData.subarray(offset, offset + length)),
  };
}

/** A source that has some of the share at hand: a small share takes one request in all, opening a large one two. */
export class PrefetchedSource implements ShareSource {
  readonly #source: ShareSource;
  readonly #head: Uint8Array;
  #tail: { readonly offset: number; readonly bytes: Uint8Array } | null = null;
  readonly lengthBytes: number | null;

  private constructor(source: ShareSource, head: Uint8Array, lengthBytes: number | null) {
    this.#source = source;
    this.#head = head;
    this.lengthBytes = lengthBytes;
  }

  static async read(source: ShareSource, headBytes: number): Promise<PrefetchedSource> {
    const head = await source.read(0, headBytes);
    const lengthBytes = source.lengthBytes ?? (head.length < headBytes ? head.length : null);
    return new PrefetchedSource(source, head.subarray(0, headBytes), lengthBytes);
  }

  /** Reads what lies from `offset` on and keeps it until {@link dropTail}. */
  async prefetchTail(offset: number, length: number): Promise<void> {
    if (!this.#isAtHand(offset, length)) this.#tail = { offset, bytes: await this.#source.read(offset, length) };
  }

  dropTail(): void {
    this.#tail = null;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (this.#isAtHand(offset, length)) return this.#head.subarray(offset, offset + length);
    const tail = this.#tail;
    if (tail !== null && offset >= tail.offset && offset + length <= tail.offset + tail.bytes.length) {
      return tail.bytes.subarray(offset - tail.offset, offset - tail.offset + length);
    }
    return this.#source.read(offset, length);
  }

  letGo(bytes: Uint8Array): void {
    if (bytes.buffer !== this.#head.buffer) this.#source.letGo?.(bytes);
  }

  /** Nobody looks at anything that was read any more. */
  async close(): Promise<void> {
    this.#source.letGo?.(this.#head);
    await this.#source.close?.();
  }

  #isAtHand(offset: number, length: number): boolean {
    return this.#head.length === this.lengthBytes || offset + length <= this.#head.length;
  }
}

/** A share in its container file, closed by whoever opened it. */
export class ContainerFile implements ShareSource {
  readonly container: Container;
  readonly fileBytes: number;
  readonly #path: string;
  /** Null once the file is closed, or where it was small enough to be read at once. */
  #handle: FileHandle | null;
  readonly #content: Uint8Array | null;

  private constructor(path: string, fileBytes: number, container: Container, content: FileHandle | Uint8Array) {
    this.#path = path;
    this.fileBytes = fileBytes;
    this.container = container;
    this.#handle = content instanceof Uint8Array ? null : content;
    this.#content = content instanceof Uint8Array ? content : null;
  }

  /** @throws MeshwardError of a share error code where the file is not a whole immutable container. */
  static async open(path: string): Promise<ContainerFile> {
    let handle: FileHandle | null = null;
    try {
      // Non-blocking, or a pipe in the folder would hang the reader.
      handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      const status = await handle.stat();
      if (!status.isFile()) throw shareError('share-malformed', 'not a regular file');
      const isSmall = status.size <= smallFileBytes;
      const head = await readFully(handle, 0, isSmall ? status.size : containerHeaderBytes);
      const container = parseContainer(head, status.size);
      if (!isSmall) {
        const file = new ContainerFile(path, status.size, container, handle);
        handle = null;
        return file;
      }
      return new ContainerFile(path, status.size, container, head);
    } catch (error) {
      throw fileError(error, `cannot read ${path}`);
    } finally {
      await handle?.close();
    }
  }

  get lengthBytes(): number {
    return this.container.dataBytes;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const { dataOffset, dataBytes } = this.container;
    const available = Math.max(0, Math.min(length, dataBytes - offset));
    return this.#readFile(dataOffset + offset, available);
  }

  /** Expiry of each lease as Unix seconds, of the first `limit` leases. */
  async leaseExpiries(limit = 1000): Promise<number[]> {
    const { dataOffset, dataBytes, leaseCount } = this.container;
    return parseLeaseExpiries(await this.#readFile(dataOffset + dataBytes, leaseBytes * Math.min(limit, leaseCount)));
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close();
  }

  async #readFile(position: number, length: number): Promise<Uint8Array> {
    if (this.#content !== null) return this.#content.subarray(position, position + length);
    if (this.#handle === null) throw new Error(`${this.#path} is closed`);
    try {
      return await readFully(this.#handle, position, length);
    } catch (error) {
      throw fileError(error, `cannot read ${this.#path}`);
    }
  }
}

/** Files up to this size are read in one go and their descriptor is given back at once. */
const smallFileBytes = 64 * 1024;

async function readFully(handle: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}
