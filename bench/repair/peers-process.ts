/** Peers that serve folders of shares: a part of those that the bench of repairs has. */

import { type Disk, quickDisk } from '#tahoe/gbs/disk.ts';
import { createStorageServer, type StorageServer } from '#tahoe/gbs/server.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import { randomSwissnum } from '#tahoe/identity/nurl.ts';
import { watchAnswers } from '../breakdown/process-figures.ts';
import { answerParent } from '../load/child.ts';
import { profileAnswers } from './measured-work.ts';
import type { PeersFigures, StartPeers } from './protocol.ts';

let servers: StorageServer[] = [];
let syncs = 0;

const { atOnce } = quickDisk;
const counted = <T extends { readonly syncs: number }>(outcome: T): T => {
  syncs += outcome.syncs;
  return outcome;
};
const countingDisk: Disk = {
  ...quickDisk,
  sync: (fd) => {
    syncs++;
    return quickDisk.sync(fd);
  },
  ...(atOnce && {
    atOnce: {
      ...atOnce,
      writeFiles: async (...given) => counted(await atOnce.writeFiles(...given)),
      placeFiles: async (...given) => counted(await atOnce.placeFiles(...given)),
    },
  }),
};

answerParent({
  async start({ folders, syncToDisk }: StartPeers): Promise<string[]> {
    servers = await Promise.all(
      folders.map(async (shareFolder) =>
        createStorageServer({
          shareFolder,
          identity: await createPeerIdentity(),
          swissnum: randomSwissnum(),
          syncToDisk,
          disk: countingDisk,
        }),
      ),
    );
    return servers.map((server) => server.nurl.revealText());
  },
  figures(): PeersFigures {
    const stats = servers.map((server) => server.stats());
    return {
      requests: stats.reduce((sum, each) => sum + each.requests, 0),
      connections: stats.reduce((sum, each) => sum + each.openConnections, 0),
      syncs,
    };
  },
  ...profileAnswers(),
  ...watchAnswers(),
  async end(): Promise<void> {
    await Promise.all(servers.map((server) => server.close(0)));
  },
});
