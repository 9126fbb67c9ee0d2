/**
 * Peers that say things of their shares as fast as the log takes them. Each peer is one lane, as an agent is: its next batch
 * goes out when the last one was acknowledged, and the same batch goes out again for as long as it was not.
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
import { batchOf, fileOf, peerOf, registrationOf, type ShareEvent } from '#mesh/testing/share-events.ts';
import type { Topics } from '#mesh/topics.ts';
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
const tickMs = 250;
const heartbeatMs = 500;
const retryMs = 100;
const registrationsPerBatch = 200;

export class MeshLoad {
  readonly oracle: Oracle;
  readonly files: readonly StorageIndex[];
  /** Batches and events that the log acknowledged. */
  acknowledgedBatches = 0;
  acknowledgedEvents = 0;
  /** Appends that failed and were made again. */
  repeatedAppends = 0;
  readonly #options: MeshLoadOptions;
  readonly #sequences: number[];
  readonly #generations: number[];
  /** What each peer has of each share that was given to it: the truth on its disk. */
  readonly #disks: Map<string, OnDisk>[];
  readonly #stopping = new AbortController();
  #speaking = new AbortController();
  #lanes: Promise<void>[] = [];
  #clocks: Promise<void>[] = [];
  #failure: Error | null = null;
  #peerSequence = 0;

  constructor(options: MeshLoadOptions) {
    this.#options = options;
    const numbers = Array.from({ length: options.peers }, (_, peer) => peer);
    this.files = Array.from({ length: options.files }, (_, file) => fileOf(file));
    this.oracle = new Oracle(numbers.map(peerOf), () => ({ zone: 'a' }));
    this.#sequences = numbers.map(() => 0);
    this.#generations = numbers.map(() => 0);
    this.#disks = numbers.map(() => new Map());
    for (let file = 0; file < options.files; file++) {
      for (let share = 0; share < n; share++) {
        this.#disks[(file * 7 + share) % options.peers]?.set(`${file}/${share}`, 'absent');
      }
    }
  }

  /** Every file is registered, every share stored, and every peer heard. */
  async begin(): Promise<void> {
    this.#clocks = [this.#tickOn(), this.#beatOn()];
    const registrations = this.files.map((_, file) => registrationOf(file, { k, n }));
    for (let from = 0, sequence = 1; from < registrations.length; from += registrationsPerBatch, sequence++) {
      const some = registrations.slice(from, from + registrationsPerBatch);
      await this.#send(batchOf({ peer: owner, sequence, registrations: some }));
    }
    await Promise.all(this.#disks.map((disk, peer) => this.#say(peer, [...disk.keys()], () => 'stored')));
  }

  /** Peers begin to speak at full rate, until `quiet`. */
  speak(): void {
    this.#speaking = new AbortController();
    this.#lanes = this.#disks.map((_, peer) => this.#lane(peer, this.#speaking.signal));
  }

  /** Resolves when every peer's last batch is acknowledged. Ticks and heartbeats go on. */
  async quiet(): Promise<void> {
    this.#speaking.abort();
    await Promise.all(this.#lanes);
    this.#lanes = [];
    if (this.#failure !== null) throw this.#failure;
  }

  /** Each peer lists its whole disk anew, as an agent does, and then verifies what is sound: only that takes a verdict back. */
  async takeInventories(): Promise<void> {
    await Promise.all(
      this.#disks.map(async (disk, peer) => {
        const generation = ((this.#generations[peer] as number) += 1);
        const there = [...disk.keys()].filter((name) => disk.get(name) !== 'absent');
        await this.#send(this.#batch(peer, { begin: generation }));
        await this.#say(peer, there, (name) => (disk.get(name) === 'corrupt' ? 'corrupt' : 'stored'));
        await this.#send(this.#batch(peer, { end: generation }));
        const sound = there.filter((name) => disk.get(name) === 'sound');
        await this.#say(peer, sound, () => 'verified');
      }),
    );
  }

  async end(): Promise<void> {
    this.#speaking.abort();
    this.#stopping.abort();
    await Promise.all([...this.#lanes, ...this.#clocks]);
  }

  // --- what peers say ------------------------------------------------------------------------------------------------

  async #lane(peer: number, signal: AbortSignal): Promise<void> {
    const { random, eventsPerBatch, restMs } = this.#options;
    const names = [...(this.#disks[peer] as Map<string, unknown>).keys()];
    try {
      while (!signal.aborted) {
        const some = Array.from({ length: eventsPerBatch }, () => names[Math.floor(random() * names.length)] as string);
        await this.#say(peer, some, () => changeOf(random()));
        await pause(restMs, undefined, { signal }).catch(() => undefined);
      }
    } catch (error) {
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
    }
  }

  async #say(peer: number, names: readonly string[], kindOf: (name: string) => ShareEvent[0]): Promise<void> {
    const disk = this.#disks[peer] as Map<string, OnDisk>;
    const { eventsPerBatch } = this.#options;
    for (let from = 0; from < names.length; from += eventsPerBatch) {
      const events = names.slice(from, from + eventsPerBatch).map((name): ShareEvent => {
        const [file, share] = name.split('/').map(Number) as [number, number];
        const kind = kindOf(name);
        disk.set(name, afterEvent(disk.get(name) as OnDisk, kind));
        return [kind, file, share];
      });
      await this.#send(this.#batch(peer, { events }));
    }
  }

  #batch(peer: number, fields: Partial<Parameters<typeof batchOf>[0]>): PeerBatch {
    const sequence = ((this.#sequences[peer] as number) += 1);
    return batchOf({ peer, sequence, ...fields });
  }

  /** An append that failed may have been taken all the same: the batch is the same, so nothing is doubled by it. */
  async #send(batch: PeerBatch): Promise<void> {
    const { topics } = this.#options;
    const { name, partitions } = topics.shareEvents;
    const { body } = fromBinary(ShareEventsRecordSchema, shareBatchRecord(batch));
    const records = encodeParts(body.value as ShareBatch, partitions).map((part) => ({ key: null, ...part }));
    await this.#appendUntilTaken(name, records);
    this.oracle.apply(batch);
    this.acknowledgedBatches++;
    this.acknowledgedEvents += batch.kinds.length;
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
        this.#disks.map((_, peer) => ({
          partition: peer % peerEvents.partitions,
          key: null,
          value: peerEvent(peer, 1, ++this.#peerSequence, saying),
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

type OnDisk = 'absent' | 'sound' | 'corrupt';

/** A share that is found corrupt stays so until it is verified, or gone. */
function afterEvent(before: OnDisk, kind: ShareEvent[0]): OnDisk {
  if (kind === 'lost') return 'absent';
  if (kind === 'corrupt') return 'corrupt';
  return kind === 'stored' && before === 'corrupt' ? 'corrupt' : 'sound';
}

function changeOf(random: number): ShareEvent[0] {
  if (random < 0.55) return 'stored';
  if (random < 0.65) return 'verified';
  return random < 0.95 ? 'lost' : 'corrupt';
}

function inEach(partitions: number, value: Uint8Array): AppendRecord[] {
  return Array.from({ length: partitions }, (_, partition) => ({ partition, key: null, value }));
}
