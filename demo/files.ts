/** Which files go into the demonstration mesh: the user's own, or the project's sources and documentation. */
import { lstat, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describeError, MeshwardError } from '#mesh/errors.ts';

export interface DemoFile {
  readonly path: string;
  /** Relative to the folder that was named. */
  readonly name: string;
  readonly sizeBytes: number;
}

export interface FileLimits {
  readonly maxFiles: number;
  readonly maxTotalBytes: number;
}

/** Folders of what others or machines made. */
const passedOver: ReadonlySet<string> = new Set(['node_modules', 'build', 'coverage', 'generated', 'fixtures']);

export interface FoundFiles {
  readonly files: readonly DemoFile[];
  /** How many were not taken, by the limit that each was beyond. */
  readonly leftOut: { readonly byCount: number; readonly byBytes: number };
}

/**
 * Regular files below `folder`, in order of their names, as many as the limits allow. Hidden files, links and what
 * builds leave behind are not taken.
 * @throws MeshwardError `bad-input` where the folder cannot be read or holds nothing.
 */
export async function findFiles(folder: string, limits: FileLimits): Promise<FoundFiles> {
  const all: DemoFile[] = [];
  try {
    await walk(folder, folder, all);
  } catch (error) {
    throw new MeshwardError('bad-input', `the files in ${folder} cannot be read: ${describeError(error)}`, {
      next: 'Name a folder of files with --files DIR.',
    });
  }
  all.sort((a, b) => (a.name < b.name ? -1 : 1));
  const files: DemoFile[] = [];
  let bytes = 0;
  let byBytes = 0;
  // Every so many-th file, so that a limit leaves a picture of the whole and not its first folder.
  const step = Math.max(1, all.length / limits.maxFiles);
  for (let i = 0; Math.floor(i) < all.length && files.length < limits.maxFiles; i += step) {
    const file = all[Math.floor(i)] as DemoFile;
    if (bytes + file.sizeBytes > limits.maxTotalBytes) {
      byBytes++;
      continue;
    }
    bytes += file.sizeBytes;
    files.push(file);
  }
  if (files.length === 0 && byBytes > 0) {
    throw new MeshwardError('bad-input', `every file in ${folder} that was tried is larger than all may be together`, {
      next: 'Allow more with --max-size, such as --max-size 1GiB, or name a folder of smaller files.',
    });
  }
  if (files.length === 0) {
    throw new MeshwardError('bad-input', `there is no file to store in ${folder}`, {
      next: 'Name a folder of files with --files DIR.',
    });
  }
  return { files, leftOut: { byCount: all.length - files.length - byBytes, byBytes } };
}

async function walk(root: string, folder: string, found: DemoFile[]): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || passedOver.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await walk(root, path, found);
    else if (entry.isFile()) found.push({ path, name: relative(root, path), sizeBytes: (await lstat(path)).size });
  }
}
