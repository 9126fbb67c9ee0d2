/** Caps from the command line, a file or standard input. A read cap is a secret: nothing here ever repeats what was given. */
import { readFile } from 'node:fs/promises';
import { text as readText } from 'node:stream/consumers';
import { type Cap, type LiteralCap, parseCap, type ReadCap } from '#mesh/caps.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { Manifest } from '#mesh/manifest.ts';
import { isStorageIndex, type StorageIndex } from '#mesh/storage-index.ts';

export interface CapFlags {
  readonly capFile?: string;
}

export const capFileOption = [
  '--cap-file <file>',
  'read the cap from this file (- for standard input), so that it stays off the command line',
] as const;

/**
 * The cap and the other positional arguments: with --cap-file there is one argument less.
 * @throws MeshwardError `bad-cap`, `bad-input`.
 */
export async function takeCap(
  positional: readonly string[],
  flags: CapFlags,
): Promise<{ readonly cap: Cap; readonly rest: readonly string[] }> {
  const { text, rest } = await takeCapText(positional, flags);
  return { cap: parseCap(text), rest };
}

/** What a command about a file is told: its cap, or its storage index alone. */
export type FileReference =
  | { readonly kind: 'literal'; readonly cap: LiteralCap }
  | { readonly kind: 'file'; readonly storageIndex: StorageIndex; readonly manifest: Manifest | null };

export async function takeFileReference(positional: readonly string[], flags: CapFlags): Promise<FileReference> {
  const { text } = await takeCapText(positional, flags);
  if (isStorageIndex(text)) return { kind: 'file', storageIndex: text, manifest: null };
  const cap = parseCap(text);
  if (cap.kind === 'literal') return { kind: 'literal', cap };
  return { kind: 'file', storageIndex: cap.manifest.storageIndex, manifest: cap.manifest };
}

/** @throws MeshwardError `bad-cap` for a verify cap, which reads nothing. */
export function requireReadCap(cap: Cap): ReadCap | LiteralCap {
  if (cap.kind !== 'verify') return cap;
  throw new MeshwardError('bad-cap', 'a verify cap cannot read the file', {
    next: 'Give the read cap (URI:CHK:…) that `meshward put` printed; its owner keeps it.',
  });
}

/** The text of the cap, unread. @throws MeshwardError `bad-input`. */
export async function takeCapText(
  positional: readonly string[],
  { capFile }: CapFlags,
): Promise<{ readonly text: string; readonly rest: readonly string[] }> {
  if (capFile !== undefined) return { text: onlyCap(await readSecret(capFile)), rest: positional };
  const [given, ...rest] = positional;
  if (given === undefined) {
    throw new MeshwardError('bad-input', 'no cap is given', {
      next: 'Give the cap, or the file that holds it with --cap-file.',
    });
  }
  return { text: given === '-' ? onlyCap(await readSecret('-')) : given.trim(), rest };
}

/** Lines as `put` prints them, `cap  name`, may be handed over as they are. @throws MeshwardError `bad-input` where there are several. */
function onlyCap(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (lines.length > 1) {
    throw new MeshwardError('bad-input', `there are ${lines.length} caps where one is wanted`, {
      next: 'Hand over one line, such as with `grep NAME caps | meshward … -`.',
    });
  }
  return lines[0]?.trim().split(/\s/, 1)[0] ?? '';
}

async function readSecret(path: string): Promise<string> {
  try {
    return path === '-' ? await readText(process.stdin) : await readFile(path, 'utf8');
  } catch (error) {
    throw new MeshwardError('bad-input', 'the file that should hold the cap cannot be read', {
      next: 'Check the path that --cap-file names and who may read it.',
      cause: error instanceof Error && 'code' in error ? new Error(String(error.code)) : undefined,
    });
  }
}
