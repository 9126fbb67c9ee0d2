/** The way to every enrolled peer, shared by repairs, proofs, uploads and downloads of one process. */
import type { EventLog } from '#log/port.ts';
import type { Clock } from '#mesh/clock.ts';
import type { StorageClient } from '#tahoe/gbs/client.ts';
import { type Budget, type BudgetRates, createBudget } from './budget.ts';
import { type Directory, openDirectory } from './directory.ts';
import { gbsPeerStorage } from './gbs-storage.ts';
import { createPeerContact, type PeerContact } from './peer-contact.ts';
import type { PeerStorage } from './peer-storage.ts';
import type { PeerView } from './peer-view.ts';
import { openReaderWords, type ReaderWords } from './reader-words.ts';
import { createTransfer, defaultTransferLimits, type Transfer, type TransferLimits } from './transfer.ts';

export interface MeshAccess {
  readonly directory: Directory<PeerStorage>;
  readonly peerView: PeerView;
  readonly contact: PeerContact;
  readonly transfer: Transfer;
  /** What is found at peers is said here. */
  readonly words: ReaderWords;
  readonly budget: Budget;
  close(): Promise<void>;
}

export interface MeshAccessOptions {
  readonly log: EventLog;
  /** Names of the topics. */
  readonly topics: { readonly enrolments: string; readonly shareEvents: string; readonly peerEvents: string };
  readonly storageClient: Pick<StorageClient, 'peer'>;
  readonly peerView: PeerView;
  readonly clock: Clock;
  readonly rates: BudgetRates;
  readonly limits?: Partial<TransferLimits>;
  /** Told of what cannot be read from the log, or said into it. */
  readonly onUnusable?: (reason: string) => void;
}

export async function openMeshAccess(options: MeshAccessOptions): Promise<MeshAccess> {
  const { clock, peerView, rates } = options;
  const directory = await openDirectory<PeerStorage>({
    log: options.log,
    topic: options.topics.enrolments,
    connect: (nurl) => gbsPeerStorage(options.storageClient.peer(nurl)),
    ...(options.onUnusable && { onUnusable: options.onUnusable }),
  });
  const contact = createPeerContact({ clock });
  const budget = createBudget(rates, clock);
  const transfer = createTransfer({
    storageOf: (peerId) => directory.storage(peerId),
    domainsOf: (peerId) => peerView.fact(peerId)?.domains ?? directory.peer(peerId)?.domains ?? {},
    budget,
    contact,
    limits: { ...defaultTransferLimits, ...options.limits },
  });
  const words = await openReaderWords({
    log: options.log,
    topics: options.topics,
    clock,
    reader: 'repairer',
    onFailed: (reason) => options.onUnusable?.(reason),
  });
  return {
    directory,
    peerView,
    contact,
    transfer,
    budget,
    words,
    async close() {
      await words.flush();
      await directory.close();
    },
  };
}
