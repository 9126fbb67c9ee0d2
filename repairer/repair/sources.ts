/** The shares that a file is read from: opened and verified, best first, with others standing in for those that fail. */
import { type Clock, sleep } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { Manifest } from '#mesh/manifest.ts';
import type { PlacedShare } from '#peers/locate.ts';
import type { WorkTransfer } from '#peers/transfer.ts';
import { isShareError, openShare, type VerifiedShare } from '#tahoe/share/index.ts';
import type { ShareSource } from '#tahoe/share/reader.ts';

export interface SourceFault extends PlacedShare {
  readonly error: unknown;
  /** The share itself is bad; otherwise it could not be had. */
  readonly corrupt: boolean;
}

export interface SourcePoolOptions {
  readonly manifest: Manifest;
  /** Best first; numbers may come more than once. */
  readonly candidates: readonly PlacedShare[];
  readonly transfer: WorkTransfer;
  readonly clock: Clock;
  /** When opening takes longer than this, more candidates are tried beside the slow ones. */
  readonly hedgeAfterMs: number;
  /** Shares up to this length are read in one request when they are opened. @default what `openShare` takes */
  readonly headBytes?: number;
  /** Called once, when every candidate was tried: other places where shares of the file may lie. */
  readonly more?: () => Promise<readonly PlacedShare[]>;
}

interface OpenedShare {
  readonly at: PlacedShare;
  readonly share: VerifiedShare;
}

export class SourcePool {
  readonly faults: SourceFault[] = [];
  readonly #options: SourcePoolOptions;
  #waiting: PlacedShare[];
  /** Handed out, by number. */
  readonly #opened = new Map<number, OpenedShare>();
  /** Opened as well and not needed so far: the first to stand in. */
  readonly #spares = new Map<number, OpenedShare>();
  readonly #everUsed = new Map<string, PlacedShare>();
  #askedForMore = false;

  constructor(options: SourcePoolOptions) {
    this.#options = options;
    this.#waiting = [...options.candidates];
  }

