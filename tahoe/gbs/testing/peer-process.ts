/**
 * A peer that serves shares until it is killed, and says before and after it puts files in their places and syncs them. So the crash test
 * knows what a power cut may take. One line each, in the order in which things happen: `[word, …]` as JSON.
 */
import { writeSync } from 'node:fs';
import { createPeerIdentity } from '../../identity/key-folder.ts';
import { type Disk, quickDisk } from '../disk.ts';
import { createStorageServer } from '../server.ts';
import { swissnum } from '../started-peer.ts';

const [shareFolder, maxJournalBytes] = process.argv.slice(2) as [string, string];
const say = (...line: readonly unknown[]): void => void writeSync(1, `${JSON.stringify(line)}\n`);
const atOnce = quickDisk.atOnce as NonNullable<Disk['atOnce']>;
const journal = atOnce.journal as NonNullable<typeof atOnce.journal>;

const disk: Disk = {
  ...quickDisk,
  // What a replay puts back is synced before it gets its name.
  async rename(from, to) {
    say('placing', true, [to]);
    await quickDisk.rename(from, to);
    say('placed', false, [to]);
  },
  atOnce: {
    ...atOnce,
    async placeFiles(files, root, isSynced) {
      const paths = files.map(({ folder, name }) => `${folder}/${name}`);
      say('placing', isSynced, paths);
      const placed = await atOnce.placeFiles(files, root, isSynced);
      say('placed', isSynced, paths);
      return placed;
    },
    journal: {
      ...journal,
      async syncFileSystem(path) {
        say('sync');
        const outcome = await journal.syncFileSystem(path);
        if (outcome === 0) say('synced');
        return outcome;
      },
    },
  },
};

// Whoever started it is gone.
process.stdin.resume().once('end', () => process.exit());
const server = await createStorageServer({
  shareFolder,
  identity: await createPeerIdentity(),
  swissnum,
  disk,
  limits: { maxJournalBytes: Number(maxJournalBytes) },
  onFailure: (error) => say('failed', String(error)),
});
say('ready', server.nurl.peerId, server.port, server.stats());
