/**
 * Whether the share folder is really there. An unmounted disk looks like an empty folder, and an empty folder means that
 * every share is lost; a mark that this peer leaves in the folder tells the two apart.
 */
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { isAbsent, systemCodeOf, writeDurably } from '#mesh/durable-file.ts';
import type { PeerId } from '#mesh/peer-id.ts';

export const markFileName = '.meshward-peer';

/**
 * - `present`: what is missing in it is lost.
 * - `missing`, `unmarked`: the disk is not mounted, or the folder was moved.
 * - `foreign`: the folder of another peer.
 * - `unreadable`: the disk fails, or the agent may not read it.
 */
export type RootCondition = 'present' | 'missing' | 'unmarked' | 'foreign' | 'unreadable';

const markSchema = z.object({
  peerId: z.string(),
  incarnation: z.number().int().min(0),
  generation: z.number().int().min(0),
});
export type Mark = z.infer<typeof markSchema>;

/** The storage folder holds `shares/`; a path to `shares/` itself is taken as well. */
export function storageFolderOf(configured: string): string {
  return basename(configured) === 'shares' ? dirname(configured) : configured;
}

export class ShareRoot {
  /** `…/shares`: the prefix folders are in it. */
  readonly path: string;
  readonly #peerId: PeerId;
  /** The folder cannot be written (a Tahoe node of another user): then its content is all there is to go by. */
  #isMarkless = false;

  constructor(path: string, peerId: PeerId) {
    this.path = path;
    this.#peerId = peerId;
  }

  get markPath(): string {
    return join(this.path, markFileName);
  }

  get isMarkless(): boolean {
    return this.#isMarkless;
  }

  /** @param knownShares how many shares were there when last looked at. */
  async check(knownShares: number): Promise<RootCondition> {
    try {
      if (!this.#isMarkless) {
        const mark = parseMark(await readFile(this.markPath, 'utf8'));
        return mark === null || mark.peerId === this.#peerId ? 'present' : 'foreign';
      }
      const names = await readdir(this.path);
      return names.some((name) => name.length === 2) || knownShares === 0 ? 'present' : 'unmarked';
    } catch (error) {
      if (!isAbsent(error)) return 'unreadable';
    }
    return readdir(this.path).then(
      () => 'unmarked',
      (error: unknown) => (isAbsent(error) ? 'missing' : 'unreadable'),
    );
  }

  /** What this peer left here before; null where there is none, or it was touched by hand. */
  async readMark(): Promise<Mark | null> {
    try {
      return parseMark(await readFile(this.markPath, 'utf8'));
    } catch (error) {
      if (isAbsent(error)) return null;
      throw error;
    }
  }

  /** @returns whether the folder carries the mark now; false where it may not be written. */
  async writeMark(counters: { incarnation: number; generation: number }): Promise<boolean> {
    try {
      await writeDurably(this.markPath, `${JSON.stringify({ peerId: this.#peerId, ...counters })}\n`, 0o644);
      this.#isMarkless = false;
      return true;
    } catch (error) {
      const code = systemCodeOf(error);
      if (code !== 'EACCES' && code !== 'EROFS' && code !== 'EPERM') throw error;
      this.#isMarkless = (await this.readMark().catch(() => null)) === null;
      return !this.#isMarkless;
    }
  }
}

/** A mark that a person made with `touch` is empty, and good. */
function parseMark(text: string): Mark | null {
  try {
    return markSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
