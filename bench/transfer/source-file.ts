/** The file that is put: it lies on the disk, as files do that somebody puts. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { noise } from '../repair/files.ts';

export interface SourceFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
}

export async function makeSourceFile(path: string, sizeBytes: number): Promise<SourceFile> {
  const hash = createHash('sha256');
  const file = await open(path, 'wx');
  try {
    for (const piece of noise(sizeBytes)) {
      hash.update(piece);
      await file.writeFile(piece);
    }
  } finally {
    await file.close();
  }
  return { path, sizeBytes, sha256: hash.digest('hex') };
}
