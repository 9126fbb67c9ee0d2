/**
 * Peers that say things of their shares as fast as the log takes them. Each peer is one lane, as an agent is: its next batch
 * goes out when the last one was acknowledged, and the same batch goes out again for as long as it was not. Now and then an
 * older batch comes again too, as from a sender that did not hear that it was taken.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { fromBinary } from '@bufbuild/protobuf';
import { encodeParts } from '#collector/gateway/encode-parts.ts';
import type { AppendRecord, EventLog } from '#log/port.ts';
import type { Random } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { PeerBatch } from '#mesh/events/share-batch.ts';
import { type ShareBatch, ShareEventsRecordSchema } from '#mesh/generated/events_pb.js';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { peerEvent, peerTick, shareBatchRecord, shareTick } from '#mesh/testing/records.ts';
import { type BatchFields, fileOf, peerOf, registrationOf, type ShareEvent } from '#mesh/testing/share-events.ts';
import type { Topics } from '#mesh/topics.ts';
import { LoadPeer } from './load-peer.ts';
import { Oracle } from './oracle.ts';

export interface MeshLoadOptions {
  readonly log: EventLog;
  readonly topics: Topics;
  readonly random: Random;
  readonly files: number;
  readonly peers: number;
  readonly eventsPerBatch: number;
  /** Rest of a peer between two batches: 0 is as fast as the log allows. */
  readonly restMs: number;
}

/** 3-of-10: repaired below 6 counted shares. */
const k = 3;
const n = 10;
/** Who speaks for the files' owners. */
const owner = 100_000;
/** Files that were never registered have numbers from here on. */
const firstStranger = 200_000;
const strangers = 20;
const tickMs = 250;
const heartbeatMs = 500;
const retryMs = 100;
const registrationsPerBatch = 200;
/** After so many of a peer's batches an older one comes again. */
const lateRatio = 0.1;
/** So many come again when a peer has said its last: nothing that follows mends what they spoil. */
const lateAtTheEnd = 3;
const restartRatio = 0.02;

export class MeshLoad {
  readonly oracle: Oracle;
  /** Registered ones, deleted or not. */
  readonly files: readonly StorageIndex[];
  /** Batches and events that the log acknowledged. */
  acknowledgedBatches = 0;
  acknowledgedEvents = 0;
  /** Appends that failed and were made again. */
  repeatedAppends = 0;
  lateBatches = 0;
  readonly #options: MeshLoadOptions;
  readonly #peers: readonly LoadPeer[];
  readonly #owner = new LoadPeer(owner);
  readonly #stopping = new AbortController();
  #speaking = new AbortController();
  #lanes: Promise<void>[] = [];
  #clocks: Promise<void>[] = [];
  #failure: Error | null = null;
  #peerSequence = 0;
  #unreadable = 0;

  constructor(options: MeshLoadOptions) {
    this.#options = options;
    this.#peers = Array.from({ length: options.peers }, (_, peer) => new LoadPeer(peer));
    this.files = Array.from({ length: options.files }, (_, file) => fileOf(file));
    this.oracle = new Oracle(
      this.#peers.map(({ number }) => peerOf(number)),
      () => ({ zone: 'a' }),
    );
    for (let file = 0; file < options.files; file++) {
      for (let share = 0; share < n; share++) this.#peers[(file * 7 + share) % options.peers]?.give(file, share);
    }
  }

  /** Every file is registered, every share stored, and every peer heard. */
  async begin(): Promise<void> {
    this.#clocks = [this.#tickOn(), this.#beatOn()];
    const registrations = this.files.map((_, file) => registrationOf(file, { k, n }));
    for (let from = 0; from < registrations.length; from += registrationsPerBatch) {
      const some = registrations.slice(from, from + registrationsPerBatch);
      await this.#sendAsOwner({ registrations: some });
    }
    await this.#eachSays((peer) => peer.storesAll(this.#options.eventsPerBatch));
  }

  /** Peers begin to speak at full rate, until `quiet`. */
  speak(): void {
    this.#speaking = new AbortController();
    for (const peer of this.#peers) peer.deal(this.#options.random);
    this.#lanes = this.#peers.map((peer) => this.#lane(peer, this.#speaking.signal));
  }

  /** Resolves when every peer's last batch is acknowledged, and old ones have come again behind it. Ticks and heartbeats go on. */
  async quiet(): Promise<void> {
    this.#speaking.abort();
    await Promise.all(this.#lanes);
    this.#lanes = [];
    if (this.#failure !== null) throw this.#failure;
    await Promise.all(
      [...this.#peers, this.#owner].map(async (peer) => {
        for (let count = 0; count < lateAtTheEnd; count++) await this.#sendLate(peer);
      }),
    );
  }

  /** Of some shares each peer says once that they have changed. Where nothing is said after it, nothing mends what was lost of it. */
  async changeOnce(ratio: number): Promise<void> {
    const { random, eventsPerBatch } = this.#options;
    await this.#eachSays((peer) => peer.changesOnce(random, ratio, eventsPerBatch));
  }

  /** Each peer lists its whole disk anew. */
  async takeInventories(): Promise<void> {
    await this.#eachSays((peer) => peer.inventory(this.#options.eventsPerBatch));
  }

  /** Owners delete some files. Peers hold their shares still, and go on to speak of them. */
  async deleteFiles(count: number): Promise<void> {
    const { random, files } = this.#options;
    const deleted = Array.from({ length: count }, () => Math.floor(random() * files));
    await this.#sendAsOwner({ deleted });
  }

  /** Shares of files that nobody registered are stored; with `false`, they are gone again. */
  async strangers(areThere: boolean): Promise<void> {
    const kind = areThere ? 'stored' : 'lost';
    await this.#eachSays((peer) => {
      const events = this.strangerFiles.map((_, file): ShareEvent => [kind, firstStranger + file, file % n]);
      return [peer.batch({ events })];
    });
  }

