/**
 * What the agent knows of each file in the share folder, in columns: about 40 bytes a share, so that a peer with a million
 * shares spends 40 MB on it. Entries keep their slot for life; chains lead from a hash of the storage index to its slots.
 */

export const fileKinds = ['free', 'immutable', 'mutable', 'half-written', 'empty', 'unreadable', 'unknown'] as const;
/** What a file with a share's name turned out to be. Only `immutable` is ever reported. */
export type FileKind = Exclude<(typeof fileKinds)[number], 'free'>;

const kindMask = 0b0000_0111;
/** Its content does not verify: it is there and does not count. */
export const corruptFlag = 0b0000_1000;
/** Its file's manifest was sent in this incarnation. */
export const manifestFlag = 0b0001_0000;
/** Toggles with each full scan: tells the entries that this scan met. */
export const seenFlag = 0b0010_0000;

const none = -1;
const firstCapacity = 64;

export interface ShareColumns {
  readonly count: number;
  readonly storageIndexes: Uint8Array;
  readonly shareNumbers: Uint8Array;
  /** 1 where the share is known to be corrupt. */
  readonly corrupt: Uint8Array;
}

export class ShareTable {
  /** Slot at which the verifier goes on. */
  verifyPosition = 0;
  #capacity = 0;
  #storageIndexes = new Uint8Array(0);
  #sizes = new Float64Array(0);
  #stamps = new Uint32Array(0);
  #manifestTags = new Uint32Array(0);
  #numbers = new Uint8Array(0);
  #meta = new Uint8Array(0);
  #next = new Int32Array(0);
  #heads = new Int32Array(0);
  #free = none;
  #limit = 0;
  readonly #counts = Array.from(fileKinds, () => 0);
  #shareBytes = 0;
  #corruptCount = 0;

  constructor() {
    this.#resize(firstCapacity);
  }

  /** Slots below this may be in use. */
  get slotLimit(): number {
    return this.#limit;
  }

  get shareCount(): number {
    return this.countOf('immutable');
  }

  /** Sizes of the files that hold immutable shares. */
  get shareBytes(): number {
    return this.#shareBytes;
  }

  get corruptCount(): number {
    return this.#corruptCount;
  }

  get memoryBytes(): number {
    return this.#capacity * (16 + 8 + 4 + 4 + 1 + 1 + 4) + this.#heads.byteLength;
  }

  countOf(kind: FileKind): number {
    return this.#counts[fileKinds.indexOf(kind)] as number;
  }

