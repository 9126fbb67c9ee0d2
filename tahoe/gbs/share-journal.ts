/**
 * What makes shares durable before their files are: a share's record is synced, its file is written and put in its place without a
 * sync, and the file system writes it when it likes. Two files take turns. The one that is full, or a minute old, is emptied after one
 * sync of the file system for all that was put in place by it. Records that are still there at a start are replayed (`journal-replay.ts`):
 * after a power cut what they tell of may not be on the disk.
 */
import type { Clock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { type Disk, diskError, isDiskFull, type JournalAtOnce } from './disk.ts';
import { recordSpace } from './journal-record.ts';
import { type JournalEntry, JournalSegment, type RecordToAppend } from './journal-segment.ts';
import type { ShareName } from './share-name.ts';

/** In the folder that holds `shares/`. Other programs, and earlier releases, do not look at them. */
export function journalPathsOf(root: string): [string, string] {
  return [`${root}/share-journal-0`, `${root}/share-journal-1`];
}

export interface ShareJournalOptions {
  readonly root: string;
  readonly disk: Disk;
  readonly journal: JournalAtOnce;
  readonly clock: Clock;
  /** Of both files together. */
  readonly maxBytes: number;
  /** A share's file is synced so long after its record at the latest. */
  readonly maxAgeMs: number;
  /** Told once why the journal is not used any more; shares are synced one by one then. */
  readonly onFailure: (error: unknown) => void;
}

/** Shares that were short enough for it and were synced by themselves: it had no room, or their records could not be written. */
export type BypassReason = 'full' | 'unwritten';

export interface ShareJournalStats {
  /** False after a failure, and where there is none. */
  readonly isJournalUsed: boolean;
  /** Of records of shares whose files are not known to be on the disk. */
  readonly journalBytes: number;
  readonly maxJournalBytes: number;
  /** How long the oldest of these records has waited for a sync of the file system; 0 where there is none. */
  readonly oldestRecordAgeMs: number;
  /** Shares whose record in the journal made them durable, since the start. */
  readonly sharesJournalled: number;
  readonly sharesBypassed: Readonly<Record<BypassReason, number>>;
}

export const noJournal: ShareJournalStats = {
  isJournalUsed: false,
  journalBytes: 0,
  maxJournalBytes: 0,
  oldestRecordAgeMs: 0,
  sharesJournalled: 0,
  sharesBypassed: { full: 0, unwritten: 0 },
};

export class ShareJournal {
  readonly #options: ShareJournalOptions;
  readonly #segments: readonly [JournalSegment, JournalSegment];
  #active: 0 | 1 = 0;
  #order = 0;
  #isOff = false;
  #opening: Promise<void> | undefined;
  #emptying: Promise<void> | undefined;
  #isDue = false;
  #callOffAge: (() => void) | undefined;
  #journalled = 0;
  readonly #bypassed: Record<BypassReason, number> = { full: 0, unwritten: 0 };
  /** By file, when the first of its records came. */
  readonly #sinceMs: [number | undefined, number | undefined] = [undefined, undefined];

  constructor(options: ShareJournalOptions) {
    this.#options = options;
    const maxBytes = Math.floor(options.maxBytes / 2);
    const [first, second] = journalPathsOf(options.root).map(
      (path) => new JournalSegment({ ...options, path, maxBytes }),
    );
    this.#segments = [first as JournalSegment, second as JournalSegment];
  }

  stats(): ShareJournalStats {
    const nowMs = this.#options.clock.monotonicMs();
    return {
      isJournalUsed: !this.#isOff,
      journalBytes: this.#usedBytes,
      maxJournalBytes: this.#options.maxBytes,
      oldestRecordAgeMs: Math.max(0, ...this.#sinceMs.map((sinceMs = nowMs) => nowMs - sinceMs)),
      sharesJournalled: this.#journalled,
      sharesBypassed: { ...this.#bypassed },
    };
  }

  /** Room for records that belong together. Undefined where there is none, and where the journal is not used. */
  async begin(records: readonly RecordToAppend[]): Promise<JournalEntry | undefined> {
    const shareCount = records.length;
    const entry = await this.#reserve(records);
    if (entry === undefined) {
      if (!this.#isOff) this.#bypassed.full += shareCount;
      return undefined;
    }
    return {
      ...entry,
      appended: (isDurable) => {
        if (isDurable) this.#journalled += shareCount;
        else this.#bypassed.unwritten += shareCount;
        entry.appended(isDurable);
      },
    };
  }

  async #reserve(records: readonly RecordToAppend[]): Promise<JournalEntry | undefined> {
    const space = records.reduce((sum, record) => sum + recordSpace(record.contentBytes), 0);
    let entry: JournalEntry | undefined;
    // While this waits others may take the room, or the file may be turned over: once more is enough.
    for (let attempt = 0; entry === undefined && attempt < 2; attempt++) {
      if (this.#isOff) return undefined;
      if (!this.#segment.hasRoom(space)) {
        if (this.#emptying !== undefined || this.#segment.usedBytes === 0) return undefined;
        this.#turnOver();
      }
      const segment = this.#segment;
      if (!segment.isOpen) await this.#open(segment);
      while (segment.growing !== undefined) await segment.growing;
      if (!this.#isOff && segment === this.#segment) entry = segment.reserve(records);
    }
    if (entry === undefined) return undefined;
    this.#sinceMs[this.#active] ??= this.#options.clock.monotonicMs();
    this.#callOffAge ??= this.#options.clock.after(this.#options.maxAgeMs, () => {
      this.#isDue = true;
      if (this.#emptying === undefined) this.#turnOver();
    });
    return entry;
  }

  /** Whether there is a record that can be revoked. */
  holds(share: ShareName): boolean {
    return !this.#isOff && this.#segments.some((segment) => segment.holds(share));
  }

  /** What was recorded is not to be put back: it was not stored in the end, or was removed. Durable when it resolves, unless the disk fails. */
  async revoke(shares: readonly ShareName[]): Promise<void> {
    if (this.#isOff) return;
    for (const segment of this.#segments) {
      const outcome = await segment.revoke(shares);
      if (outcome !== 0) this.failed(diskError(outcome, 'write the journal'));
    }
  }

  #stop(error: unknown): void {
    this.#isOff = true;
    this.#options.onFailure(
      new MeshwardError('disk-failed', 'the journal of shares is not used any more: shares are synced one by one', {
        next: "Look at the disk and the system's log. Once the disk is sound, start the peer again: it replays what the journal holds.",
        cause: error,
      }),
    );
  }

  /** Records could not be written. A full disk may have room later; after anything else the journal is left as it is. */
  failed(error: unknown): void {
    if (!this.#isOff && !isDiskFull(error)) this.#stop(error);
  }

  /** Syncs what is recorded, and leaves no file behind where that went well. Nothing is begun any more. */
  async close(): Promise<void> {
    this.#callOffAge?.();
    await this.#emptying;
    await this.#opening;
    const wasOff = this.#isOff;
    this.#isOff = true;
    await Promise.all(this.#segments.map((segment) => segment.unused()));
    const isDurable = !wasOff && (this.#usedBytes === 0 || (await this.#sync()));
    // The older one first: what the newer one revokes must not be left alone.
    const older = this.#active === 0 ? 1 : 0;
    for (const segment of [this.#segments[older], this.#segments[this.#active]]) {
      const isThere = segment.isOpen;
      await segment.close();
      if (isThere && isDurable) await this.#options.disk.unlink(segment.path).catch(() => undefined); // replayed, to no effect
    }
  }

  get #usedBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.usedBytes, 0);
  }

  get #segment(): JournalSegment {
    return this.#segments[this.#active];
  }

  #open(segment: JournalSegment): Promise<void> {
    this.#opening ??= segment
      .empty(++this.#order)
      .catch((error: unknown) => this.failed(error))
      .finally(() => {
        this.#opening = undefined;
      });
    return this.#opening;
  }

  /** The other file takes the records from now on, and this one is emptied. */
  #turnOver(): void {
    const full = this.#segment;
    this.#active = this.#active === 0 ? 1 : 0;
    this.#isDue = false;
    this.#callOffAge?.();
    this.#callOffAge = undefined;
    this.#emptying = this.#empty(full).finally(() => {
      this.#emptying = undefined;
      if (this.#isDue && !this.#isOff) this.#turnOver();
    });
  }

  async #empty(segment: JournalSegment): Promise<void> {
    await segment.unused();
    if (!(await this.#sync())) return;
    this.#sinceMs[this.#segments[0] === segment ? 0 : 1] = undefined;
    await segment.empty(++this.#order).catch((error: unknown) => this.failed(error));
  }

  async #sync(): Promise<boolean> {
    try {
      const outcome = await this.#options.journal.syncFileSystem(this.#options.root);
      if (outcome !== 0) throw diskError(outcome, 'sync the file system');
      return true;
    } catch (error) {
      this.#stop(error);
      return false;
    }
  }
}
