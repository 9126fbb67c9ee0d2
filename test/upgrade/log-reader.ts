/** Reads the topic of share events as it grows: what stands in it, whichever release wrote it. */
import type { EventLog } from '#log/port.ts';
import { readShareEvents } from '#mesh/events/records.ts';
import { eventKinds } from '#mesh/events/share-batch.ts';
import { compareOrder, type EventOrder } from '#mesh/incarnation.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import type { Topic } from '#mesh/topics.ts';
import type { ChangeName } from './disk-load.ts';

const maxReadBytes = 1 << 20;

export class ShareEventReader {
  /** Of each change that was read. */
  readonly read = new Set<ChangeName>();
  /** By partition and peer: its last batch there. */
  readonly last = new Map<string, EventOrder>();
  /** By peer: in which of its incarnations its last whole inventory was taken. */
  readonly inventoried = new Map<PeerId, number>();
  readonly #next = new Map<number, number>();
  readonly #log: EventLog;
  readonly #topic: Topic;

  constructor(log: EventLog, topic: Topic) {
    this.#log = log;
    this.#topic = topic;
  }

  /** Up to where the log ends now. */
  async catchUp(): Promise<void> {
    for (const { partition, firstOffset, nextOffset } of await this.#log.bounds(this.#topic.name)) {
      let offset = this.#next.get(partition) ?? firstOffset;
      while (offset < nextOffset) {
        const records = await this.#log.read(this.#topic.name, partition, offset, maxReadBytes);
        for (const { value } of records) if (value !== null) this.#take(partition, value);
        offset = (records.at(-1)?.offset ?? nextOffset - 1) + 1;
      }
      this.#next.set(partition, offset);
    }
  }

  #take(partition: number, value: Uint8Array): void {
    const event = readShareEvents(value);
    if (event.kind !== 'batch') return;
    const { peer, incarnation, sequence, storageIndexes, shareNumbers, kinds, inventory } = event.batch;
    const lane = `${partition}/${peer}`;
    const before = this.last.get(lane);
    if (before === undefined || compareOrder(event.batch, before) > 0) this.last.set(lane, { incarnation, sequence });
    if (inventory?.phase === 'end') this.inventoried.set(peer, incarnation);
    for (const [i, kind] of kinds.entries()) {
      if (kind !== eventKinds.stored && kind !== eventKinds.lost) continue;
      const said = kind === eventKinds.lost ? 'lost' : 'stored';
      this.read.add(`${peer}/${storageIndexFromBytes(storageIndexes, i * 16)}/${shareNumbers[i] ?? -1}/${said}`);
    }
  }
}