  find(storageIndex: Uint8Array, shareNumber: number): number {
    for (let slot = this.firstOf(storageIndex); slot !== none; slot = this.nextOf(slot)) {
      if (this.#numbers[slot] === shareNumber) return slot;
    }
    return none;
  }

  /** The first slot of a storage index, or −1; {@link nextOf} leads on. */
  firstOf(storageIndex: Uint8Array): number {
    return this.#seek(this.#heads[this.#bucketOf(storageIndex, 0)] as number, storageIndex, 0);
  }

  /** The next slot of the same storage index, or −1. */
  nextOf(slot: number): number {
    return this.#seek(this.#next[slot] as number, this.#storageIndexes, slot * 16);
  }

  insert(storageIndex: Uint8Array, shareNumber: number, kind: FileKind, sizeBytes: number, stamp: number): number {
    if (this.#free === none && this.#limit === this.#capacity) this.#resize(Math.ceil(this.#capacity * 1.3) + 64);
    const slot = this.#free === none ? this.#limit++ : this.#free;
    if (slot === this.#free) this.#free = this.#next[slot] as number;
    this.#storageIndexes.set(storageIndex.subarray(0, 16), slot * 16);
    this.#numbers[slot] = shareNumber;
    this.#meta[slot] = 0;
    this.#manifestTags[slot] = 0;
    const bucket = this.#bucketOf(storageIndex, 0);
    this.#next[slot] = this.#heads[bucket] as number;
    this.#heads[bucket] = slot;
    this.#count(slot, kind, sizeBytes);
    this.#stamps[slot] = stamp;
    return slot;
  }

  /** What the file is now; its flags stay. */
  update(slot: number, kind: FileKind, sizeBytes: number, stamp: number): void {
    this.#uncount(slot);
    this.#count(slot, kind, sizeBytes);
    this.#stamps[slot] = stamp;
  }

  remove(slot: number): void {
    const bucket = this.#bucketOf(this.#storageIndexes, slot * 16);
    const after = this.#next[slot] as number;
    if (this.#heads[bucket] === slot) {
      this.#heads[bucket] = after;
    } else {
      let before = this.#heads[bucket] as number;
      while (this.#next[before] !== slot) before = this.#next[before] as number;
      this.#next[before] = after;
    }
    this.#uncount(slot);
    this.#meta[slot] = 0;
    this.#next[slot] = this.#free;
    this.#free = slot;
  }

  isUsed(slot: number): boolean {
    return ((this.#meta[slot] as number) & kindMask) !== 0;
  }

  /** A copy. */
  storageIndexOf(slot: number): Uint8Array {
    return this.#storageIndexes.slice(slot * 16, slot * 16 + 16);
  }

  numberOf(slot: number): number {
    return this.#numbers[slot] as number;
  }

  /** @param slot in use. */
  kindOf(slot: number): FileKind {
    return fileKinds[(this.#meta[slot] as number) & kindMask] as FileKind;
  }

  sizeOf(slot: number): number {
    return this.#sizes[slot] as number;
  }

  stampOf(slot: number): number {
    return this.#stamps[slot] as number;
  }

  /** First four bytes of the UEB hash, 0 where it is not known: tells when a file's manifest changes under its name. */
  manifestTagOf(slot: number): number {
    return this.#manifestTags[slot] as number;
  }

  setManifestTag(slot: number, tag: number): void {
    this.#manifestTags[slot] = tag;
  }

  has(slot: number, flag: number): boolean {
    return ((this.#meta[slot] as number) & flag) !== 0;
  }

  set(slot: number, flag: number, on: boolean): void {
    const before = this.#meta[slot] as number;
    const after = on ? before | flag : before & ~flag;
    this.#meta[slot] = after;
    if (((before ^ after) & corruptFlag) !== 0) this.#corruptCount += on ? 1 : -1;
  }

  clearFlag(flag: number): void {
    for (let slot = 0; slot < this.#limit; slot++) if (this.isUsed(slot)) this.set(slot, flag, false);
  }

  /** Every immutable share, as an inventory names them; a copy that later changes do not touch. */
  columns(): ShareColumns {
    const count = this.shareCount;
    const storageIndexes = new Uint8Array(count * 16);
    const shareNumbers = new Uint8Array(count);
    const corrupt = new Uint8Array(count);
    const immutable = fileKinds.indexOf('immutable');
    let at = 0;
    for (let slot = 0; slot < this.#limit; slot++) {
      if (((this.#meta[slot] as number) & kindMask) !== immutable) continue;
      storageIndexes.set(this.#storageIndexes.subarray(slot * 16, slot * 16 + 16), at * 16);
      shareNumbers[at] = this.#numbers[slot] as number;
      corrupt[at] = this.has(slot, corruptFlag) ? 1 : 0;
      at++;
    }
    return { count, storageIndexes, shareNumbers, corrupt };
  }

  #seek(from: number, storageIndex: Uint8Array, offset: number): number {
    const indexes = this.#storageIndexes;
    for (let slot = from; slot !== none; slot = this.#next[slot] as number) {
      let i = 0;
      while (i < 16 && indexes[slot * 16 + i] === storageIndex[offset + i]) i++;
      if (i === 16) return slot;
    }
    return none;
  }

  #count(slot: number, kind: FileKind, sizeBytes: number): void {
    const code = fileKinds.indexOf(kind);
    this.#meta[slot] = ((this.#meta[slot] as number) & ~kindMask) | code;
    this.#sizes[slot] = sizeBytes;
    (this.#counts[code] as number)++;
    if (kind === 'immutable') this.#shareBytes += sizeBytes;
    if (this.has(slot, corruptFlag)) this.#corruptCount++;
  }

  #uncount(slot: number): void {
    const code = (this.#meta[slot] as number) & kindMask;
    (this.#counts[code] as number)--;
    if (fileKinds[code] === 'immutable') this.#shareBytes -= this.#sizes[slot] as number;
    if (this.has(slot, corruptFlag)) this.#corruptCount--;
  }

  /** Storage indexes are hashes, but a peer may be given chosen ones: all 16 bytes are mixed. */
  #bucketOf(bytes: Uint8Array, offset: number): number {
    let hash = 0x811c9dc5;
    for (let i = 0; i < 16; i++) hash = Math.imul(hash ^ (bytes[offset + i] as number), 0x01000193);
    return (hash ^ (hash >>> 15)) & (this.#heads.length - 1);
  }

  #resize(capacity: number): void {
    this.#capacity = capacity;
    this.#storageIndexes = grown(this.#storageIndexes, new Uint8Array(capacity * 16));
    this.#sizes = grown(this.#sizes, new Float64Array(capacity));
    this.#stamps = grown(this.#stamps, new Uint32Array(capacity));
    this.#manifestTags = grown(this.#manifestTags, new Uint32Array(capacity));
    this.#numbers = grown(this.#numbers, new Uint8Array(capacity));
    this.#meta = grown(this.#meta, new Uint8Array(capacity));
    this.#next = grown(this.#next, new Int32Array(capacity));
    let buckets = this.#heads.length === 0 ? 32 : this.#heads.length;
    while (buckets * 2 < capacity) buckets *= 2;
    if (buckets !== this.#heads.length) this.#rechain(buckets);
  }

  #rechain(buckets: number): void {
    this.#heads = new Int32Array(buckets).fill(none);
    for (let slot = 0; slot < this.#limit; slot++) {
      if (!this.isUsed(slot)) continue; // the free list lives in the same column and stays as it is
      const bucket = this.#bucketOf(this.#storageIndexes, slot * 16);
      this.#next[slot] = this.#heads[bucket] as number;
      this.#heads[bucket] = slot;
    }
  }
}

function grown<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
