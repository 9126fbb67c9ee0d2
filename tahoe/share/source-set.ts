/** The `k` shares that a file is read from, with others standing in for those that fail on the way. */
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { sameManifest } from '#mesh/manifest.ts';
import { corruptBlock, type UncheckedBlocks, type VerifiedShare } from './verified-share.ts';

/**
 * Finds another share for one that failed, or null where there is none left. `error` says why: a share error code
 * (corrupt, cut short) or whatever the source threw (dead, too slow).
 */
export type ReplaceSource = (shareNumber: number, error: unknown) => Promise<VerifiedShare | null>;

export interface SourceFailure {
  readonly shareNumber: number;
  readonly error: unknown;
  /** Share number of the source that took its place. */
  readonly replacedBy: number | null;
}

/** Blocks of some consecutive segments, out of `k` shares: `blocks[i]` belongs to share `numbers[i]`. */
export interface BlockWindow {
  readonly numbers: readonly number[];
  readonly blocks: readonly Uint8Array[];
}

/** Blocks that nobody has checked yet, with the hashes that they must have: `expectedHashes[i]` are those of `blocks[i]`. */
export interface UncheckedWindow extends BlockWindow {
  readonly firstSegment: number;
  readonly count: number;
  readonly shares: readonly VerifiedShare[];
  readonly expectedHashes: readonly Uint8Array[];
}

interface SlotRead<T> {
  readonly share: VerifiedShare;
  readonly read: T;
}

/** A block that turned out bad: `slot` in the window, and its segment in the file. */
export interface BadBlock {
  readonly slot: number;
  readonly segment: number;
}

export class SourceSet {
  readonly first: VerifiedShare;
  readonly failures: SourceFailure[] = [];
  /** Every share that was ever in the set, failed ones too: their chains stay true. */
  readonly seen: VerifiedShare[];
  readonly #active: VerifiedShare[];
  readonly #spares: VerifiedShare[];
  readonly #replace: ReplaceSource;
  readonly #signal: AbortSignal | undefined;
  /** Replacements are found one after another, so that no share stands in for two. */
  #lastReplacement: Promise<unknown> = Promise.resolve();

  /**
   * @param sources verified shares of one file; those beyond the first `k` distinct numbers are spares.
   * @throws MeshwardError `not-enough-shares` below `k`, `bad-input` where they are of different files.
   */
  constructor(
    sources: readonly VerifiedShare[],
    options: { replace?: ReplaceSource | undefined; signal?: AbortSignal | undefined },
  ) {
    const [first] = sources;
    if (first === undefined) throw notEnough('no share was given', undefined, {});
    const { manifest } = first;
    if (!sources.every((share) => sameManifest(share.manifest, manifest))) {
      throw new MeshwardError('bad-input', 'the shares given are of different files', {
        next: 'Open every share with the same manifest.',
      });
    }
    this.first = first;
    this.seen = [...sources];
    this.#active = [];
    this.#spares = [];
    const numbers = new Set<number>();
    for (const share of sources) {
      const isActive = numbers.size < manifest.k && !numbers.has(share.shareNumber);
      if (isActive) numbers.add(share.shareNumber);
      (isActive ? this.#active : this.#spares).push(share);
    }
    if (numbers.size < manifest.k) {
      throw notEnough(`${numbers.size} of the ${manifest.k} shares needed were given`, undefined, {
        have: numbers.size,
      });
    }
    this.#replace = options.replace ?? (() => Promise.resolve(null));
    this.#signal = options.signal;
  }

  /** The shares that are read from at present. */
  get active(): readonly VerifiedShare[] {
    return this.#active;
  }

  /** @throws MeshwardError `not-enough-shares` where a share failed and nothing can replace it, `cancelled`. */
  async readWindow(firstSegment: number, count: number): Promise<BlockWindow> {
    const parts = await Promise.all(
      this.#active.map((_, slot) => this.#readSlot(slot, (share) => share.readBlocks(firstSegment, count))),
    );
    return { numbers: parts.map(({ share }) => share.shareNumber), blocks: parts.map(({ read }) => read) };
  }

  /** As `readWindow`, for who hashes the blocks on the way and then tells of bad ones by `replaceBad`. */
  readUnchecked(firstSegment: number, count: number): Promise<UncheckedWindow> {
    return this.#uncheckedOf(
      firstSegment,
      count,
      this.#active.map((_, slot) => this.#readUncheckedSlot(slot, firstSegment, count)),
    );
  }

