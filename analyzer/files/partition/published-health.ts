/**
 * What the store was told of each file last: its grade, since when, and a sum of its figures. In 32 bytes a file, since
 * a partition has millions, and so that a partition that moves is not written anew where nothing has changed.
 */
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { type Grade, grades } from '#mesh/grade.ts';
import { type StorageIndex, storageIndexBytes, storageIndexToBytes } from '#mesh/storage-index.ts';
import type { FileHealth } from '../share-map/share-map.ts';

export interface PublishedFile {
  readonly grade: Grade;
  readonly sinceMs: number;
  /** What `figuresOf` said of the health that was stored. */
  readonly figures: number;
}

/** Files out of the store, in columns. */
export interface HealthBlock {
  readonly count: number;
  /** 16 bytes each. */
  readonly storageIndexes: Uint8Array;
  /** Place in `grades`, from 1. */
  readonly grades: Uint8Array;
  readonly sinceMs: Float64Array;
  readonly figures: Uint32Array;
}

/**
 * A checksum of what a row of health shows beside its grade and cause. The store computes the same of its rows: CRC-32 of the figures
 * in this order, with the kinds of domains sorted.
 */
export function figuresOf(health: FileHealth): number {
  const { manifest, policy, toleranceDomains } = health;
  const tolerance = Object.keys(toleranceDomains)
    .sort()
    .map((kind) => `${kind}=${toleranceDomains[kind]}`);
  return crc32(
    `${policy.name} ${manifest.k} ${manifest.n} ${manifest.sizeBytes} ${health.available} ${health.retained} ` +
      `${health.counted} ${health.corrupt} ${health.happiness} ${health.distinctPeers} ${health.tolerancePeers} ${tolerance.join(' ')}`,
  );
}

/** Words of an entry: storage index 4, grade (0 is free, `removed` was taken), time 2, figures. */
const entryWords = 8;
const gradeAt = 4;
const sinceAt = 5;
const figuresAt = 7;
const removed = 255;
const tables = 256;
const firstEntries = 8;

/** 256 open-addressing tables that double by themselves: no insertion moves more than a 256th of all entries. */
export class PublishedHealth {
  readonly #tables: (Table | undefined)[] = Array.from({ length: tables });
  /** Peers choose storage indexes, and must not know where they fall. */
  readonly #seed = new Uint32Array(new Uint8Array(randomBytes(16)).buffer);
  readonly #key = new Uint32Array(4);
  readonly #keyBytes = new Uint8Array(this.#key.buffer);
  #hash = 0;
  size = 0;

  get(file: StorageIndex): PublishedFile | undefined {
    const table = this.#tableOf(storageIndexToBytes(file), 0);
    const slot = table?.slotOf(this.#key, this.#hash) ?? -1;
    if (table === undefined || slot < 0) return undefined;
    const at = slot * entryWords;
    return {
      grade: grades[(table.words[at + gradeAt] as number) - 1] as Grade,
      sinceMs: (table.words[at + sinceAt] as number) * 2 ** 32 + (table.words[at + sinceAt + 1] as number),
      figures: table.words[at + figuresAt] as number,
    };
  }

  has(file: StorageIndex): boolean {
    return this.get(file) !== undefined;
  }

  set(file: StorageIndex, { grade, sinceMs, figures }: PublishedFile): void {
    this.#set(storageIndexToBytes(file), 0, grades.indexOf(grade) + 1, sinceMs, figures);
  }

  load(block: HealthBlock, from = 0, to = block.count): void {
    for (let i = from; i < to; i++) {
      this.#set(
        block.storageIndexes,
        i * storageIndexBytes,
        block.grades[i] as number,
        block.sinceMs[i] as number,
        block.figures[i] as number,
      );
    }
  }

  /** @returns whether it was there. */
  delete(file: StorageIndex): boolean {
    const table = this.#tableOf(storageIndexToBytes(file), 0);
    const slot = table?.slotOf(this.#key, this.#hash) ?? -1;
    if (table === undefined || slot < 0) return false;
    table.words[slot * entryWords + gradeAt] = removed;
    this.size--;
    return true;
  }

  #set(bytes: Uint8Array, offset: number, grade: number, sinceMs: number, figures: number): void {
    const known = this.#tableOf(bytes, offset);
    const table = known ?? new Table(firstEntries);
    if (known === undefined) this.#tables[this.#hash % tables] = table;
    let slot = table.slotOf(this.#key, this.#hash);
    if (slot < 0) {
      if ((table.used + 1) * 4 > table.entries * 3) table.grow((words, at) => this.#hashOf(words, at));
      slot = table.freeSlot(this.#hash);
      table.words.set(this.#key, slot * entryWords);
      table.used++;
      this.size++;
    }
    const at = slot * entryWords;
    table.words[at + gradeAt] = grade;
    table.words[at + sinceAt] = Math.floor(sinceMs / 2 ** 32);
    table.words[at + sinceAt + 1] = sinceMs % 2 ** 32;
    table.words[at + figuresAt] = figures;
  }

  /** Leaves the file's words in `#key` and their hash in `#hash`. */
  #tableOf(bytes: Uint8Array, offset: number): Table | undefined {
    for (let i = 0; i < storageIndexBytes; i++) this.#keyBytes[i] = bytes[offset + i] as number;
    this.#hash = this.#hashOf(this.#key, 0);
    return this.#tables[this.#hash % tables];
  }

  #hashOf(words: Uint32Array, at: number): number {
    let hash = 0;
    for (let i = 0; i < 4; i++) {
      hash = Math.imul(hash ^ (words[at + i] as number) ^ (this.#seed[i] as number), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return hash >>> 0;
  }
}

class Table {
  entries: number;
  words: Uint32Array;
  /** Entries that are not free, the removed ones too. */
  used = 0;

  constructor(entries: number) {
    this.entries = entries;
    this.words = new Uint32Array(entries * entryWords);
  }

  slotOf(key: Uint32Array, hash: number): number {
    for (let slot = this.#first(hash); ; slot = (slot + 1) % this.entries) {
      const at = slot * entryWords;
      const grade = this.words[at + gradeAt] as number;
      if (grade === 0) return -1;
      if (grade !== removed && isKeyAt(this.words, at, key)) return slot;
    }
  }

  freeSlot(hash: number): number {
    let slot = this.#first(hash);
    while (this.words[slot * entryWords + gradeAt] !== 0) slot = (slot + 1) % this.entries;
    return slot;
  }

  grow(hashOf: (words: Uint32Array, at: number) => number): void {
    const before = this.words;
    let live = 0;
    for (let at = 0; at < before.length; at += entryWords) if (isLive(before, at)) live++;
    while ((live + 1) * 2 > this.entries) this.entries *= 2;
    this.words = new Uint32Array(this.entries * entryWords);
    this.used = live;
    for (let at = 0; at < before.length; at += entryWords) {
      if (!isLive(before, at)) continue;
      this.words.set(before.subarray(at, at + entryWords), this.freeSlot(hashOf(before, at)) * entryWords);
    }
  }

  #first(hash: number): number {
    return Math.floor(hash / tables) % this.entries;
  }
}

function isLive(words: Uint32Array, at: number): boolean {
  const grade = words[at + gradeAt];
  return grade !== 0 && grade !== removed;
}

function isKeyAt(words: Uint32Array, at: number, key: Uint32Array): boolean {
  return words[at] === key[0] && words[at + 1] === key[1] && words[at + 2] === key[2] && words[at + 3] === key[3];
}
