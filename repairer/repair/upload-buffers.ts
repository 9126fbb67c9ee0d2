/**
 * Memory for shares that are held whole, those that are read and new ones until their peer has them, and for the windows of larger files. All
 * repairs of a process share it: one that finds it taken waits in turn for as much as it needs at once, so that none holds a part and
 * waits for the rest. Repairs that last have half of it at most: whoever needs little gets it, however long they take. What was given
 * back is used again: fresh memory of this size costs the process more in collecting it than the codec takes to fill it.
 */
import { MeshwardError } from '#mesh/errors.ts';
import { freeAtOnce } from '#tahoe/gbs/free-at-once.ts';

/** What a process has for it, in windows of a repair. */
export const uploadWindows = 6;

export interface Reservation {
  /** Does not wait. */
  readonly urgent: boolean;
  /** Holds it for minutes or hours. */
  readonly lasting?: boolean;
  readonly signal: AbortSignal;
}

interface Waiting {
  readonly bytes: number;
  readonly lasting: boolean;
  readonly start: () => void;
}

export class UploadBuffers {
  readonly #limitBytes: number;
  readonly #waiting = new Set<Waiting>();
  /** By length. */
  readonly #free = new Map<number, Uint8Array[]>();
  #freeBytes = 0;
  #takenBytes = 0;
  /** Of those, by repairs that last. */
  #lastingBytes = 0;

  /** @param limitBytes of what is taken at a time; a repair that needs more goes alone. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Reserved by repairs at this moment. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Resolves when so many bytes may be taken; each must be given back. @throws the signal's reason */
  async reserve(bytes: number, { urgent, lasting = false, signal }: Reservation): Promise<void> {
    signal.throwIfAborted();
    if (urgent) return this.#take(bytes, lasting);
    await new Promise<void>((resolve, reject) => {
      const giveUp = (): void => {
        this.#waiting.delete(waiter);
        reject(signal.reason as Error);
        this.#go();
      };
      const waiter: Waiting = {
        bytes,
        lasting,
        start: () => {
          signal.removeEventListener('abort', giveUp);
          resolve();
        },
      };
      this.#waiting.add(waiter);
      signal.addEventListener('abort', giveUp, { once: true });
      this.#go();
    });
  }

  /** A buffer of any content, out of what was reserved. */
  take(bytes: number): Uint8Array {
    const kept = this.#free.get(bytes)?.pop();
    if (kept === undefined) return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
    this.#freeBytes -= bytes;
    return kept;
  }

  /** @param buffer left out where somebody may read from it still, or none was taken. */
  giveBack(bytes: number, buffer?: Uint8Array): void {
    this.#takenBytes -= bytes;
    if (this.#takenBytes < 0) {
      throw new MeshwardError('internal', 'more memory of uploads was given back than was taken', {
        next: 'Report this as a defect.',
      });
    }
    if (buffer !== undefined) this.#keep(buffer);
    this.#go();
  }

  giveBackLasting(bytes: number): void {
    this.#lastingBytes -= bytes;
    this.giveBack(bytes);
  }

  /** Others are forgotten for it: files of one size follow one another as a rule. */
  #keep(buffer: Uint8Array): void {
    if (buffer.length > this.#limitBytes / 2) return freeAtOnce(buffer);
    for (const [length, buffers] of this.#free) {
      if (this.#freeBytes + buffer.length <= this.#limitBytes / 2) break;
      if (length === buffer.length) return freeAtOnce(buffer);
      this.#freeBytes -= length * buffers.length;
      this.#free.delete(length);
      for (const each of buffers) freeAtOnce(each);
    }
    const same = this.#free.get(buffer.length) ?? [];
    same.push(buffer);
    this.#free.set(buffer.length, same);
    this.#freeBytes += buffer.length;
  }

  #take(bytes: number, lasting: boolean): void {
    this.#takenBytes += bytes;
    if (lasting) this.#lastingBytes += bytes;
  }

  /** More than there is goes alone, but for those that last. */
  #fits(bytes: number): boolean {
    return this.#takenBytes === this.#lastingBytes || this.#takenBytes + bytes <= this.#limitBytes;
  }

  #go(): void {
    for (const waiter of this.#waiting) {
      const { bytes, lasting } = waiter;
      // Their turn comes when another one of them ends, and nobody waits behind them for that.
      if (lasting && this.#lastingBytes > 0 && this.#lastingBytes + bytes > this.#limitBytes / 2) continue;
      if (!this.#fits(bytes)) return;
      this.#waiting.delete(waiter);
      this.#take(bytes, lasting);
      waiter.start();
    }
  }
}
