/** How far each sender's batches have been applied in one partition: which batch is new, and which inventory its events belong to. */

import type { PeerBatch } from '#mesh/events/share-batch.ts';
import { compareOrder } from '#mesh/incarnation.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { AppliedOrder } from './kept-rows.ts';

type Progress = { -readonly [K in Exclude<keyof AppliedOrder, 'peer' | 'speaksForOwners'>]: AppliedOrder[K] };

/** What is to be done with a batch that is new. */
export interface BatchStep {
  /** The inventory that its events belong to. */
  readonly generation: number;
  /** Behind its events the inventory is whole: what it has not named is lost. */
  readonly endsInventory: boolean;
}

const unheard: Progress = { incarnation: 0, sequence: 0, generation: 0, openGeneration: 0, owesInventory: false };

/**
 * Collectors send what owners say under an id of their own, another one at each start: ids without end. As many are kept, here and over
 * a restart, as may have been at work of late; what an older one said is not sent again any more.
 */
const ownersKept = 256;

export class PeerProgress {
  readonly #known = new Map<PeerId, Progress>();
  /** Of senders that hold no shares, in the order in which they were heard last. */
  readonly #owners = new Map<PeerId, Progress>();
  readonly #changed = new Set<PeerId>();
  readonly #owing = new Set<PeerId>();

  /** Null for a batch at or below the last one applied. */
  take(batch: PeerBatch): BatchStep | null {
    const { peer, inventory } = batch;
    const progress = this.#known.get(peer) ?? this.#owners.get(peer) ?? { ...unheard };
    if (compareOrder(batch, progress) <= 0) return null;
    progress.incarnation = batch.incarnation;
    progress.sequence = batch.sequence;
    if (!this.#known.has(peer) && isOfOwner(batch)) {
      this.#changed.add(peer);
      this.#keepOwner(peer, progress);
      return { generation: 0, endsInventory: false };
    }
    this.#owners.delete(peer);
    this.#known.set(peer, progress);
    this.#changed.add(peer);
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
    return { generation, endsInventory };
  }

  #keepOwner(peer: PeerId, progress: Progress): void {
    this.#owners.delete(peer);
    this.#owners.set(peer, progress);
    for (const oldest of this.#owners.keys()) {
      if (this.#owners.size <= ownersKept) return;
      this.#owners.delete(oldest);
      this.#changed.delete(oldest);
    }
  }

  /** The inventory that an event of this peer belongs to now. */
  generationOf(peer: PeerId): number {
    const { openGeneration, generation } = this.#known.get(peer) ?? unheard;
    return openGeneration === 0 ? generation : openGeneration;
  }

  /** A batch of this peer could not be read, or of any where it is null: what is under way has not named everything, and ends without effect. */
  tearInventories(id: PeerId | null): void {
    for (const [peer, progress] of this.#known) {
      if (progress.openGeneration === 0 || (id !== null && peer !== id)) continue;
      progress.openGeneration = 0;
      this.#changed.add(peer);
    }
  }

  /** Batches were lost unread: these peers each owe an inventory that begins after this. */
  oweInventories(peers: Iterable<PeerId>): void {
    this.tearInventories(null);
    for (const peer of peers) {
      const progress = this.#known.get(peer) ?? { ...unheard };
      this.#known.set(peer, progress);
      progress.owesInventory = true;
      this.#changed.add(peer);
      this.#owing.add(peer);
    }
  }

  get owing(): ReadonlySet<PeerId> {
    return this.#owing;
  }

  /** @param rows of those that speak for owners, the one that spoke last comes last. */
  load(rows: Iterable<AppliedOrder>): void {
    for (const { peer, speaksForOwners, ...progress } of rows) {
      if (speaksForOwners === true) {
        this.#keepOwner(peer, { ...progress });
        continue;
      }
      this.#known.set(peer, { ...progress });
      if (progress.owesInventory) this.#owing.add(peer);
    }
  }

  takeChanged(): readonly AppliedOrder[] {
    const changed = [...this.#changed].map((peer): AppliedOrder => {
      const known = this.#known.get(peer);
      if (known !== undefined) return { peer, ...known };
      return { peer, ...(this.#owners.get(peer) as Progress), speaksForOwners: true };
    });
    this.#changed.clear();
    return changed;
  }

  /** Of a sender that holds shares, or did. */
  find(peer: PeerId): AppliedOrder | undefined {
    const progress = this.#known.get(peer);
    return progress === undefined ? undefined : { peer, ...progress };
  }
}

/** Peers say nothing in an owner's name: collectors refuse it. */
function isOfOwner({ kinds, inventory, registrations }: PeerBatch): boolean {
  return kinds.length === 0 && inventory === null && registrations.every(({ origin }) => origin === 'owner');
}
