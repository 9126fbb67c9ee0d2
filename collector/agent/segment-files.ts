/** The files that hold the spool: appended to at the newest, read from the oldest, deleted once everything in them has been passed. */
import { constants } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { readUpTo, writeWhole } from './file-extent.ts';
import { type DecodedRecord, decodeRecord, recordHeaderBytes } from './spool-record.ts';
import { type Segment, segmentMagic, segmentPath } from './spool-segments.ts';

/** A place between two records. */
export interface SegmentPlace {
  readonly segment: number;
  readonly offset: number;
}

export class SegmentFiles {
  readonly #directory: string;
  readonly #segmentBytes: number;
  #segments: Segment[];
  #nextId: number;
  /** The file that is appended to; null until the first append. */
  #file: FileHandle | null = null;
  #reading: { segment: number; file: FileHandle } | null = null;

  /** @param nextId higher than that of every file there ever was. */
  constructor(directory: string, segmentBytes: number, segments: readonly Segment[], nextId: number) {
    this.#directory = directory;
    this.#segmentBytes = segmentBytes;
    this.#segments = [...segments];
    this.#nextId = nextId;
  }

  /** Where the next record goes. */
  get end(): SegmentPlace {
    const last = this.#segments.at(-1);
    return { segment: last?.id ?? 0, offset: last?.bytes ?? 0 };
  }

  /** Bytes of records after a place. */
  bytesAfter(place: SegmentPlace): number {
    let bytes = 0;
    for (const segment of this.#segments) {
      if (segment.id > place.segment) bytes += segment.bytes;
      else if (segment.id === place.segment) bytes += Math.max(0, segment.bytes - place.offset);
    }
    return bytes;
  }

  /** Bytes that a record of so many bytes adds: a new file begins with its magic. */
  bytesToAppend(recordBytes: number): number {
    return this.#opensNewFile() ? segmentMagic.length + recordBytes : recordBytes;
  }

  /** Resolves after the write; the sync comes later. @returns where the record begins. */
  async append(record: Uint8Array): Promise<SegmentPlace> {
    const { segment, file } = await this.#openForAppend();
    try {
      await writeWhole(file, record, segment.bytes);
    } catch (error) {
      await file.truncate(segment.bytes).catch(() => undefined); // else the next append writes over it
      throw error;
    }
    const place = { segment: segment.id, offset: segment.bytes };
    segment.bytes += record.length;
    return place;
  }

  /** The place of the first record at or after a place; null at the end. */
  firstAt(place: SegmentPlace): SegmentPlace | null {
    for (const { id, bytes } of this.#segments) {
      if (id < place.segment) continue;
      const offset = id === place.segment ? Math.max(place.offset, segmentMagic.length) : segmentMagic.length;
      if (offset < bytes) return { segment: id, offset };
    }
    return null;
  }

  /** @param place of a record. Its `nextOffset` counts from the start of the record. */
  async read({ segment, offset }: SegmentPlace): Promise<DecodedRecord> {
    const end = this.#segments.find(({ id }) => id === segment)?.bytes ?? 0;
    if (this.#reading?.segment !== segment) {
      await this.#closeReading();
      this.#reading = { segment, file: await open(segmentPath(this.#directory, segment), 'r') };
    }
    const { file } = this.#reading as { file: FileHandle };
    const head = await readUpTo(file, recordHeaderBytes, offset);
    const length = head.length === recordHeaderBytes ? head.readUInt32LE(0) : 0;
    return decodeRecord(await readUpTo(file, Math.min(recordHeaderBytes + length, end - offset), offset), 0);
  }

  /** Deletes the files that end at or before a place. The newest stays: it is appended to, or its number must not be given again. */
  async deleteBefore(place: SegmentPlace): Promise<void> {
    const newest = this.#segments.at(-1);
    const isPassed = ({ id, bytes }: Segment): boolean =>
      id < place.segment || (id === place.segment && place.offset >= bytes);
    const passed = this.#segments.filter((segment) => segment !== newest && isPassed(segment));
    for (const { id } of passed) {
      if (this.#reading?.segment === id) await this.#closeReading();
      await rm(segmentPath(this.#directory, id), { force: true });
    }
    if (passed.length > 0) this.#segments = this.#segments.filter((segment) => !passed.includes(segment));
  }

  async sync(): Promise<void> {
    await this.#file?.datasync();
  }

  async close(): Promise<void> {
    await this.#closeReading();
    await this.#closeAppending();
  }

  #opensNewFile(): boolean {
    const last = this.#segments.at(-1);
    return last === undefined || this.#file === null || last.bytes >= this.#segmentBytes;
  }

  async #openForAppend(): Promise<{ segment: Segment; file: FileHandle }> {
    const last = this.#segments.at(-1);
    if (last !== undefined && this.#file !== null && !this.#opensNewFile()) return { segment: last, file: this.#file };
    await this.#closeAppending();
    const id = this.#nextId;
    const path = segmentPath(this.#directory, id);
    const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC, 0o600);
    this.#file = file;
    this.#nextId++;
    await writeWhole(file, segmentMagic, 0);
    const segment = { id, bytes: segmentMagic.length };
    this.#segments.push(segment);
    return { segment, file };
  }

  async #closeAppending(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    try {
      await file?.sync();
    } finally {
      await file?.close();
    }
  }

  async #closeReading(): Promise<void> {
    const reading = this.#reading;
    this.#reading = null;
    await reading?.file.close();
  }
}
