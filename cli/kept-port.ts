/** A port that is found free once and kept in a file: what scrapes or connects finds it where it was, over restarts. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { tryPort } from './ports.ts';

const loopback = '127.0.0.1';

/** @param configured a port that was chosen is taken as it is; 0 asks for one that is kept. */
export async function keptPort(path: string, configured = 0): Promise<number> {
  if (configured !== 0) return configured;
  const kept = Number(await readFile(path, 'utf8').catch(() => ''));
  if (Number.isInteger(kept) && kept > 0 && kept < 65_536 && (await tryPort(loopback, kept)) !== null) return kept;
  const found = (await tryPort(loopback, 0)) as number;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, `${found}\n`, { mode: 0o600 });
  return found;
}
