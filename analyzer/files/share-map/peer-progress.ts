/** How far each peer's batches have been applied in one partition: which batch is new, and which inventory its events belong to. */

import type { PeerBatch } from '#mesh/events/share-batch.ts';
import { compareOrder } from '#mesh/incarnation.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { AppliedOrder } from './kept-rows.ts';
import type { PeerTable } from './peer-table.ts';

type Progress = { -readonly [K in Exclude<keyof AppliedOrder, 'peer'>]: AppliedOrder[K] };

/** What is to be done with a batch that is new. */
export interface BatchStep {
  readonly peer: number;
  /** The inventory that its events belong to. */
  readonly generation: number;
  /** Behind its events the inventory is whole: what it has not named is lost. */
  readonly endsInventory: boolean;
}

const unheard: Progress = { incarnation: 0, sequence: 0, generation: 0, openGeneration: 0, owesInventory: false };

export class PeerProgress {
  readonly #peers: PeerTable;
  readonly #known = new Map<number, Progress>();
  readonly #changed = new Set<number>();
  readonly #owing = new Set<number>();

  constructor(peers: PeerTable) {
    this.#peers = peers;
  }

  /** Null for a batch at or below the last one applied. */
  take(batch: PeerBatch): BatchStep | null {
    const peer = this.#peers.numberOf(batch.peer);
    const progress = this.#known.get(peer) ?? { ...unheard };
    if (compareOrder(batch, progress) <= 0) return null;
    this.#known.set(peer, progress);
    this.#changed.add(peer);
    progress.incarnation = batch.incarnation;
    progress.sequence = batch.sequence;
    const { inventory } = batch;
    if (inventory?.phase === 'begin') progress.openGeneration = inventory.generation;
    const generation = progress.openGeneration === 0 ? progress.generation : progress.openGeneration;
    // Without its begin an inventory has not named everything: its end takes nothing away.
    const endsInventory =
      inventory?.phase === 'end' && progress.openGeneration !== 0 && inventory.generation === progress.openGeneration;
    if (endsInventory) {
      progress.generation = progress.openGeneration;
      progress.openGeneration = 0;
      progress.owesInventory = false;
      this.#owing.delete(peer);
    }
    return { peer, generation, endsInventory };
  }

  /** A batch of this peer could not be read, or of any where it is null: what is under way has not named everything, and ends without effect. */
  tearInventories(id: PeerId | null): void {
    for (const [peer, progress] of this.#known) {
      if (progress.openGeneration === 0 || (id !== null && this.#peers.row(peer).peer !== id)) continue;
      progress.openGeneration = 0;
      this.#changed.add(peer);
    }
  }

  /** Batches were lost unread: these peers each owe an inventory that begins after this. */
  oweInventories(peers: Iterable<number>): void {
    this.tearInventories(null);
    for (const peer of peers) {
      const progress = this.#known.get(peer) ?? { ...unheard };
      this.#known.set(peer, progress);
      progress.owesInventory = true;
      this.#changed.add(peer);
      this.#owing.add(peer);
    }
  }

  /** Numbers of the peers that owe an inventory. */
  get owing(): ReadonlySet<number> {
    return this.#owing;
  }

  load(rows: Iterable<AppliedOrder>): void {
    for (const { peer: id, ...progress } of rows) {
      const peer = this.#peers.numberOf(id);
      this.#known.set(peer, { ...progress });
      if (progress.owesInventory) this.#owing.add(peer);
    }
  }

  takeChanged(): readonly AppliedOrder[] {
    const changed = [...this.#changed].map((peer) => this.#orderOf(peer, this.#known.get(peer) as Progress));
    this.#changed.clear();
    return changed;
  }

  find(peer: number): AppliedOrder | undefined {
    const progress = this.#known.get(peer);
    return progress === undefined ? undefined : this.#orderOf(peer, progress);
  }

  #orderOf(peer: number, progress: Progress): AppliedOrder {
    return { peer: this.#peers.row(peer).peer, ...progress };
  }
}
