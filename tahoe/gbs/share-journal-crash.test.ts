/** Peers in processes of their own, killed at any moment while shares come in, some of them with the power cut as well. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Random, seededRandom } from '#mesh/clock.ts';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import type { PeerClient } from './client.ts';
import { leases, uploadSecret } from './example-upload.ts';
import { refusalReason } from './refused-error.ts';
import { KilledPeer, UnsyncedFiles } from './testing/killed-peer.ts';

/** Two files of 2 MiB: they take turns within a round, and some shares find no room in either. */
const maxJournalBytes = 4 * 1024 * 1024;
const rounds = 6;
const sharesARound = 260;

interface Sent {
  readonly index: StorageIndex;
  readonly number: number;
  readonly bytes: Uint8Array;
  isAcknowledged: boolean;
}

function shareToSend(random: Random): Sent {
  const index = storageIndexFromBytes(Uint8Array.from({ length: 16 }, () => random() * 256));
  const kind = random();
  const most = kind < 0.8 ? 9000 : kind < 0.96 ? 64_000 : 500_000;
  return {
    index,
    number: Math.floor(random() * 256),
    bytes: randomBytes(1 + Math.floor(random() * most)),
    isAcknowledged: false,
  };
}

/** Sends until all is acknowledged or the peer is gone. */
async function send(peer: PeerClient, shares: readonly Sent[], acknowledged: () => void): Promise<void> {
  await Promise.all(
    shares.map(async (share) => {
      const { index, number, bytes } = share;
      try {
        await peer.putWhole(index, number, { bytes, uploadSecret, ...leases });
      } catch (error) {
        expect(refusalReason(error), String(error)).toBeNull(); // it was killed, and refused nothing
        return;
      }
      share.isAcknowledged = true;
      acknowledged();
    }),
  );
}

/** @returns those that the peer has, each byte for byte. */
async function held(peer: PeerClient, shares: readonly Sent[]): Promise<Sent[]> {
  const found = await Promise.all(
    shares.map(async (share) => {
      const { index, number, bytes } = share;
      const read = await peer.readAll(index, number).catch((error: unknown) => {
        expect([refusalReason(error), share.isAcknowledged], `${index}/${number}: ${String(error)}`).toEqual([
          'not-found',
          false,
        ]);
        return null;
      });
      if (read !== null) expect(Buffer.from(read).equals(bytes), `${index}/${number}`).toBe(true);
      return read === null ? [] : [share];
    }),
  );
  return found.flat();
}

test('kill -9 and power cuts at any point: what was acknowledged is there, whole, and nothing in part', async () => {
  const seed = Number(process.env['MESHWARD_SEED'] ?? Date.now() % 1_000_000);
  console.log(`share journal crash test: MESHWARD_SEED=${seed}`);
  const random = seededRandom(seed);
  const folder = await mkdtemp(join(tmpdir(), 'meshward-journal-crash-'));
  const unsynced = new UnsyncedFiles();
  const begin = (): KilledPeer => new KilledPeer(folder, maxJournalBytes, unsynced);
  const there: Sent[] = [];
  let latest: Sent[] = [];
  let hurt = 0;
  let isPowerCut = false;
  let peer = begin();
  try {
    for (let round = 0; ; round++) {
      const started = await peer.ready;
      expect(started, peer.failures.join('\n')).not.toBeNull();
      if (started === null) return;
      const { peer: serving, stats } = started;
      // Of a kill alone nothing is to be put back but what had not got its name yet, and was not acknowledged.
      const unanswered = latest.filter((share) => !share.isAcknowledged).length;
      expect(stats.sharesPutBack).toBeGreaterThanOrEqual(hurt);
      if (!isPowerCut) expect(stats.sharesPutBack).toBeLessThanOrEqual(unanswered);
      expect(stats.journalBytes).toBe(0);
      expect((await readdir(folder)).filter((name) => name.startsWith('share-journal'))).toEqual([]);
      expect(peer.failures).toEqual([]);
      there.push(...(await held(serving, latest)));
      if (round === rounds) break;

      latest = Array.from({ length: sharesARound }, () => shareToSend(random));
      if (random() < 0.5) peer.killAfterLines(Math.floor(random() * 30));
      let acknowledgedLeft = 1 + Math.floor(random() * sharesARound);
      await send(serving, latest, () => {
        if (--acknowledgedLeft === 0) peer.kill();
      });
      await peer.gone();
      isPowerCut = round % 3 !== 2;
      hurt = isPowerCut ? await unsynced.powerCut(random) : 0;

      peer = begin();
      if (round % 2 === 1) {
        // And once more amid what the start puts back.
        peer.killAfterLines(1 + Math.floor(random() * 2 * hurt));
        if ((await peer.ready) !== null) peer.kill();
        await peer.gone();
        hurt = isPowerCut ? await unsynced.powerCut(random) : 0;
        peer = begin();
      }
    }
    const { peer: serving } = (await peer.ready) ?? expect.fail();
    expect((await held(serving, there)).length).toBe(there.length);
    expect(there.length).toBeGreaterThan(rounds);
  } finally {
    peer.kill();
    await peer.gone();
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);
