/** Verifies share files one after another: each against a cap, or against what the shares of its file say together. */
import { stat } from 'node:fs/promises';
import { formatVerifyCap } from '#mesh/caps.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { Manifest } from '#mesh/manifest.ts';
import { ShareFolder, type VerifiedFile, verifyShareFile } from '#tahoe/share/index.ts';

export type ShareVerdict =
  | {
      readonly path: string;
      readonly ok: true;
      readonly shareNumber: number;
      readonly storageIndex: string;
      readonly verifyCap: string;
      readonly bytesChecked: number;
      readonly pinned: boolean;
    }
  | { readonly path: string; readonly ok: false; readonly code: string; readonly message: string };

export interface Verification {
  /** Null: each share is believed what it says of its file, and shares of one file must say the same. */
  readonly manifest: Manifest | null;
  readonly signal: AbortSignal;
  readonly onRead?: (bytes: number) => void;
}

/** Share files at the paths: files as they are, folders with every share in them (of the cap's file alone, where there is a cap). */
export async function findShareFiles(paths: readonly string[], manifest: Manifest | null): Promise<readonly string[]> {
  const found: string[] = [];
  for (const path of paths) {
    if (!(await isFolder(path))) {
      found.push(path);
      continue;
    }
    const folder = await ShareFolder.find(path);
    if (manifest === null) for await (const share of folder.list()) found.push(share.path);
    else for (const share of await folder.listFile(manifest.storageIndex)) found.push(share.path);
  }
  return found;
}

/** @throws MeshwardError `cancelled`. What is wrong with a share is in its verdict. */
export async function* verifyFiles(
  paths: readonly string[],
  { manifest, signal, onRead }: Verification,
): AsyncGenerator<ShareVerdict> {
  const agreed = new Map<string, string>();
  for (const path of paths) {
    const verdict = await verifyOne(path, manifest, signal, onRead);
    if (!verdict.ok) {
      yield verdict;
      continue;
    }
    const first = agreed.get(verdict.storageIndex) ?? verdict.verifyCap;
    agreed.set(verdict.storageIndex, first);
    yield first === verdict.verifyCap ? verdict : disagreeing(path);
  }
}

async function verifyOne(
  path: string,
  manifest: Manifest | null,
  signal: AbortSignal,
  onRead: ((bytes: number) => void) | undefined,
): Promise<ShareVerdict> {
  try {
    return verdictOf(path, await verifyShareFile(path, { manifest: manifest ?? undefined, signal, onRead }));
  } catch (error) {
    if (signal.aborted || !(error instanceof MeshwardError)) throw error;
    return { path, ok: false, code: error.code, message: describeError(error) };
  }
}

function verdictOf(path: string, { manifest, shareNumber, bytesChecked, isPinned }: VerifiedFile): ShareVerdict {
  return {
    path,
    ok: true,
    shareNumber,
    storageIndex: manifest.storageIndex,
    verifyCap: formatVerifyCap(manifest),
    bytesChecked,
    pinned: isPinned,
  };
}

function disagreeing(path: string): ShareVerdict {
  return {
    path,
    ok: false,
    code: 'share-mismatch',
    message:
      'it is whole, but of another file than the shares before it in the same folder: give the cap to tell which are right',
  };
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw new MeshwardError('bad-input', `${path} cannot be read: ${describeError(error)}`, {
      next: 'Give share files, or a folder of shares, that this user can read.',
    });
  }
}
