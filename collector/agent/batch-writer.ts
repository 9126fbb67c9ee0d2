/** Numbers the share batches of this incarnation and puts them into the spool. */
import { create, toBinary } from '@bufbuild/protobuf';
import type { Clock } from '#mesh/clock.ts';
import {
  type FileManifest,
  FileManifestSchema,
  InventoryPhase,
  ManifestOrigin,
  ShareBatchSchema,
} from '#mesh/generated/events_pb.js';
import type { Manifest } from '#mesh/manifest.ts';
import { type PeerId, peerIdToBytes } from '#mesh/peer-id.ts';
import { storageIndexToBytes } from '#mesh/storage-index.ts';
import type { Sender } from './sender.ts';
import type { Spool } from './spool.ts';

/** Three columns of one length, 16, 1 and 1 bytes an event. */
export interface BatchColumns {
  readonly storageIndexes: Uint8Array;
  readonly shareNumbers: Uint8Array;
  readonly kinds: Uint8Array;
}

export interface InventoryPart {
  readonly generation: number;
  /** From 0. The first part begins the inventory, the last one ends it; they are never the same one. */
  readonly part: number;
  readonly isLastPart: boolean;
}

/** Puts batches into the spool. */
export interface BatchSink {
  /** See {@link Spool.append} for what it answers. */
  append(
    columns: BatchColumns,
    manifests: readonly Manifest[],
    inventory?: InventoryPart,
  ): Promise<'stored' | 'dropped' | 'full'>;
  /** Resolves when there may be room again, after `full`. */
  changed(): Promise<void>;
}

export interface BatchWriterOptions {
  readonly peerId: PeerId;
  readonly incarnation: number;
  readonly spool: Spool;
  /** Of what the spool holds. */
  readonly sender: Pick<Sender<unknown>, 'wake'>;
  readonly clock: Clock;
}

export class BatchWriter implements BatchSink {
  readonly #peerId: Uint8Array;
  readonly #incarnation: number;
  readonly #spool: Spool;
  readonly #sender: Pick<Sender<unknown>, 'wake'>;
  readonly #clock: Clock;
  #sequence = 0;

  constructor(options: BatchWriterOptions) {
    this.#peerId = peerIdToBytes(options.peerId);
    this.#incarnation = options.incarnation;
    this.#spool = options.spool;
    this.#sender = options.sender;
    this.#clock = options.clock;
  }

  /** The sequence is given here; one that was dropped leaves a gap, which readers allow. */
  async append(
    columns: BatchColumns,
    manifests: readonly Manifest[],
    inventory?: InventoryPart,
  ): Promise<'stored' | 'dropped' | 'full'> {
    const sequence = ++this.#sequence;
    const batch = create(ShareBatchSchema, {
      peerId: this.#peerId,
      incarnation: BigInt(this.#incarnation),
      sequence: BigInt(sequence),
      observedAtMs: BigInt(Math.max(0, Math.round(this.#clock.nowMs()))),
      ...columns,
      manifests: manifests.map(fileManifest),
    });
    const phase = phaseOf(inventory);
    if (inventory !== undefined && phase !== null) {
      batch.inventory = { $typeName: 'meshward.events.v1.InventoryMark', phase, generation: inventory.generation };
    }
    const result = await this.#spool.append({
      incarnation: this.#incarnation,
      sequence,
      generation: inventory?.generation ?? 0,
      part: inventory?.part ?? 0,
      isLastPart: inventory?.isLastPart ?? false,
      payload: toBinary(ShareBatchSchema, batch),
    });
    this.#sender.wake();
    return result;
  }

  changed(): Promise<void> {
    return this.#spool.changed();
  }
}

function phaseOf(inventory: InventoryPart | undefined): InventoryPhase | null {
  if (inventory === undefined) return null;
  if (inventory.part === 0) return InventoryPhase.BEGIN;
  return inventory.isLastPart ? InventoryPhase.END : null;
}

function fileManifest(manifest: Manifest): FileManifest {
  return create(FileManifestSchema, {
    storageIndex: storageIndexToBytes(manifest.storageIndex),
    uebHash: manifest.uebHash,
    k: manifest.k,
    n: manifest.n,
    sizeBytes: BigInt(manifest.sizeBytes),
    origin: ManifestOrigin.DERIVED,
  });
}
