/** The `k` shares that a file is read from, with others standing in for those that fail on the way. */
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { sameManifest } from '#mesh/manifest.ts';
import type { VerifiedShare } from './verified-share.ts';

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
    const parts = await Promise.all(this.#active.map((_, slot) => this.#readSlot(slot, firstSegment, count)));
    return { numbers: parts.map((part) => part.shareNumber), blocks: parts.map((part) => part.blocks) };
  }

  async #readSlot(
    slot: number,
    firstSegment: number,
    count: number,
  ): Promise<{ shareNumber: number; blocks: Uint8Array }> {
    for (;;) {
      throwIfCancelled(this.#signal);
      const share = this.#active[slot] as VerifiedShare;
      try {
        return { shareNumber: share.shareNumber, blocks: await share.readBlocks(firstSegment, count) };
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
