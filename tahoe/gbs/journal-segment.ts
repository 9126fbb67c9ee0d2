/** One of the two files of a journal of shares: records are appended until it is full or old, then it is emptied and used again. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type DiskOutcome, type JournalPlace, recordAlignment } from '#native/disk.ts';
import { type Disk, diskError, errorCodeOf, type JournalAtOnce, syncFolder } from './disk.ts';
import { encodeRecordHead, nonceBytes, recordSpace } from './journal-record.ts';
import { type ShareName, shareKey } from './share-name.ts';

export interface RecordToAppend extends ShareName {
  readonly contentBytes: number;
}

/** Room for records. Every entry is appended or failed, and then over. */
export interface JournalEntry {
  readonly place: JournalPlace;
  /** Of each record, in the order in which they were asked for. */
  readonly records: readonly { readonly position: number; readonly head: Uint8Array }[];
  /** The records are durable, or were not written. */
  appended(isDurable: boolean): void;
  /** What they tell of is in its place, though not synced, or never will be. May be said again. */
  over(): void;
}

/** The file grows by so much, since writing over blocks that are there costs less than adding some. */
const growthBytes = 256 * 1024;

export class JournalSegment {
  readonly #disk: Disk;
  readonly #journal: JournalAtOnce;
  readonly #root: string;
  readonly #maxBytes: number;
  readonly path: string;
  #fd: number | undefined;
  #nonce: Uint8Array = new Uint8Array(nonceBytes);
  #at = 0;
  #fileBytes = 0;
  #growing: Promise<void> | undefined;
  #users = 0;
  /** Where the last record of each share stands. */
  readonly #positions = new Map<string, number>();
  #whenUnused: (() => void) | undefined;

  constructor(given: { root: string; path: string; disk: Disk; journal: JournalAtOnce; maxBytes: number }) {
    this.#disk = given.disk;
    this.#journal = given.journal;
    this.#root = given.root;
    this.#maxBytes = given.maxBytes;
    this.path = given.path;
  }

  get isOpen(): boolean {
    return this.#fd !== undefined;
  }

  /** Bytes of records since it was emptied. */
  get usedBytes(): number {
    return Math.max(0, this.#at - recordAlignment);
  }

  hasRoom(space: number): boolean {
    return Math.max(this.#at, recordAlignment) + space <= this.#maxBytes;
  }

  /** Makes the file, or empties it, which is durable when it resolves. @param order grows with each call for either segment. */
  async empty(order: number): Promise<void> {
    const fd = this.#fd ?? (await openDirectly(this.#disk, this.path));
    const nonce = randomBytes(nonceBytes);
    const content = Buffer.alloc(8);
    content.writeBigUInt64LE(BigInt(order));
    const head = encodeRecordHead({ kind: 'segment', nonce, shareNumber: 0, contentBytes: content.length, index: '' });
    try {
      const outcome = await this.#journal.appendRecords({ fd, growTo: 0 }, [{ position: 0, head, parts: [content] }]);
      if (outcome !== 0) throw diskError(outcome, 'write the journal');
      if (this.#fd === undefined) await syncFolder(this.#disk, this.#root);
    } catch (error) {
      if (this.#fd === undefined) await this.#disk.close(fd);
      throw error;
    }
    this.#fd = fd;
    this.#nonce = nonce;
    this.#at = recordAlignment;
    this.#fileBytes = Math.max(this.#fileBytes, recordAlignment);
  }

  /**
   * The growth that is under way: its zeros would fall on what is written behind it. Who waited for it looks again, and reserves
   * without waiting for anything in between.
   */
  get growing(): Promise<void> | undefined {
    return this.#growing;
  }

  /** Undefined where there is no room. */
  reserve(records: readonly RecordToAppend[]): JournalEntry | undefined {
    const space = records.reduce((sum, record) => sum + recordSpace(record.contentBytes), 0);
    if (this.#fd === undefined || this.#growing !== undefined || !this.hasRoom(space)) return undefined;
    const placed = records.map((record) => {
      const position = this.#at;
      this.#at += recordSpace(record.contentBytes);
      this.#positions.set(shareKey(record), position);
      return { position, head: encodeRecordHead({ ...record, kind: 'share', nonce: this.#nonce }) };
    });
    const end = this.#at;
    const growTo =
      end > this.#fileBytes ? Math.min(this.#maxBytes, Math.ceil(end / growthBytes) * growthBytes) : this.#fileBytes;
    const isGrowing = growTo > this.#fileBytes;
    const growth = Promise.withResolvers<void>();
    if (isGrowing) this.#growing = growth.promise;
    let isOver = false;
    this.#users++;
    return {
      place: { fd: this.#fd, growTo: isGrowing ? growTo : 0 },
      records: placed,
      appended: (isDurable) => {
        if (!isGrowing) return;
        if (isDurable) this.#fileBytes = growTo;
        this.#growing = undefined;
        growth.resolve();
      },
      over: () => {
        if (isOver) return;
        isOver = true;
        this.#left();
      },
    };
  }

  holds(share: ShareName): boolean {
    return this.#positions.has(shareKey(share));
  }

  /**
   * Writes over the records of those that it has: they are not to be put back. There is always room for that. Where it is cut short
   * by a power cut the record is none either.
   */
  async revoke(shares: readonly ShareName[]): Promise<DiskOutcome> {
    const records = shares.flatMap((share) => {
      const position = this.#positions.get(shareKey(share));
      if (position === undefined) return [];
      const head = encodeRecordHead({ ...share, kind: 'revoked', contentBytes: 0, nonce: this.#nonce });
      return [{ position, head, parts: [] }];
    });
    if (this.#fd === undefined || records.length === 0) return 0;
    this.#users++;
    try {
      const inOrder = records.toSorted((a, b) => a.position - b.position);
      return await this.#journal.appendRecords({ fd: this.#fd, growTo: 0 }, inOrder);
    } finally {
      this.#left();
    }
  }

  /** Resolves when every entry is over; what it has cannot be revoked any more. Nothing is reserved meanwhile. */
  async unused(): Promise<void> {
    while (this.#users > 0) {
      await new Promise<void>((resolve) => {
        this.#whenUnused = resolve;
      });
    }
    this.#whenUnused = undefined;
    this.#positions.clear();
  }

  #left(): void {
    this.#users--;
    if (this.#users === 0) this.#whenUnused?.();
  }

  async close(): Promise<void> {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) await this.#disk.close(fd);
  }
}

/** Past the page cache where the file system can. */
async function openDirectly(disk: Disk, path: string): Promise<number> {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_DSYNC;
  try {
    return await disk.open(path, flags | constants.O_DIRECT, 0o600);
  } catch (error) {
    if (errorCodeOf(error) !== 'EINVAL') throw error;
    return disk.open(path, flags, 0o600);
  }
}
