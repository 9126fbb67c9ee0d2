/** What a share map keeps, row by row: as the store has it. */
import type { FileRegistration } from '#mesh/events/share-batch.ts';
import type { EventOrder } from '#mesh/incarnation.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';

/** How far a peer's batches have been applied in this partition. */
export interface AppliedOrder extends EventOrder {
  readonly peer: PeerId;
  /** The last inventory that ended. */
  readonly generation: number;
  /** The inventory that is under way, or 0. */
  readonly openGeneration: number;
  /** Batches of it were lost unread: what it holds here is known only once an inventory was begun and ended after that. */
  readonly owesInventory: boolean;
  /** Of a collector that speaks for owners, and holds no shares. */
  readonly speaksForOwners?: true;
}

export interface PlacementRow {
  readonly storageIndex: StorageIndex;
  readonly shareNumber: number;
  readonly peer: PeerId;
  /** `lost` stands in changes only: the row is to be removed. */
  readonly state: 'stored' | 'corrupt' | 'lost';
  readonly generation: number;
}

/** `n` is 0 for a file that was deleted before anybody said what it is. */
export interface FileRow extends FileRegistration {
  readonly deleted: boolean;
  /** Time of the log's tick before its first registration. */
  readonly registeredAtMs: number;
}