  /**
   * The window with other shares in the place of those whose blocks are bad. Where an earlier window has replaced a share that
   * this one was read from already, it is replaced here too, so that no share stands in two places.
   * @throws MeshwardError as `readWindow`.
   */
  async replaceBad(window: UncheckedWindow, bad: readonly BadBlock[]): Promise<UncheckedWindow> {
    for (const { slot, segment } of bad) {
      throwIfCancelled(this.#signal);
      const share = window.shares[slot] as VerifiedShare;
      if (this.#active[slot] === share) await this.#replaceSlot(slot, share, corruptBlock(segment));
    }
    const { firstSegment, count } = window;
    const parts = window.shares.map((share, slot) => {
      if (this.#active[slot] !== share) return this.#readUncheckedSlot(slot, firstSegment, count);
      const [blocks, expectedHashes] = [window.blocks[slot], window.expectedHashes[slot]] as [Uint8Array, Uint8Array];
      return Promise.resolve({ share, read: { blocks, expectedHashes } });
    });
    return this.#uncheckedOf(firstSegment, count, parts);
  }

  #readUncheckedSlot(slot: number, firstSegment: number, count: number): Promise<SlotRead<UncheckedBlocks>> {
    return this.#readSlot(slot, (share) => share.readUnchecked(firstSegment, count));
  }

  async #uncheckedOf(
    firstSegment: number,
    count: number,
    reading: readonly Promise<SlotRead<UncheckedBlocks>>[],
  ): Promise<UncheckedWindow> {
    const parts = await Promise.all(reading);
    return {
      firstSegment,
      count,
      shares: parts.map(({ share }) => share),
      numbers: parts.map(({ share }) => share.shareNumber),
      blocks: parts.map(({ read }) => read.blocks),
      expectedHashes: parts.map(({ read }) => read.expectedHashes),
    };
  }

  async #readSlot<T>(slot: number, read: (share: VerifiedShare) => Promise<T>): Promise<SlotRead<T>> {
    for (;;) {
      throwIfCancelled(this.#signal);
      const share = this.#active[slot] as VerifiedShare;
      try {
        return { share, read: await read(share) };
      } catch (error) {
        throwIfCancelled(this.#signal);
        await this.#replaceSlot(slot, share, error);
      }
    }
  }

  async #replaceSlot(slot: number, failed: VerifiedShare, error: unknown): Promise<void> {
    const turn = this.#lastReplacement.then(() => this.#findReplacement(slot, failed, error));
    this.#lastReplacement = turn.catch(() => undefined);
    await turn;
  }

  async #findReplacement(slot: number, failed: VerifiedShare, error: unknown): Promise<void> {
    const { manifest } = this.first;
    const isUsable = (share: VerifiedShare): boolean =>
      !this.#active.some((other, i) => i !== slot && other.shareNumber === share.shareNumber);
    const spare = this.#spares.findIndex(isUsable);
    let found = spare < 0 ? null : (this.#spares.splice(spare, 1)[0] as VerifiedShare);
    // A provider that keeps handing out shares that are in use already is asked only so often.
    for (let asked = 0; found === null && asked <= manifest.n && this.failures.length <= 4 * manifest.n; asked++) {
      const offered = await this.#replace(failed.shareNumber, error);
      if (offered === null) break;
      if (!sameManifest(offered.manifest, manifest) || !isUsable(offered) || offered === failed) continue;
      found = offered;
      this.seen.push(offered);
    }
    this.failures.push({ shareNumber: failed.shareNumber, error, replacedBy: found?.shareNumber ?? null });
    if (found === null) {
      throw notEnough(
        `share ${failed.shareNumber} failed and none is left to replace it: ${describeError(error)}`,
        error,
        {
          have: manifest.k - 1,
          failed: this.failures.map(({ shareNumber, error }) => ({ shareNumber, reason: describeError(error) })),
        },
      );
    }
    this.#active[slot] = found;
  }
}

export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new MeshwardError('cancelled', 'the work was called off', {
    next: 'Start it again when it is wanted.',
    cause: signal.reason,
  });
}

function notEnough(message: string, cause: unknown, details: Record<string, unknown>): MeshwardError {
  return new MeshwardError('not-enough-shares', message, {
    next: 'Wait for peers with other shares to come back, or give more sources; the file is not lost while they may return.',
    cause,
    details,
  });
}

/** What was read for a window is done with; of small shares, which came whole, all windows are one piece. */
export function letGo({ shares, blocks }: UncheckedWindow): void {
  for (const [slot, share] of shares.entries()) share.letGo(blocks[slot] as Uint8Array);
}
