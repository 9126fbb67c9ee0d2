/**
 * The word of an owner about files that a service itself has put, said into the log. As a collector does for operators, it speaks
 * under an id that is drawn anew with each start, and counts its batches from 1: no count is shared with anybody.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import type { EventLog } from '#log/port.ts';
import type { Clock } from '#mesh/clock.ts';
import { ShareBatchSchema, ShareEventsRecordSchema } from '#mesh/generated/events_pb.js';
import { peerIdBytes } from '#mesh/peer-id.ts';
import { partitionOfStorageIndex, type StorageIndex, storageIndexToBytes } from '#mesh/storage-index.ts';
import type { Topic } from '#mesh/topics.ts';

export interface OwnerWordsOptions {
  readonly log: Pick<EventLog, 'append'>;
  /** Share events. */
  readonly topic: Topic;
  readonly clock: Clock;
  readonly randomBytes: (count: number) => Uint8Array;
}

export class OwnerWords {
  readonly #options: OwnerWordsOptions;
  readonly #id: Uint8Array;
  #sequence = 0n;
  #last: Promise<void> = Promise.resolve();

  constructor(options: OwnerWordsOptions) {
    this.#options = options;
    this.#id = options.randomBytes(peerIdBytes);
  }

  /** The file is watched and repaired no more. One after the other, so that the count grows. @throws what the log throws. */
  deleted(file: StorageIndex): Promise<void> {
    const turn = this.#last.then(() => this.#say(file));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #say(file: StorageIndex): Promise<void> {
    const { log, topic, clock } = this.#options;
    const index = storageIndexToBytes(file);
    const value = create(ShareBatchSchema, {
      peerId: this.#id,
      incarnation: 1n,
      sequence: ++this.#sequence,
      observedAtMs: BigInt(Math.round(clock.nowMs())),
      deletedFiles: index,
    });
    const record = create(ShareEventsRecordSchema, { body: { case: 'batch', value } });
    await log.append(topic.name, [
      {
        partition: partitionOfStorageIndex(index, 0, topic.partitions),
        key: this.#id,
        value: toBinary(ShareEventsRecordSchema, record),
      },
    ]);
  }
}
