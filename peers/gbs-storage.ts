/** The port `PeerStorage` on a client of Tahoe's storage protocol. */
import { MeshwardError } from '#mesh/errors.ts';
import type { PeerClient } from '#tahoe/gbs/client.ts';
import { freeAtOnce } from '#tahoe/gbs/free-at-once.ts';
import { wholeShareMaxBytesOf } from '#tahoe/gbs/message.ts';
import { refusalReason } from '#tahoe/gbs/refused-error.ts';
import type { PeerStorage } from './peer-storage.ts';

export function gbsPeerStorage(client: PeerClient): PeerStorage {
  let wholeBytes: Promise<number> | undefined;
  return {
    async wholeShareMaxBytes(control) {
      wholeBytes ??= client.version(control).then((version) => wholeShareMaxBytesOf(version));
      try {
        return await wholeBytes;
      } catch {
        // Whatever is wrong with the peer shows at what comes next.
        wholeBytes = undefined;
        return 0;
      }
    },
    async putWhole(storageIndex, { shareNumber, ...share }, control) {
      try {
        return await tellFenced(client.putWhole(storageIndex, shareNumber, share, control));
      } catch (error) {
        const reason = refusalReason(error);
        if (reason === 'no-space') return 'no-room';
        // Another release serves there now: it is asked again what it takes.
        if (reason === 'not-found' || reason === 'complete') wholeBytes = undefined;
        throw error;
      }
    },
    listShares: (storageIndex, control) => client.listShares(storageIndex, control),
    read: (storageIndex, shareNumber, offset, length, control) =>
      client.read(storageIndex, shareNumber, offset, length, control),
    letGo: freeAtOnce,
    allocate: (storageIndex, { shareBytes, ...request }, control) =>
      tellFenced(client.allocate(storageIndex, { ...request, allocatedBytes: shareBytes }, control)),
    async write(storageIndex, { shareNumber, offset, bytes, uploadSecret, fence }, control) {
      const writing = client.write(storageIndex, shareNumber, offset, bytes, uploadSecret, { fence, ...control });
      return (await tellFenced(writing)).isComplete;
    },
    abort: (storageIndex, shareNumber, uploadSecret, control) =>
      client.abort(storageIndex, shareNumber, uploadSecret, control),
    reportCorruption: (storageIndex, shareNumber, reason, control) =>
      client.reportCorruption(storageIndex, shareNumber, reason, control),
  };
}

/** That another repairer has taken over ends the whole repair, not only the request. */
async function tellFenced<T>(request: Promise<T>): Promise<T> {
  try {
    return await request;
  } catch (error) {
    if (refusalReason(error) !== 'fenced') throw error;
    throw fencedError(error);
  }
}

export function fencedError(cause: unknown): MeshwardError {
  return new MeshwardError('log-fenced', 'another repairer has taken over this file', {
    next: 'Nothing needs doing: the new owner repairs it.',
    cause,
  });
}