  /** Every place that was read from. */
  get used(): readonly PlacedShare[] {
    return [...this.#everUsed.values()];
  }

  /**
   * `count` verified shares with distinct numbers.
   * @throws MeshwardError `not-enough-shares` when every candidate was tried.
   */
  async open(count: number): Promise<VerifiedShare[]> {
    const { transfer } = this.#options;
    while (this.#opened.size < count) {
      transfer.signal.throwIfAborted();
      if (!this.#hasNext() && !(await this.#findMore())) throw this.#notEnough(count);
      const enough = new AbortController();
      const racing = AbortSignal.any([transfer.signal, enough.signal]);
      const searches: Promise<void>[] = [];
      const startSearches = (wanted: number): void => {
        for (let started = 0; started < wanted; started++) {
          const search = this.#search(count, enough, racing);
          // A failure is met below, in the search's turn; the others fail alike.
          search.catch(() => undefined);
          searches.push(search);
        }
      };
      startSearches(count - this.#opened.size);
      const hedge = this.#hedge(enough.signal, () => startSearches(Math.ceil(count / 4)));
      // A search ends when there is enough or nothing left to try; then the slow ones are no longer waited for.
      try {
        for (let ended = 0; ended < searches.length; ended++) await searches[ended];
      } finally {
        enough.abort();
        await hedge;
        await Promise.allSettled(searches);
      }
    }
    // Of those beyond the count the pool must know what became of them: they are handed out by `replace`.
    for (const [number, opened] of [...this.#opened].slice(count)) {
      this.#opened.delete(number);
      this.#spares.set(number, opened);
    }
    return [...this.#opened.values()].map(({ share }) => share);
  }

  /** For `ReplaceSource`: takes note of the failure and opens another share; null where none is left. */
  async replace(shareNumber: number, error: unknown): Promise<VerifiedShare | null> {
    const failed = this.#opened.get(shareNumber);
    if (failed !== undefined) {
      this.#opened.delete(shareNumber);
      this.#noteFault(failed.at, error);
    }
    for (;;) {
      this.#options.transfer.signal.throwIfAborted();
      const [spare] = this.#spares;
      if (spare !== undefined) {
        this.#spares.delete(spare[0]);
        this.#opened.set(...spare);
        return spare[1].share;
      }
      const next = this.#next();
      if (next === undefined) {
        if (await this.#findMore()) continue;
        return null;
      }
      const share = await this.#tryOpen(next, this.#options.transfer.signal);
      if (share !== null) return share;
    }
  }

  /** Again and again, while the ones under way are slow and there are others to try. */
  async #hedge(enough: AbortSignal, startMore: () => void): Promise<void> {
    const { clock, hedgeAfterMs } = this.#options;
    while (!enough.aborted && this.#hasNext()) {
      await sleep(clock, hedgeAfterMs, enough).then(startMore, () => undefined);
    }
  }

  /** Opens one share, from the first candidate that has it. */
  async #search(count: number, enough: AbortController, racing: AbortSignal): Promise<void> {
    while (!enough.signal.aborted) {
      const next = this.#next();
      if (next === undefined) return;
      const share = await this.#tryOpen(next, racing);
      if (this.#opened.size >= count) enough.abort();
      if (share !== null) return;
    }
  }

  /** The next candidate whose number is not there yet. */
  #next(): PlacedShare | undefined {
    const at = this.#nextIndex();
    return at < 0 ? undefined : this.#waiting.splice(at, 1)[0];
  }

  #hasNext(): boolean {
    return this.#nextIndex() >= 0;
  }

  #nextIndex(): number {
    return this.#waiting.findIndex((candidate) => !this.#opened.has(candidate.shareNumber));
  }

  async #tryOpen(at: PlacedShare, signal: AbortSignal): Promise<VerifiedShare | null> {
    const { manifest, transfer, headBytes } = this.#options;
    try {
      // Later reads must outlive the race for the first k, so they have the signal of the whole work.
      let opening = true;
      const racing = transfer.source(at.peerId, manifest.storageIndex, at.shareNumber, signal);
      const lasting = transfer.source(at.peerId, manifest.storageIndex, at.shareNumber);
      const source: ShareSource = {
        ...lasting,
        read: (offset, length) => (opening ? racing : lasting).read(offset, length),
      };
      const share = await openShare(source, manifest, at.shareNumber, headBytes);
      opening = false;
      if (this.#opened.has(at.shareNumber)) {
        // Another copy was faster; this one is sound, and may be wanted when that one fails.
        this.#waiting.unshift(at);
        return null;
      }
      this.#opened.set(at.shareNumber, { at, share });
      this.#everUsed.set(placeKey(at), at);
      return share;
    } catch (error) {
      if (transfer.signal.aborted) throw error;
      // Only too slow for this race: it may still be wanted later.
      if (signal.aborted) this.#waiting.push(at);
      else this.#noteFault(at, error);
      return null;
    }
  }

  #noteFault(at: PlacedShare, error: unknown): void {
    const corrupt = isShareError(error);
    this.faults.push({ ...at, error, corrupt });
    if (!corrupt) return;
    const { transfer, manifest } = this.#options;
    void transfer.reportCorruption(at.peerId, manifest.storageIndex, at.shareNumber, describeError(error));
  }

  async #findMore(): Promise<boolean> {
    if (this.#askedForMore || this.#options.more === undefined) return false;
    this.#askedForMore = true;
    const tried = new Set([...this.faults, ...this.used, ...this.#waiting].map(placeKey));
    const found = await this.#options.more();
    this.#waiting.push(...found.filter((each) => !tried.has(placeKey(each))));
    return this.#hasNext();
  }

  #notEnough(count: number): MeshwardError {
    const corrupt = this.faults.filter((fault) => fault.corrupt).length;
    return new MeshwardError(
      'not-enough-shares',
      `${this.#opened.size} of the ${count} shares needed could be read; ${corrupt} are corrupt, ${this.faults.length - corrupt} out of reach`,
      {
        next: 'Wait for peers with other shares to come back; the file is not lost while they may return.',
        cause: this.faults.at(-1)?.error,
        details: { have: this.#opened.size, need: count, corrupt, unreachable: this.faults.length - corrupt },
      },
    );
  }
}

function placeKey({ peerId, shareNumber }: PlacedShare): string {
  return `${peerId}/${shareNumber}`;
}
