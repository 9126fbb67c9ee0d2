/**
 * Things that several may change at once. Each writes the whole of the next revision under a key of its own, and the first record
 * of a revision counts: compaction, which keeps the newest record of a key, never puts a later one in its place. Of several
 * revisions the largest stands, so that it does not matter which earlier ones are still there.
 */
export interface RevisionedEntry<T> {
  readonly value: T;
  readonly nonce: string;
  /** Offset of the record that says it. */
  readonly offset: number;
}

/** Nonces of revisions that counted, remembered so that whoever wrote one knows, however many came since. */
const rememberedRevisions = 64;

export class Revisioned<T extends { readonly revision: number }> {
  readonly #entries = new Map<string, RevisionedEntry<T>>();
  readonly #counted = new Map<string, Map<number, string>>();

  get size(): number {
    return this.#entries.size;
  }

  entry(id: string): RevisionedEntry<T> | undefined {
    return this.#entries.get(id);
  }

  values(): readonly T[] {
    return [...this.#entries.values()].map(({ value }) => value);
  }

  /** Whether the record of this revision and nonce is the one that counted. */
  hasCounted(id: string, revision: number, nonce: string): boolean {
    return this.#counted.get(id)?.get(revision) === nonce;
  }

  take(id: string, value: T, nonce: string, offset: number): void {
    const standing = this.#entries.get(id);
    if (standing !== undefined && standing.value.revision >= value.revision) return;
    this.#entries.set(id, { value, nonce, offset });
    const counted = this.#counted.get(id) ?? new Map<number, string>();
    counted.set(value.revision, nonce);
    const [oldest] = counted.keys();
    if (counted.size > rememberedRevisions && oldest !== undefined) counted.delete(oldest);
    this.#counted.set(id, counted);
  }

  /** A tombstone of the revision that stands takes it away; one of another revision only makes room. @returns whether it went. */
  forget(id: string, revision: number, nonce: string): boolean {
    const standing = this.#entries.get(id);
    if (standing === undefined || standing.value.revision !== revision || standing.nonce !== nonce) return false;
    this.#entries.delete(id);
    this.#counted.delete(id);
    return true;
  }
}
