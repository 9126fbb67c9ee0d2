/**
 * The files that wait for repair, in order of urgency, in bounded memory.
 *
 * - A file is in the queue once; its newest record counts (order in the log's partition, which the caller keeps).
 * - Classes do not starve each other: a class that was passed over so many times in a row gets the next turn.
 * - When the queue is full the least urgent file leaves it: it stays in the log, and the queue remembers of which
 *   partition something was left out, so that the caller reads that partition again when there is room.
 */
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { PlacedShare } from '#peers/locate.ts';
import { IndexedHeap } from './indexed-heap.ts';
import { compareClasses, compareUrgency, type RepairClass, repairClasses, type Urgency } from './risk.ts';

/** A file as it comes from the log. */
export interface OfferedFile extends Urgency {
  readonly partition: number;
  /** Where its newest record stands. */
  readonly offset: number;
  /** Of the analyzer that wrote the record. */
  readonly generation: number;
  /** The record, kept while there is memory for it, else (null) read again when its turn comes. */
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** `waiting` for its turn, `taken` by a lane, or `resting` until `restUntilMs`. */
export type QueuedState = 'waiting' | 'taken' | 'resting';

export interface QueuedFile extends OfferedFile {
  readonly state: QueuedState;
  readonly restUntilMs: number;
  /** Repairs of this file that did not end well, since it came. */
  attempts: number;
  /** Set while a finished repair waits for the analyzer to see it: when the repair ended. */
  repairedAtMs: number | null;
  /** What repairs of this file placed, which the analyzer may not have seen yet. */
  placed: readonly PlacedShare[];
}

interface Item extends QueuedFile {
  repairClass: RepairClass;
  risk: number;
  sinceMs: number;
  partition: number;
  offset: number;
  generation: number;
  value: Uint8Array | null;
  headers: Readonly<Record<string, string>>;
  state: QueuedState;
  restUntilMs: number;
  urgentSlot: number;
  leastSlot: number;
  restSlot: number;
}

export interface QueueSettings {
  /** Most files in memory. */
  readonly maxFiles: number;
  /** Most bytes of records kept beside the files. */
  readonly maxHeldBytes: number;
  /** How often in a row a waiting class may be passed over; `critical` never is. */
  readonly passesBeforeTurn?: Readonly<Record<Exclude<RepairClass, 'critical'>, number>>;
}

const defaultPasses = { 'at-risk': 4, degraded: 12, lost: 48 } as const;

export class RepairQueue {
  readonly #settings: QueueSettings;
  readonly #items = new Map<StorageIndex, Item>();
  readonly #waiting = new Map<RepairClass, IndexedHeap<Item, 'urgentSlot'>>();
  /** Everything that may be left out: least urgent first. */
  readonly #least = new IndexedHeap<Item, 'leastSlot'>((a, b) => compareUrgency(b, a), 'leastSlot');
  readonly #resting = new IndexedHeap<Item, 'restSlot'>((a, b) => a.restUntilMs - b.restUntilMs, 'restSlot');
  readonly #passed = new Map<RepairClass, number>();
  readonly #leftOut = new Set<number>();
  #heldBytes = 0;

  constructor(settings: QueueSettings) {
    this.#settings = settings;
    for (const repairClass of repairClasses) {
      this.#waiting.set(repairClass, new IndexedHeap<Item, 'urgentSlot'>(compareUrgency, 'urgentSlot'));
      this.#passed.set(repairClass, 0);
    }
  }

