/** Disks that are really full: small file systems in memory, where this user may mount them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The given sizes, or none where mounting is not allowed: for `test.each`. */
export function smallDisks(...sizes: readonly string[]): [size: string][] {
  const directory = mkdtempSync(join(tmpdir(), 'meshward-mount-'));
  try {
    mountSmallDisk(directory, '64k')();
    return sizes.map((size) => [size]);
  } catch {
    return [];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** @returns how it is taken away again, with all that is on it. */
export function mountSmallDisk(directory: string, size: string): () => void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory], { stdio: 'ignore' });
  return () => void execFileSync('umount', ['-l', directory]);
}

/** Fills the disk of the folder to its last byte. @returns how room is made again. */
export function fillDisk(directory: string): () => void {
  const ballasts: string[] = [];
  for (let chunk = 1024 * 1024; chunk >= 1; chunk = Math.floor(chunk / 2)) {
    while (freeBytes(directory) >= chunk) {
      const path = join(directory, `ballast-${ballasts.length}`);
      ballasts.push(path);
      try {
        writeFileSync(path, new Uint8Array(Math.min(chunk, freeBytes(directory))).fill(7));
      } catch {
        // Somebody else was faster: what is left is seen on the next look.
      }
    }
  }
  return () => {
    for (const path of ballasts) rmSync(path, { force: true });
  };
}

function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}
