/** What reading a file needs, for one command: the peers, and how far it is. */
import { type ApiClient, createApiClient } from '#analyzer/api/client.ts';
import type { Cap } from '#mesh/caps.ts';
import { systemClock } from '#mesh/clock.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { FileReading } from '#repairer/proofs/prove.ts';
import { showByteProgress } from './byte-progress.ts';
import type { Context } from './context.ts';
import { type ApiFlags, type CollectorFlags, findApiUrl, withCollector } from './mesh-address.ts';

export type FileReadingFlags = ApiFlags & CollectorFlags;

export interface MeshReading extends FileReading {
  readonly nameOf: (peerId: PeerId) => string;
  /** Begins the count of bytes anew, for another reading of the same file. */
  readonly restart: () => void;
}

/** Runs with the peers that hold the file, and shows progress. A literal cap needs no mesh. */
export async function withFileReading<T>(
  context: Context,
  cap: Cap,
  label: string,
  flags: FileReadingFlags,
  run: (by: MeshReading) => Promise<T>,
): Promise<T> {
  if (cap.kind === 'literal') return run(withoutMesh);
  const { manifest } = cap;
  return withCollector(context, flags, async (collector) => {
    const { openMeshPeers } = await import('./mesh-peers.ts');
    const mesh = await openMeshPeers({
      directory: await collector.directory(),
      api: await optionalApi(context, flags),
      note: () => undefined,
    });
    const progress = showByteProgress(context.output, label, manifest.sizeBytes);
    try {
      const reading = await mesh.reading(manifest.storageIndex, (bytes) => progress.add(bytes));
      return await run({ ...reading, nameOf: mesh.nameOf, restart: () => progress.restart() });
    } finally {
      progress.end();
      await mesh.close();
    }
  });
}

/** Reading goes on without an analyzer: then every peer is asked. */
async function optionalApi(context: Context, flags: FileReadingFlags): Promise<ApiClient | null> {
  try {
    return createApiClient(await findApiUrl(context, flags));
  } catch (error) {
    if (flags.api !== undefined) throw error;
    return null;
  }
}

const noPeers = (): never => {
  throw new Error('a literal cap is read without peers');
};

const withoutMesh: MeshReading = {
  transfer: { begin: noPeers },
  peers: noPeers,
  clock: systemClock,
  random: Math.random,
  nameOf: (peerId) => peerId,
  restart: () => undefined,
};
