/** What reading a file needs, for one command: the peers, and how far it is. */
import type { ApiClient } from '#analyzer/api/client.ts';
import type { CollectorClient } from '#collector/gateway/client.ts';
import type { Cap } from '#mesh/caps.ts';
import { systemClock } from '#mesh/clock.ts';
import { hasCode, isRetryable, MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { PlacedShare } from '#peers/locate.ts';
import type { FileReading } from '#repairer/files/open-file.ts';
import { showByteProgress } from './byte-progress.ts';
import type { Context } from './context.ts';
import { type ApiFlags, type CollectorFlags, findApi, withCollector } from './mesh-address.ts';

export type FileReadingFlags = ApiFlags & CollectorFlags;

export interface MeshReading extends FileReading {
  readonly nameOf: (peerId: PeerId) => string;
  /** Begins the count of bytes anew, for another reading of the same file. */
  readonly restart: () => void;
  /** Whether the analyzer knows the file; null where none can tell. */
  readonly isKnown: () => Promise<boolean | null>;
  /** Says what was found to be corrupt, so that it counts by itself. Never rejects; false where it could not be said. */
  readonly report: (storageIndex: StorageIndex, corrupt: readonly PlacedShare[]) => Promise<boolean>;
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
    const api = await optionalApi(context, flags);
    const mesh = await openMeshPeers({
      directory: await collector.directory(),
      api,
      note: () => undefined,
    });
    const progress = showByteProgress(context.output, label, manifest.sizeBytes);
    try {
      const reading = await mesh.reading(manifest.storageIndex, (bytes) => progress.add(bytes));
      return await run({
        ...reading,
        nameOf: mesh.nameOf,
        restart: () => progress.restart(),
        isKnown: () => isKnown(api, manifest.storageIndex),
        report: reportTo(collector),
      });
    } finally {
      progress.end();
      await mesh.close();
    }
  });
}

/** Reading goes on without an analyzer: then every peer is asked. */
async function optionalApi(context: Context, flags: FileReadingFlags): Promise<ApiClient | null> {
  try {
    return await findApi(context, flags);
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
  report: () => Promise.resolve(true),
  isKnown: () => Promise.resolve(null),
};

async function isKnown(api: ApiClient | null, index: StorageIndex): Promise<boolean | null> {
  if (api === null) return null;
  try {
    await api.file(index);
    return true;
  } catch (error) {
    return hasCode(error, 'file-unknown') && !isRetryable(error) ? false : null;
  }
}

/**
 * What a reading that found no share at all means: a file that is known is not to be had now; of any other there is nothing.
 * @param unreachable peers that did not answer.
 */
export async function unknownFile(
  { isKnown }: Pick<MeshReading, 'isKnown'>,
  unreachable: number,
): Promise<MeshwardError | null> {
  const known = await isKnown();
  if (known === true || (known === null && unreachable > 0)) return null;
  const others = unreachable === 0 ? '' : ` (${unreachable} peers did not answer)`;
  const analyzer = known === false ? ', and the analyzer does not know it' : '';
  return new MeshwardError('file-unknown', `no peer holds a share of this file${analyzer}${others}`, {
    next: 'Check the cap: it may be of another mesh, or of a file whose leases have expired.',
    retryable: unreachable > 0,
  });
}

export function reportTo(collector: Pick<CollectorClient, 'reportFindings'>): MeshReading['report'] {
  return async (storageIndex, corrupt) => {
    if (corrupt.length === 0) return true;
    const reason = 'a reader found it corrupt';
    const findings = corrupt.map(({ peerId, shareNumber }) => ({ storageIndex, peerId, shareNumber, reason }));
    return collector.reportFindings(findings).then(
      () => true,
      () => false,
    );
  };
}
