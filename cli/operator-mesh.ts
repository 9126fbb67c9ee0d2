/** An operator's way into the mesh: the collector's directory, the peers' states, and transfers with every peer. */
import { randomBytes } from 'node:crypto';
import type { DirectoryPeer } from '#collector/gateway/bodies.ts';
import { type CollectorClient, createCollectorClient } from '#collector/gateway/client.ts';
import { type Clock, systemClock } from '#mesh/clock.ts';
import { type PeerId, parsePeerId } from '#mesh/peer-id.ts';
import { createBudget } from '#repairer/budget.ts';
import { gbsPeerStorage } from '#repairer/gbs-storage.ts';
import { createPeerContact } from '#repairer/peer-contact.ts';
import type { PeerStorage } from '#repairer/peer-storage.ts';
import { createPeerView, type PeerFact, type PeerView } from '#repairer/peer-view.ts';
import type { FileReading } from '#repairer/prove.ts';
import type { PutTools } from '#repairer/put.ts';
import { createTransfer, defaultTransferLimits } from '#repairer/transfer.ts';
import { createStorageClient } from '#tahoe/gbs/client.ts';
import { openKeyFolder } from '#tahoe/identity/key-folder.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';
import { type Context, foldersOf } from './context.ts';
import { openSecret } from './secret-file.ts';
import { fetchPeerFacts } from './services/mesh-access.ts';

export interface OperatorMeshOptions {
  readonly context: Pick<Context, 'config' | 'dataDir'>;
  readonly collectorUrl: string;
  readonly collectorPin: string;
  /** Null: nobody says which peers are up, and every enrolled peer counts as such. */
  readonly apiUrl: string | null;
  readonly clock?: Clock;
}

export interface OperatorMesh {
  readonly collector: CollectorClient;
  /** For downloads and proofs. */
  readonly reading: FileReading;
  /** For uploads. */
  readonly putTools: PutTools;
  /** Every enrolled peer that is not revoked; holds secrets. */
  peers(): readonly DirectoryPeer[];
  /** Reads who is enrolled and who is up anew. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

const maxInFlightPerPeer = 8;

export async function openOperatorMesh(options: OperatorMeshOptions): Promise<OperatorMesh> {
  const { context, apiUrl } = options;
  const clock = options.clock ?? systemClock;
  const folders = foldersOf(context.dataDir, context.config);
  const operator = await openKeyFolder(folders.operatorKey, { commonName: 'meshward-operator' });
  const collector = createCollectorClient({
    url: options.collectorUrl,
    pin: parsePeerId(options.collectorPin),
    key: privateKeyPem(operator),
    cert: operator.certificatePem,
  });
  const storageClient = createStorageClient({ clock });
  const storages = new Map<PeerId, PeerStorage>();
  let enrolled = new Map<PeerId, DirectoryPeer>();

  const peerView: PeerView = createPeerView({
    clock,
    refreshMs: 0,
    fetchPeers: async () => (apiUrl === null ? [...enrolled.values()].map(asUp) : fetchPeerFacts(apiUrl)),
  });
  const contact = createPeerContact({ clock });
  const transfer = createTransfer({
    storageOf: (peerId) => storages.get(peerId),
    domainsOf: (peerId) => peerView.fact(peerId)?.domains ?? enrolled.get(peerId)?.domains ?? {},
    budget: createBudget({ bytesPerSecond: 0, clock }),
    contact,
    clock,
    maxInFlightPerPeer,
    limits: defaultTransferLimits,
  });

  const refresh = async (): Promise<void> => {
    const directory = (await collector.directory()).filter((peer) => !peer.revoked);
    enrolled = new Map(directory.map((peer) => [parsePeerId(peer.peerId), peer]));
    for (const [peerId, peer] of enrolled)
      if (!storages.has(peerId)) storages.set(peerId, gbsPeerStorage(storageClient.peer(peer.nurl)));
    for (const peerId of storages.keys()) if (!enrolled.has(peerId)) storages.delete(peerId);
    await peerView.refresh();
  };
  const close = async (): Promise<void> => {
    await collector.close();
    await storageClient.close();
  };
  try {
    await refresh();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    collector,
    reading: { transfer, peers: () => [...enrolled.keys()], clock, random: Math.random },
    putTools: {
      transfer,
      field: () => peerView.writable(),
      random: Math.random,
      randomBytes: (count) => new Uint8Array(randomBytes(count)),
      leaseSecret: await openSecret(folders.operatorKey, 'lease-secret'),
    },
    peers: () => [...enrolled.values()],
    refresh,
    close,
  };
}

function asUp(peer: DirectoryPeer): PeerFact {
  return { peerId: parsePeerId(peer.peerId), state: 'up', freeBytes: Number.MAX_SAFE_INTEGER, domains: peer.domains };
}
