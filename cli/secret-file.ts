/** Secrets of this installation on disk: 32 random bytes in a file that only its owner can read. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshwardError } from '#mesh/errors.ts';

export const secretBytes = 32;

/** Makes the secret at the first call; two processes that call at once get the same. */
export async function openSecret(folder: string, name: string): Promise<Uint8Array> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, name);
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(randomBytes(secretBytes));
      await file.sync();
    } catch (error) {
      // On a full disk: what is left of it must not stand for a secret.
      await rm(path, { force: true });
      throw error;
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  for (let attempt = 0; attempt < 50; attempt++) {
    const secret = await readFile(path);
    if (secret.length === secretBytes) return new Uint8Array(secret);
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
  throw new MeshwardError('config-invalid', `${path} does not hold ${secretBytes} bytes`, {
    next: 'Restore it from a backup, or remove it: leases that repairs made before then expire by themselves.',
  });
}