  get strangerFiles(): readonly StorageIndex[] {
    return Array.from({ length: strangers }, (_, file) => fileOf(firstStranger + file));
  }

  /** A record in each partition that is none. Its letter is expected from then on. */
  async sayUnreadable(): Promise<void> {
    const { name, partitions } = this.#options.topics.shareEvents;
    for (let partition = 0; partition < partitions; partition++) {
      const value = new TextEncoder().encode(`\u{ff}unreadable ${++this.#unreadable}`);
      await this.#appendUntilTaken(name, [{ partition, key: null, value }]);
      this.oracle.expectLetter(value);
    }
  }

  async end(): Promise<void> {
    this.#speaking.abort();
    this.#stopping.abort();
    await Promise.all([...this.#lanes, ...this.#clocks]);
  }

  // --- what peers say ------------------------------------------------------------------------------------------------

  async #lane(peer: LoadPeer, signal: AbortSignal): Promise<void> {
    const { random, eventsPerBatch, restMs } = this.#options;
    try {
      while (!signal.aborted) {
        if (random() < restartRatio) peer.restart();
        await this.#send(peer, peer.someChanges(random, eventsPerBatch));
        if (random() < lateRatio) await this.#sendLate(peer);
        await pause(restMs, undefined, { signal }).catch(() => undefined);
      }
    } catch (error) {
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
    }
  }

  async #eachSays(batchesOf: (peer: LoadPeer) => Iterable<PeerBatch>): Promise<void> {
    await Promise.all(
      this.#peers.map(async (peer) => {
        for (const batch of batchesOf(peer)) await this.#send(peer, batch);
      }),
    );
  }

  /** An append that failed may have been taken all the same: the batch is the same, so nothing is doubled by it. */
  async #send(peer: LoadPeer, batch: PeerBatch): Promise<void> {
    await this.#append(batch);
    peer.acknowledged(batch);
    this.oracle.apply(batch);
    this.acknowledgedBatches++;
    this.acknowledgedEvents += batch.kinds.length;
  }

  /** What collectors say for owners they may say twice in a row too. */
  async #sendAsOwner(fields: Partial<BatchFields>): Promise<void> {
    const batch = this.#owner.batch(fields);
    await this.#send(this.#owner, batch);
    await this.#append(batch);
  }

  /** Nothing may come of it. */
  async #sendLate(peer: LoadPeer): Promise<void> {
    const batch = peer.lateBatch(this.#options.random);
    if (batch === null) return;
    await this.#append(batch);
    this.lateBatches++;
  }

  async #append(batch: PeerBatch): Promise<void> {
    const { name, partitions } = this.#options.topics.shareEvents;
    const { body } = fromBinary(ShareEventsRecordSchema, shareBatchRecord(batch));
    const records = encodeParts(body.value as ShareBatch, partitions).map((part) => ({ key: null, ...part }));
    await this.#appendUntilTaken(name, records);
  }

  async #appendUntilTaken(topic: string, records: readonly AppendRecord[]): Promise<void> {
    for (;;) {
      try {
        await this.#options.log.append(topic, records);
        return;
      } catch (error) {
        if (!(error instanceof MeshwardError) || !error.retryable) throw error;
        this.repeatedAppends++;
        await pause(retryMs);
      }
    }
  }

  // --- time ----------------------------------------------------------------------------------------------------------

  async #tickOn(): Promise<void> {
    const { shareEvents, peerEvents } = this.#options.topics;
    await this.#every(tickMs, () => [
      [peerEvents.name, inEach(peerEvents.partitions, peerTick(Date.now()))],
      [shareEvents.name, inEach(shareEvents.partitions, shareTick(Date.now()))],
    ]);
  }

  async #beatOn(): Promise<void> {
    const { peerEvents } = this.#options.topics;
    const about = (saying: Parameters<typeof peerEvent>[3]): [string, AppendRecord[]][] => [
      [
        peerEvents.name,
        this.#peers.map(({ number }) => ({
          partition: number % peerEvents.partitions,
          key: null,
          value: peerEvent(number, 1, ++this.#peerSequence, saying),
        })),
      ],
    ];
    const [announced] = about({ says: 'announce', domains: { zone: 'a' } });
    await this.#appendUntilTaken(...(announced as [string, AppendRecord[]]));
    await this.#every(heartbeatMs, () => about({ says: 'heartbeat' }));
  }

  /** What cannot be said now is not said later: time that passes while the log is away does not count. */
  async #every(intervalMs: number, said: () => readonly [string, readonly AppendRecord[]][]): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const appends = said().map(([topic, records]) => this.#options.log.append(topic, records));
      await Promise.allSettled(appends);
      await pause(intervalMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

function inEach(partitions: number, value: Uint8Array): AppendRecord[] {
  return Array.from({ length: partitions }, (_, partition) => ({ partition, key: null, value }));
}
