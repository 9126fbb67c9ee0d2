/** A collector in memory that also reads what it takes, as an analyzer does: in order, each batch once, inventories bracketed. */

import { fromBinary } from '@bufbuild/protobuf';
import { MeshwardError } from '#mesh/errors.ts';
import {
  type AgentPost,
  AgentPostSchema,
  InventoryPhase,
  type PeerEvent,
  type ShareBatch,
  ShareEventKind,
} from '#mesh/generated/events_pb.js';
import { compareOrder, type EventOrder } from '#mesh/incarnation.ts';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import { checkPost } from '../../gateway/check-post.ts';
import type { CentralSettings, CollectorPort } from '../ports.ts';

export type ViewedShare = 'stored' | 'verified' | 'corrupt';

const stateOfKind: Readonly<Record<number, ViewedShare>> = {
  [ShareEventKind.STORED]: 'stored',
  [ShareEventKind.VERIFIED]: 'verified',
  [ShareEventKind.CORRUPT]: 'corrupt',
};

const firstSettings: CentralSettings = {
  heartbeatMs: 0,
  inventoryIntervalS: 0,
  verifyBytesPerSecond: 0,
  serveBytesPerSecond: 0,
  version: 1,
};

export class FakeCollector implements CollectorPort {
  /** `storage index/share number` → what the collector believes of it. */
  readonly view = new Map<string, ViewedShare>();
  readonly manifests = new Map<string, { k: number; n: number; sizeBytes: number }>();
  readonly batches: ShareBatch[] = [];
  readonly events: PeerEvent[] = [];
  /** Posts that came again. */
  duplicates = 0;
  /** Posts whose order was not above the last one of their lane and that were not seen before. */
  readonly outOfOrder: EventOrder[] = [];
  inventories = 0;
  /** Answers each post with an error, or lets it pass. */
  refuse: (post: AgentPost) => Error | null = () => null;
  central: CentralSettings | null = null;
  settingsAnswered = 0;
  /** What an enrolment remembers: posts below it are refused. */
  lastIncarnation = 0;
  readonly addresses: string[] = [];
  #last: Record<'batch' | 'event', EventOrder | null> = { batch: null, event: null };
  readonly #seen = new Set<string>();
  #named: Set<string> | null = null;
  #waiting: (() => void)[] = [];

  post(body: Uint8Array): Promise<void> {
    const post = fromBinary(AgentPostSchema, body);
    const refusal = this.refuse(post);
    if (refusal !== null) {
      this.#wake();
      return Promise.reject(refusal);
    }
    const checked = checkPost(post);
    if (checked.order.incarnation < this.lastIncarnation) {
      this.#wake();
      return Promise.reject(new MeshwardError('peer-outdated', 'heard later', { next: 'Wait.' }));
    }
    if (this.#isNew(checked.kind, checked.order)) {
      if (checked.kind === 'event') this.events.push(checked.event);
      else this.#apply(checked.batch);
    }
    this.#wake();
    return Promise.resolve();
  }

  settings(knownVersion: number, knownInventoryRequest: number): Promise<CentralSettings | null> {
    const { lastIncarnation } = this;
    const central = this.central === null ? null : { ...this.central, lastIncarnation };
    this.settingsAnswered++;
    if (central === null && lastIncarnation > 0) return Promise.resolve({ ...firstSettings, lastIncarnation });
    const isKnown = central?.version === knownVersion && (central.inventoryRequest ?? 0) === knownInventoryRequest;
    return Promise.resolve(isKnown ? null : central);
  }

  changeAddress(nurl: string): Promise<boolean> {
    const isNews = this.addresses.at(-1) !== nurl;
    if (isNews) this.addresses.push(nurl);
    return Promise.resolve(isNews);
  }

  eventsOf(kind: NonNullable<PeerEvent['body']['case']>): PeerEvent[] {
    return this.events.filter((event) => event.body.case === kind);
  }

  /** Resolves when it holds, looked at after each post. The test's own time limit ends it. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #isNew(lane: 'batch' | 'event', order: EventOrder): boolean {
    const name = `${lane} ${order.incarnation} ${order.sequence}`;
    const last = this.#last[lane];
    if (last !== null && compareOrder(order, last) <= 0) {
      if (this.#seen.has(name)) this.duplicates++;
      else this.outOfOrder.push(order);
      return false;
    }
    this.#last[lane] = order;
    this.#seen.add(name);
    return true;
  }

  #apply(batch: ShareBatch): void {
    this.batches.push(batch);
    if (batch.inventory?.phase === InventoryPhase.BEGIN) this.#named = new Set();
    for (const manifest of batch.manifests) {
      const { k, n, sizeBytes } = manifest;
      this.manifests.set(storageIndexFromBytes(manifest.storageIndex), { k, n, sizeBytes: Number(sizeBytes) });
    }
    for (let i = 0; i < batch.kinds.length; i++) {
      const share = `${storageIndexFromBytes(batch.storageIndexes, i * 16)}/${batch.shareNumbers[i]}`;
      const state = stateOfKind[batch.kinds[i] ?? 0];
      if (state === undefined) {
        this.view.delete(share);
      } else {
        // An inventory says that a share is there, which takes back no verdict on its content that came before it.
        const isKnownSound = this.#named !== null && state === 'stored' && this.view.get(share) === 'verified';
        if (!isKnownSound) this.view.set(share, state);
        this.#named?.add(share);
      }
    }
    if (batch.inventory?.phase === InventoryPhase.END && this.#named !== null) {
      for (const share of this.view.keys()) if (!this.#named.has(share)) this.view.delete(share);
      this.#named = null;
      this.inventories++;
    }
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

export function unavailable(details: Record<string, unknown> = {}): MeshwardError {
  return new MeshwardError('service-unavailable', 'the collector is away', { next: 'Wait.', retryable: true, details });
}

export function malformed(): MeshwardError {
  return new MeshwardError('batch-malformed', 'the batch is malformed', { next: 'Mend it.' });
}
