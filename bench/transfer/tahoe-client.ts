/** Tahoe's side: its own client puts, gets and verifies over its web interface, on its own storage nodes. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { TahoeMesh, TahoeRound } from '../repair/tahoe-mesh.ts';
import type { TransferCase, TransferKind } from './cases.ts';
import type { SourceFile } from './source-file.ts';

export async function tahoeRound(
  mesh: TahoeMesh,
  { tahoeFiles, atOnce }: Pick<TransferCase, 'tahoeFiles' | 'atOnce'>,
  source: SourceFile,
): Promise<Record<TransferKind, TahoeRound>> {
  const content = await readFile(source.path);
  const files = Array.from({ length: tahoeFiles }, () => {
    // The same content would be found on the grid, and not be put.
    const file = new Uint8Array(content);
    file.set(randomBytes(16));
    return file;
  });
  const put = await mesh.measured(files, atOnce, (file) => mesh.grid.upload(file));
  const get = await mesh.measured(put.results, atOnce, async (cap) => {
    const { length } = await mesh.grid.download(cap);
    if (length !== source.sizeBytes) throw new Error('Tahoe gave another file than was put');
  });
  const prove = await mesh.measured(put.results, atOnce, async (cap) => {
    const { results } = await mesh.grid.check(cap, { verify: true });
    if (!results.healthy) throw new Error('Tahoe calls a file unhealthy that it has just put');
  });
  await mesh.forgetShares();
  return { put: put.round, get: get.round, prove: prove.round };
}
