/** A peer as the load plays it: the truth on its disk, what it says of it and in which order, and what it has said before. */

import { type Random, shuffled } from '#mesh/clock.ts';
import type { PeerBatch } from '#mesh/events/share-batch.ts';
import { type BatchFields, batchOf, type ShareEvent } from '#mesh/testing/share-events.ts';

type OnDisk = 'absent' | 'sound' | 'corrupt';
type Kind = ShareEvent[0];

/** A batch that comes again is one of so many that were acknowledged last. */
const rememberedBatches = 200;
/** Of a batch, so many events are of shares that are spoken of once. */
const seldomShare = 0.1;

export class LoadPeer {
  readonly number: number;
  readonly #disk = new Map<string, OnDisk>();
  #incarnation = 1;
  #sequence = 0;
  #generation = 0;
  #often: readonly string[] = [];
  /** Each is spoken of once until the next `deal`: nothing that is said later mends what went wrong with it. */
  #seldom: string[] = [];
  #acknowledged: PeerBatch[] = [];

  constructor(number: number) {
    this.number = number;
  }

  /** The peer is where this share belongs; it does not have it yet. */
  give(file: number, share: number): void {
    this.#disk.set(`${file}/${share}`, 'absent');
  }

  /** Says anew which half of the shares is spoken of once, and which again and again. */
  deal(random: Random): void {
    const names = shuffled([...this.#disk.keys()], random);
    const middle = Math.ceil(names.length / 2);
    this.#often = names.slice(0, middle);
    this.#seldom = names.slice(middle);
  }

  /** The next batch, with what stands in it. */
  batch(fields: Partial<BatchFields>): PeerBatch {
    this.#sequence += 1;
    return batchOf({ peer: this.number, incarnation: this.#incarnation, sequence: this.#sequence, ...fields });
  }

  /** It begins anew, as an agent does that lost count: batches of its former life are older than any of the new one. */
  restart(): void {
    this.#incarnation += 1;
    this.#sequence = 0;
  }

  acknowledged(batch: PeerBatch): void {
    this.#acknowledged.push(batch);
    if (this.#acknowledged.length > rememberedBatches) this.#acknowledged.shift();
  }

  /** One that was acknowledged before the last one: what a sender brings again that did not hear so. Null where there is none. */
  lateBatch(random: Random): PeerBatch | null {
    const older = this.#acknowledged.length - 1;
    return older < 1 ? null : (this.#acknowledged[Math.floor(random() * older)] as PeerBatch);
  }

  /** What changes in the course of things. */
  someChanges(random: Random, events: number): PeerBatch {
    const changes: ShareEvent[] = [];
    while (changes.length < events) {
      const once = random() < seldomShare ? this.#seldom.pop() : undefined;
      const name = once ?? this.#often[Math.floor(random() * this.#often.length)];
      if (name === undefined) break;
      changes.push(this.#note(name, once === undefined ? kindOf(random()) : this.#otherThan(name, random)));
    }
    return this.batch({ events: changes });
  }

  /** Of each of some shares, once, that it is not any more as it was. */
  *changesOnce(random: Random, ratio: number, eventsPerBatch: number): Generator<PeerBatch> {
    const names = shuffled([...this.#disk.keys()], random).slice(0, Math.ceil(this.#disk.size * ratio));
    yield* this.#say(names, eventsPerBatch, (name) => this.#otherThan(name, random));
  }

  *storesAll(eventsPerBatch: number): Generator<PeerBatch> {
    yield* this.#say([...this.#disk.keys()], eventsPerBatch, () => 'stored');
  }

  /** The whole disk anew, as an agent lists it, and then what is sound as verified: only that takes a verdict back. */
  *inventory(eventsPerBatch: number): Generator<PeerBatch> {
    this.#generation += 1;
    const there = [...this.#disk.keys()].filter((name) => this.#disk.get(name) !== 'absent');
    yield this.batch({ begin: this.#generation });
    yield* this.#say(there, eventsPerBatch, (name) => (this.#disk.get(name) === 'corrupt' ? 'corrupt' : 'stored'));
    yield this.batch({ end: this.#generation });
    const sound = there.filter((name) => this.#disk.get(name) === 'sound');
    yield* this.#say(sound, eventsPerBatch, () => 'verified');
  }

  *#say(names: readonly string[], eventsPerBatch: number, kindOf: (name: string) => Kind): Generator<PeerBatch> {
    for (let from = 0; from < names.length; from += eventsPerBatch) {
      const some = names.slice(from, from + eventsPerBatch);
      yield this.batch({ events: some.map((name) => this.#note(name, kindOf(name))) });
    }
  }

  #note(name: string, kind: Kind): ShareEvent {
    const [file, share] = name.split('/').map(Number) as [number, number];
    this.#disk.set(name, afterEvent(this.#disk.get(name) as OnDisk, kind));
    return [kind, file, share];
  }

  #otherThan(name: string, random: Random): Kind {
    const before = this.#disk.get(name) as OnDisk;
    if (before === 'absent') return 'stored';
    if (before === 'corrupt') return 'verified';
    return random() < 0.8 ? 'lost' : 'corrupt';
  }
}

/** A share that is found corrupt stays so until it is verified, or gone. */
function afterEvent(before: OnDisk, kind: Kind): OnDisk {
  if (kind === 'lost') return 'absent';
  if (kind === 'corrupt') return 'corrupt';
  return kind === 'stored' && before === 'corrupt' ? 'corrupt' : 'sound';
}

function kindOf(random: number): Kind {
  if (random < 0.55) return 'stored';
  if (random < 0.65) return 'verified';
  return random < 0.95 ? 'lost' : 'corrupt';
}