  get size(): number {
    return this.#items.size;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Partitions of which files were left out since they were last read through. */
  get leftOutPartitions(): ReadonlySet<number> {
    return this.#leftOut;
  }

  find(storageIndex: StorageIndex): QueuedFile | undefined {
    return this.#items.get(storageIndex);
  }

  /** Takes a file in, or replaces its earlier record: a taken file stays taken, a resting one rests on unless it got worse. */
  offer(file: OfferedFile): 'added' | 'updated' | 'left-out' {
    const known = this.#items.get(file.storageIndex);
    if (known !== undefined) {
      this.#update(known, file);
      return 'updated';
    }
    if (this.#items.size >= this.#settings.maxFiles && !this.#makeRoom(file)) {
      this.#leftOut.add(file.partition);
      return 'left-out';
    }
    const item: Item = {
      ...file,
      value: null,
      state: 'waiting',
      restUntilMs: 0,
      attempts: 0,
      repairedAtMs: null,
      placed: [],
      urgentSlot: -1,
      leastSlot: -1,
      restSlot: -1,
    };
    this.#hold(item, file.value);
    this.#items.set(item.storageIndex, item);
    this.#enter(item);
    return 'added';
  }

  remove(storageIndex: StorageIndex): QueuedFile | undefined {
    const item = this.#items.get(storageIndex);
    if (item !== undefined) this.#drop(item);
    return item;
  }

  /** In no particular order. */
  files(): IterableIterator<QueuedFile> {
    return this.#items.values();
  }

  removePartition(partition: number): void {
    for (const item of this.#items.values()) if (item.partition === partition) this.#drop(item);
    this.#leftOut.delete(partition);
  }

  /** Says that the partition was read through again: what is left out from now on is remembered anew. */
  forgetLeftOut(partition: number): void {
    this.#leftOut.delete(partition);
  }

  rememberLeftOut(partition: number): void {
    this.#leftOut.add(partition);
  }

  /** The next file, which is the caller's until `rest`, `release` or `remove`. */
  take(which: 'any' | 'critical', nowMs: number): QueuedFile | undefined {
    this.wake(nowMs);
    const repairClass = which === 'critical' ? 'critical' : this.#nextClass();
    const item = repairClass === undefined ? undefined : this.#heap(repairClass).peek();
    if (item === undefined) return undefined;
    if (which === 'any') this.#countTurn(item.repairClass);
    this.#leave(item);
    item.state = 'taken';
    return item;
  }

  /** Puts a file to rest; it waits again from `untilMs` on. */
  rest(file: QueuedFile, untilMs: number): void {
    const item = this.#own(file);
    if (item === undefined) return;
    this.#leave(item);
    item.state = 'resting';
    item.restUntilMs = untilMs;
    this.#enter(item);
  }

  /** Lets a taken or resting file wait for its turn at once. */
  release(file: QueuedFile): void {
    const item = this.#own(file);
    if (item === undefined || item.state === 'waiting') return;
    this.#leave(item);
    item.state = 'waiting';
    this.#enter(item);
  }

  /** Lets files wait for their turn that rest since their repair failed. @returns how many. */
  wakeFailed(): number {
    let woken = 0;
    for (const item of Array.from(this.#resting.values())) {
      if (item.attempts === 0 || item.repairedAtMs !== null || item.restUntilMs === Number.POSITIVE_INFINITY) continue;
      this.release(item);
      woken++;
    }
    return woken;
  }

  /** When the next resting file wakes. */
  nextWakeMs(): number | undefined {
    return this.#resting.peek()?.restUntilMs;
  }

  /** Files by class, whatever they do: waiting, taken or resting. */
  lengths(): Record<RepairClass, number> {
    const lengths = this.waiting();
    for (const item of this.#resting.values()) lengths[item.repairClass]++;
    return lengths;
  }

  /** Files by class that wait for their turn. */
  waiting(): Record<RepairClass, number> {
    const waiting: Record<RepairClass, number> = { critical: 0, 'at-risk': 0, degraded: 0, lost: 0 };
    for (const repairClass of repairClasses) waiting[repairClass] = this.#heap(repairClass).size;
    return waiting;
  }

  get restingCount(): number {
    return this.#resting.size;
  }

  /** The most urgent class that waits, unless a lower one was passed over often enough: then the lowest of those. */
  #nextClass(): RepairClass | undefined {
    const passes = this.#settings.passesBeforeTurn ?? defaultPasses;
    let first: RepairClass | undefined;
    let starved: RepairClass | undefined;
    for (const repairClass of repairClasses) {
      if (this.#heap(repairClass).size === 0) continue;
      first ??= repairClass;
      if (repairClass !== 'critical' && (this.#passed.get(repairClass) as number) >= passes[repairClass])
        starved = repairClass;
    }
    return starved ?? first;
  }

  #countTurn(taken: RepairClass): void {
    for (const repairClass of repairClasses) {
      const passedOver = repairClass !== taken && this.#heap(repairClass).size > 0;
      this.#passed.set(repairClass, passedOver ? (this.#passed.get(repairClass) as number) + 1 : 0);
    }
  }

  /** Lets those wait again whose rest is over. */
  wake(nowMs: number): void {
    for (
      let item = this.#resting.peek();
      item !== undefined && item.restUntilMs <= nowMs;
      item = this.#resting.peek()
    ) {
      this.release(item);
    }
  }

  /** Whether something less urgent than the newcomer could leave. */
  #makeRoom(newcomer: Urgency): boolean {
    const least = this.#least.peek();
    if (least === undefined || compareUrgency(newcomer, least) >= 0) return false;
    this.#leftOut.add(least.partition);
    this.#drop(least);
    return true;
  }

  #update(item: Item, file: OfferedFile): void {
    this.#leave(item);
    // A file that fell into a more urgent class is not held back by the rest it was given before; one that rests because it
    // was found or made well enough wakes when the analyzer has seen it lose more since.
    const worse =
      compareClasses(file.repairClass, item.repairClass) < 0 || (item.repairedAtMs !== null && file.risk > item.risk);
    item.repairClass = file.repairClass;
    item.risk = file.risk;
    item.sinceMs = file.sinceMs;
    item.partition = file.partition;
    item.offset = file.offset;
    item.generation = file.generation;
    item.headers = file.headers;
    this.#hold(item, file.value);
    if (item.state === 'resting' && worse) item.state = 'waiting';
    this.#enter(item);
  }

  #enter(item: Item): void {
    if (item.state === 'taken') return;
    if (item.state === 'waiting') this.#heap(item.repairClass).push(item);
    else this.#resting.push(item);
    this.#least.push(item);
  }

  #leave(item: Item): void {
    this.#heap(item.repairClass).remove(item);
    this.#resting.remove(item);
    this.#least.remove(item);
  }

  #drop(item: Item): void {
    this.#leave(item);
    this.#heldBytes -= item.value?.length ?? 0;
    this.#items.delete(item.storageIndex);
  }

  #hold(item: Item, value: Uint8Array | null): void {
    this.#heldBytes -= item.value?.length ?? 0;
    const hasRoom = value !== null && this.#heldBytes + value.length <= this.#settings.maxHeldBytes;
    // A copy, since a record may be a view of a whole batch.
    item.value = hasRoom ? value.slice() : null;
    this.#heldBytes += item.value?.length ?? 0;
  }

  #own(file: QueuedFile): Item | undefined {
    const item = this.#items.get(file.storageIndex);
    return item === file ? item : undefined;
  }

  #heap(repairClass: RepairClass): IndexedHeap<Item, 'urgentSlot'> {
    return this.#waiting.get(repairClass) as IndexedHeap<Item, 'urgentSlot'>;
  }
}
