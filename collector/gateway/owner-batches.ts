/**
 * Batches that operators cause: files registered and deleted by who owns them.
 *
 * Analyzers drop a batch at or below the last one of its (peer, incarnation, sequence) in a partition. Several gateways serve
 * one operator and none of them knows the others' counts, so an operator cannot be the "peer" of such a batch. The gateway
 * is: each start of a gateway draws an id of 32 random bytes, and counts its batches in it from 1 (incarnation 1). They are
 * appended one after the other, so that the count grows in every partition. An append that failed may be in the log in
 * part; the operator's next try is a new batch, and registering or deleting a file twice is the same as once.
 */
import { randomBytes } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import type { EventLog } from '#log/port.ts';
import type { Clock } from '#mesh/clock.ts';
import { FileManifestSchema, ManifestOrigin, ShareBatchSchema } from '#mesh/generated/events_pb.js';
import type { Manifest } from '#mesh/manifest.ts';
import { peerIdBytes } from '#mesh/peer-id.ts';
import { type StorageIndex, storageIndexToBytes } from '#mesh/storage-index.ts';
import type { Topic } from '#mesh/topics.ts';
import { Refusal } from './answers.ts';
import { encodeParts } from './encode-parts.ts';

export interface OwnedFile {
  readonly manifest: Manifest;
  /** Chooses a policy; empty for the default. */
  readonly tag: string;
}

/** Registrations that may wait for the one under way. */
const maxWaiting = 16;

export class OwnerBatches {
  readonly #log: Pick<EventLog, 'append'>;
  readonly #topic: Topic;
  readonly #clock: Clock;
  readonly #gatewayId = new Uint8Array(randomBytes(peerIdBytes));
  #sequence = 0n;
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(log: Pick<EventLog, 'append'>, topic: Topic, clock: Clock) {
    this.#log = log;
    this.#topic = topic;
    this.#clock = clock;
  }

  /** Durable when resolved. */
  register(files: readonly OwnedFile[], headers: Readonly<Record<string, string>>): Promise<void> {
    const manifests = files.map(({ manifest, tag }) =>
      create(FileManifestSchema, {
        storageIndex: storageIndexToBytes(manifest.storageIndex),
        uebHash: manifest.uebHash,
        k: manifest.k,
        n: manifest.n,
        sizeBytes: BigInt(manifest.sizeBytes),
        origin: ManifestOrigin.OWNER,
        tag,
      }),
    );
    return this.#append({ manifests }, headers);
  }

  /** Durable when resolved. */
  delete(file: StorageIndex, headers: Readonly<Record<string, string>>): Promise<void> {
    return this.#append({ deletedFiles: storageIndexToBytes(file) }, headers);
  }

  async #append(content: OwnerContent, headers: Readonly<Record<string, string>>): Promise<void> {
    if (this.#waiting >= maxWaiting) {
      throw new Refusal(503, 'service-busy', 'other registrations of files are still being written', {
        next: 'Send the same request again after the time that Retry-After names.',
        retryAfterMs: 1000,
      });
    }
    this.#waiting += 1;
    const turn = this.#last.then(() => this.#appendNow(content, headers));
    this.#last = turn.catch(() => undefined);
    try {
      await turn;
    } finally {
      this.#waiting -= 1;
    }
  }

  async #appendNow(content: OwnerContent, headers: Readonly<Record<string, string>>): Promise<void> {
    this.#sequence += 1n;
    const batch = create(ShareBatchSchema, {
      peerId: this.#gatewayId,
      incarnation: 1n,
      sequence: this.#sequence,
      observedAtMs: BigInt(this.#clock.nowMs()),
      ...content,
    });
    const records = encodeParts(batch, this.#topic.partitions).map(({ partition, value }) => ({
      partition,
      key: this.#gatewayId,
      value,
      headers,
    }));
    await this.#log.append(this.#topic.name, records);
  }
}

type OwnerContent =
  | { manifests: ReturnType<typeof create<typeof FileManifestSchema>>[] }
  | { deletedFiles: Uint8Array };
