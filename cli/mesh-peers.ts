/** The way to every peer's shares for one command: addresses from the collector, states from the analyzer where it answers. */
import type { ApiClient } from '#analyzer/api/client.ts';
import type { PeerAnswer } from '#analyzer/api/schemas.ts';
import type { DirectoryPeer } from '#collector/gateway/bodies.ts';
import { systemClock } from '#mesh/clock.ts';
import { describeError } from '#mesh/errors.ts';
import { type PeerId, parsePeerId } from '#mesh/peer-id.ts';
import { isWritableState } from '#mesh/peer-state.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { createBudget } from '#peers/budget.ts';
import { gbsPeerStorage } from '#peers/gbs-storage.ts';
import { createPeerContact } from '#peers/peer-contact.ts';
import type { PeerStorage } from '#peers/peer-storage.ts';
import { createPeerView, type PeerFact } from '#peers/peer-view.ts';
import { buildPlacementField, type PlacementField } from '#peers/placement-field.ts';
import { createTransfer, defaultTransferLimits, type Transfer, type WorkTransfer } from '#peers/transfer.ts';
import type { FileReading } from '#repairer/files/open-file.ts';
import type { RepairMesh } from '#repairer/repair/tools.ts';
import { createStorageClient } from '#tahoe/gbs/client.ts';
import { knownPlaces } from './known-places.ts';

export interface MeshPeers {
  readonly transfer: Transfer;
  readonly count: number;
  readonly nameOf: (peerId: PeerId) => string;
  /** The peers that an upload may write to. */
  readonly field: PlacementField;
  /** For repairing one file. */
  readonly repairMesh: RepairMesh;
  /** For reading one file: from where it is known to lie, or by asking every peer. */
  reading(storageIndex: StorageIndex, onBytes?: (bytes: number) => void): Promise<FileReading>;
  close(): Promise<void>;
}

export interface MeshPeersOptions {
  readonly directory: readonly DirectoryPeer[];
  /** Null: every enrolled peer counts as up. */
  readonly api: ApiClient | null;
  readonly note: (line: string) => void;
}

export async function openMeshPeers({ directory, api, note }: MeshPeersOptions): Promise<MeshPeers> {
  const peers = directory
    .filter((peer) => !peer.revoked)
    .map((peer) => ({ ...peer, peerId: parsePeerId(peer.peerId) }));
  const byId = new Map(peers.map((peer) => [peer.peerId, peer]));
  const facts = await factsOf(peers, api, note);
  const client = createStorageClient();
  const storages = new Map<PeerId, PeerStorage>();
  const contact = createPeerContact({ clock: systemClock });
  const transfer = createTransfer({
    storageOf(peerId) {
      const nurl = byId.get(peerId)?.nurl ?? '';
      if (nurl !== '' && !storages.has(peerId)) storages.set(peerId, gbsPeerStorage(client.peer(nurl)));
      return storages.get(peerId);
    },
    domainsOf: (peerId) => byId.get(peerId)?.domains ?? {},
    budget: createBudget({ bytesPerSecond: 0 }, systemClock),
    contact,
    limits: defaultTransferLimits,
  });
  const everyPeer = peers.map((peer) => peer.peerId);
  return {
    transfer,
    count: peers.length,
    nameOf: (peerId) => byId.get(peerId)?.name ?? peerId,
    field: buildPlacementField(facts.filter((fact) => isWritableState(fact.state) && byId.has(fact.peerId))),
    repairMesh: {
      transfer,
      contact,
      peerView: createPeerView({ facts: () => facts, ageMs: () => 0 }, 0),
      directory: { peer: (peerId) => byId.get(peerId), peers: () => peers },
    },
    async reading(storageIndex, onBytes) {
      return {
        transfer: onBytes === undefined ? transfer : countingReads(transfer, onBytes),
        peers: () => everyPeer,
        known: api === null ? [] : await knownPlaces(storageIndex, api),
        maxPeers: Math.max(1, everyPeer.length),
        clock: systemClock,
        random: Math.random,
      };
    },
    close: () => client.close(),
  };
}

async function factsOf(
  peers: readonly (DirectoryPeer & { readonly peerId: PeerId })[],
  api: ApiClient | null,
  note: (line: string) => void,
): Promise<readonly PeerFact[]> {
  try {
    if (api !== null) return (await api.peers()).peers.map(peerFactOf);
  } catch (error) {
    note(
      `the analyzer does not say which peers are up (${describeError(error)}): all ${peers.length} enrolled peers are tried`,
    );
  }
  return peers.map(({ peerId, domains, capacityBytes }) => ({
    peerId,
    state: 'up',
    domains,
    // Without an analyzer nothing tells what is used already: the peer itself refuses what it cannot take.
    freeBytes: capacityBytes > 0 ? capacityBytes : Number.MAX_SAFE_INTEGER,
  }));
}

/** The same transfer, which tells of the bytes of shares as they are read. */
function countingReads(transfer: Transfer, onBytes: (bytes: number) => void): Transfer {
  return {
    begin(work) {
      const begun = transfer.begin(work);
      const source: WorkTransfer['source'] = (...where) => {
        const inner = begun.source(...where);
        return {
          ...inner,
          async read(offset, length) {
            const bytes = await inner.read(offset, length);
            onBytes(bytes.length);
            return bytes;
          },
        };
      };
      // Its counters are getters: a copy would hold what they were at the beginning.
      return Object.create(begun, { source: { value: source } }) as WorkTransfer;
    },
  };
}

function peerFactOf(peer: PeerAnswer): PeerFact {
  return {
    peerId: parsePeerId(peer.peerId),
    state: peer.state,
    // A peer that has not said what it can take is given nothing yet.
    freeBytes: peer.freeBytes ?? 0,
    domains: peer.domains,
  };
}
