/**
 * What stands in the share folder and is no share: counted by kind and shown with a few examples, never reported as stored.
 * Files with a share's name that hold something else are counted by the share table.
 */

/**
 * - `foreign`: a name that no share or folder of shares has (an upload's `7.tmp` among them).
 * - `link`: a symbolic link; never followed.
 * - `folder-as-share`: a folder, pipe or device with a share's name.
 * - `unreadable-folder`: its shares are unknown, and so not declared lost.
 */
export const oddityKinds = ['foreign', 'link', 'folder-as-share', 'unreadable-folder'] as const;
export type OddityKind = (typeof oddityKinds)[number];

export interface Oddity {
  readonly name: string;
  readonly kind: OddityKind;
}

/** Most that are kept one by one; further ones are not counted, and that is said. */
const keptLimit = 10_000;

export class Oddities {
  readonly #byFolder = new Map<string, readonly Oddity[]>();
  #kept = 0;
  #isCut = false;

  /** Replaces what is known of a folder. */
  set(folder: string, oddities: readonly Oddity[]): void {
    this.#kept -= this.#byFolder.get(folder)?.length ?? 0;
    this.#byFolder.delete(folder);
    if (oddities.length === 0) return;
    const kept = oddities.slice(0, Math.max(0, keptLimit - this.#kept));
    if (kept.length < oddities.length) this.#isCut = true;
    if (kept.length === 0) return;
    this.#byFolder.set(folder, kept);
    this.#kept += kept.length;
  }

  /** Forgets folders that are gone; called by a full scan with those that it met. */
  keepOnly(folders: ReadonlySet<string>): void {
    for (const folder of this.#byFolder.keys()) if (!folders.has(folder)) this.set(folder, []);
    this.#isCut = false;
  }

  get folders(): IterableIterator<string> {
    return this.#byFolder.keys();
  }

  /** Whether there were more than are counted. */
  get isCut(): boolean {
    return this.#isCut;
  }

  counts(): Record<OddityKind, number> {
    const counts: Record<OddityKind, number> = { foreign: 0, link: 0, 'folder-as-share': 0, 'unreadable-folder': 0 };
    for (const oddities of this.#byFolder.values()) for (const oddity of oddities) counts[oddity.kind]++;
    return counts;
  }

  /** Paths within the share folder. */
  examples(limit: number): { path: string; kind: OddityKind }[] {
    const examples: { path: string; kind: OddityKind }[] = [];
    for (const [folder, oddities] of this.#byFolder) {
      for (const { name, kind } of oddities) {
        if (examples.length === limit) return examples;
        examples.push({ path: folder === '' ? name : `${folder}/${name}`, kind });
      }
    }
    return examples;
  }
}
