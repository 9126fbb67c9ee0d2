/**
 * How far the spool has been sent: two slots of a file, written in turn, so that a torn write leaves the other. It may lag
 * behind by what the machine lost with its power; then batches are sent again, and dropped by their sequence.
 */

import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

export interface SpoolPosition {
  readonly segment: number;
  readonly offset: number;
  /** The inventory part that was sent last: the next part of an inventory must follow it. */
  readonly generation: number;
  readonly part: number;
}

const slotBytes = 32;

export class SpoolCursor {
  readonly #file: FileHandle;
  #counter: number;

  private constructor(file: FileHandle, counter: number) {
    this.#file = file;
    this.#counter = counter;
  }

  static async open(path: string): Promise<{ cursor: SpoolCursor; position: SpoolPosition | null }> {
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    const bytes = Buffer.alloc(2 * slotBytes);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    const slots = [bytes.subarray(0, slotBytes), bytes.subarray(slotBytes)].filter(
      (slot, index) => bytesRead >= (index + 1) * slotBytes && crc32(slot.subarray(4)) === slot.readUInt32LE(0),
    );
    const newest = slots.sort((a, b) => Number(b.readBigUInt64LE(4) - a.readBigUInt64LE(4)))[0];
    if (newest === undefined) return { cursor: new SpoolCursor(file, 0), position: null };
    return {
      cursor: new SpoolCursor(file, Number(newest.readBigUInt64LE(4))),
      position: {
        segment: newest.readUInt32LE(12),
        offset: newest.readUInt32LE(16),
        generation: newest.readUInt32LE(20),
        part: newest.readUInt32LE(24),
      },
    };
  }

  async save(position: SpoolPosition): Promise<void> {
    this.#counter++;
    const slot = Buffer.alloc(slotBytes);
    slot.writeBigUInt64LE(BigInt(this.#counter), 4);
    slot.writeUInt32LE(position.segment, 12);
    slot.writeUInt32LE(position.offset, 16);
    slot.writeUInt32LE(position.generation, 20);
    slot.writeUInt32LE(position.part, 24);
    slot.writeUInt32LE(crc32(slot.subarray(4)), 0);
    await this.#file.write(slot, 0, slotBytes, (this.#counter % 2) * slotBytes);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
