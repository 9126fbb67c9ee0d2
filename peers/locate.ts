/** Finds the shares of a file by asking peers, in the order in which Tahoe-LAFS would have placed them. */
import { createHash } from 'node:crypto';
import { type PeerId, peerIdToBytes } from '#mesh/peer-id.ts';
import { type StorageIndex, storageIndexToBytes } from '#mesh/storage-index.ts';
import { isShareError } from '#tahoe/share/index.ts';

export interface PlacedShare {
  readonly shareNumber: number;
  readonly peerId: PeerId;
}

export interface LocateOptions {
  readonly storageIndex: StorageIndex;
  readonly peers: readonly PeerId[];
  readonly list: (peerId: PeerId) => Promise<ReadonlySet<number>>;
  /** Asking stops when so many distinct share numbers are known. */
  readonly enough: number;
  readonly maxPeers: number;
  /** Peers asked at once. */
  readonly parallel: number;
  readonly signal: AbortSignal;
}

export interface Located {
  readonly shares: readonly PlacedShare[];
  /** What each peer answered. */
  readonly answers: ReadonlyMap<PeerId, ReadonlySet<number>>;
  readonly unreachable: readonly PeerId[];
  /** Those that hold a share which they cannot open. Of what else they hold of the file nothing can be read either. */
  readonly damaged: readonly PeerId[];
}

export async function locateShares(options: LocateOptions): Promise<Located> {
  const order = permuted(options.storageIndex, options.peers).slice(0, options.maxPeers);
  const found = new Set<number>();
  return askPeers({
    ...options,
    peers: order,
    isEnough: (numbers) => {
      for (const number of numbers) found.add(number);
      return found.size >= options.enough;
    },
  });
}

export interface AskOptions {
  readonly peers: readonly PeerId[];
  readonly list: (peerId: PeerId) => Promise<ReadonlySet<number>>;
  readonly parallel: number;
  readonly signal: AbortSignal;
  readonly isEnough?: (numbers: ReadonlySet<number>) => boolean;
}

/** Asks the peers in their order, some at once. @throws the signal's reason. */
export async function askPeers(options: AskOptions): Promise<Located> {
  const { peers, list, parallel, signal, isEnough } = options;
  const answers = new Map<PeerId, ReadonlySet<number>>();
  const unreachable: PeerId[] = [];
  const damaged: PeerId[] = [];
  let at = 0;
  let satisfied = false;

  async function askOn(): Promise<void> {
    while (!satisfied && at < peers.length) {
      signal.throwIfAborted();
      const peerId = peers[at++] as PeerId;
      try {
        const numbers = await list(peerId);
        answers.set(peerId, numbers);
        satisfied ||= isEnough?.(numbers) ?? false;
      } catch (error) {
        if (!isShareError(error)) {
          unreachable.push(peerId);
          continue;
        }
        damaged.push(peerId);
        answers.set(peerId, new Set());
      }
    }
  }

  await Promise.all(Array.from({ length: Math.min(parallel, peers.length) }, askOn));
  signal.throwIfAborted();
  const shares = [...answers].flatMap(([peerId, numbers]) =>
    [...numbers].map((shareNumber) => ({ shareNumber, peerId })),
  );
  return { shares, answers, unreachable, damaged };
}

/** Tahoe's order of servers for a file: by SHA-1 of storage index and the server's seed (FORMAT section 11). */
export function permuted(storageIndex: StorageIndex, peers: readonly PeerId[]): PeerId[] {
  const index = storageIndexToBytes(storageIndex);
  return peers
    .map((peerId) => ({
      peerId,
      place: createHash('sha1').update(index).update(peerIdToBytes(peerId).subarray(0, 20)).digest(),
    }))
    .sort((a, b) => Buffer.compare(a.place, b.place))
    .map(({ peerId }) => peerId);
}
