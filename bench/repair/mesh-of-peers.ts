/** The mesh as a process that reads and writes shares sees it: all peers up, in twelve zones, nothing limited. */
import { systemClock } from '#mesh/clock.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { type Budget, createBudget } from '#peers/budget.ts';
import { gbsPeerStorage } from '#peers/gbs-storage.ts';
import { createPeerContact } from '#peers/peer-contact.ts';
import type { PeerStorage } from '#peers/peer-storage.ts';
import { createPeerView } from '#peers/peer-view.ts';
import { createTransfer, defaultTransferLimits } from '#peers/transfer.ts';
import type { RepairMesh } from '#repairer/repair/tools.ts';
import type { StorageClient } from '#tahoe/gbs/client.ts';
import { parseNurl } from '#tahoe/identity/nurl.ts';
import type { RequestMeter } from './request-meter.ts';

export function unlimitedBudget(): Budget {
  return createBudget({ bytesPerSecond: 0 }, systemClock);
}

export function meshOfPeers(
  nurls: readonly string[],
  client: StorageClient,
  meter: RequestMeter,
  budget = unlimitedBudget(),
): RepairMesh {
  const storages = new Map<PeerId, PeerStorage>();
  const peers = nurls.map((text, at) => {
    const nurl = parseNurl(text);
    storages.set(nurl.peerId, meter.around(gbsPeerStorage(client.peer(nurl))));
    return { peerId: nurl.peerId, name: `peer-${at}`, domains: { zone: `z${at % 12}` }, revoked: false };
  });
  const facts = peers.map(({ peerId, domains }) => ({ peerId, domains, state: 'up' as const, freeBytes: 1e13 }));
  const domainsOf = new Map(peers.map(({ peerId, domains }) => [peerId, domains]));
  const contact = createPeerContact({ clock: systemClock });
  return {
    contact,
    transfer: createTransfer({
      storageOf: (peerId) => storages.get(peerId),
      domainsOf: (peerId) => domainsOf.get(peerId) ?? {},
      budget,
      contact,
      limits: defaultTransferLimits,
    }),
    peerView: createPeerView({ facts: () => facts, ageMs: () => 0 }, 15_000),
    directory: { peer: (peerId) => peers.find((peer) => peer.peerId === peerId), peers: () => peers },
  };
}
