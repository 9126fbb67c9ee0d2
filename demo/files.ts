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

const leftOut: ReadonlySet<string> = new Set(['node_modules', 'build', 'coverage', 'generated', 'fixtures']);

/**
 * Regular files below `folder`, in order of their names, as many as the limits allow. Hidden files, links and what
 * builds leave behind are not taken.
 * @throws MeshwardError `bad-input` where the folder cannot be read or holds nothing.
 */
export async function findFiles(
  folder: string,
  limits: FileLimits,
): Promise<{ readonly files: readonly DemoFile[]; readonly leftOut: number }> {
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
  // Every so many-th file, so that a limit leaves a picture of the whole and not its first folder.
  const step = Math.max(1, all.length / limits.maxFiles);
  for (let i = 0; Math.floor(i) < all.length && files.length < limits.maxFiles; i += step) {
    const file = all[Math.floor(i)] as DemoFile;
    if (bytes + file.sizeBytes > limits.maxTotalBytes) continue;
    bytes += file.sizeBytes;
    files.push(file);
  }
  if (files.length === 0) {
    throw new MeshwardError('bad-input', `there is no file to store in ${folder}`, {
      next: 'Name a folder of files with --files DIR.',
    });
  }
  return { files, leftOut: all.length - files.length };
}

async function walk(root: string, folder: string, found: DemoFile[]): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || leftOut.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await walk(root, path, found);
    else if (entry.isFile()) found.push({ path, name: relative(root, path), sizeBytes: (await lstat(path)).size });
  }
}
