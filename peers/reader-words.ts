/** What a reader found at peers, said into the log: every analyzer and repairer hears it. Never waits, and never fails its caller. */
import { create, toBinary } from '@bufbuild/protobuf';
import type { AppendRecord, EventLog } from '#log/port.ts';
import type { Clock } from '#mesh/clock.ts';
import { describeError } from '#mesh/errors.ts';
import { PeerEventsRecordSchema, ShareEventsRecordSchema } from '#mesh/generated/events_pb.js';
import { maxTextLength } from '#mesh/limits.ts';
import { type PeerId, peerIdToBytes } from '#mesh/peer-id.ts';
import { partitionOfStorageIndex, type StorageIndex, storageIndexToBytes } from '#mesh/storage-index.ts';
import type { PlacedShare } from './locate.ts';

export interface ReaderWords {
  /** The share is not there, or not as it should be. */
  found(storageIndex: StorageIndex, share: PlacedShare, reason: string): void;
  reached(peerId: PeerId): void;
  notReached(peerId: PeerId, reason: string): void;
  /** Of shares that the peer says to hold and that were drawn at random. */
  claims(peerId: PeerId, held: number, failed: number): void;
  /** Resolves when everything that was said is in the log, or has failed. */
  flush(): Promise<void>;
}

export interface ReaderWordsOptions {
  readonly log: Pick<EventLog, 'append' | 'partitionCount'>;
  /** Names of the topics. */
  readonly topics: { readonly shareEvents: string; readonly peerEvents: string };
  readonly clock: Clock;
  /** Who says it, for people: `repairer`. */
  readonly reader: string;
  /** Told of what could not be said: it is found again when the share is read again. */
  readonly onFailed: (reason: string) => void;
}

/** Words on their way; more are left out, and told. */
const mostPending = 1000;

export async function openReaderWords(options: ReaderWordsOptions): Promise<ReaderWords> {
  const { log, topics, clock, reader, onFailed } = options;
  const sharePartitions = await log.partitionCount(topics.shareEvents);
  const peerPartitions = await log.partitionCount(topics.peerEvents);
  const pending = new Set<Promise<void>>();

  function say(topic: string, record: AppendRecord): void {
    if (pending.size >= mostPending) {
      onFailed('too many findings wait for the log');
      return;
    }
    const saying: Promise<void> = Promise.resolve()
      .then(() => log.append(topic, [record]))
      .then(
        () => undefined,
        (error: unknown) => onFailed(`a finding could not be written into the log: ${describeError(error)}`),
      )
      .finally(() => pending.delete(saying));
    pending.add(saying);
  }

  function sayOfPeer(peerId: PeerId, body: ReaderBody): void {
    const key = peerIdToBytes(peerId);
    const value = { peerId: key, atMs: BigInt(Math.round(clock.nowMs())), body };
    say(topics.peerEvents, {
      partition: partitionOfStorageIndex(key, 0, peerPartitions),
      key,
      value: toBinary(PeerEventsRecordSchema, create(PeerEventsRecordSchema, { body: { case: 'reader', value } })),
    });
  }

  return {
    found(storageIndex, share, reason) {
      const finding = { storageIndex, share, reader, reason, atMs: clock.nowMs() };
      say(topics.shareEvents, findingRecord(finding, sharePartitions));
    },
    reached: (peerId) => sayOfPeer(peerId, { case: 'reach', value: { reachable: true, reason: '' } }),
    notReached: (peerId, reason) =>
      sayOfPeer(peerId, { case: 'reach', value: { reachable: false, reason: reason.slice(0, maxTextLength) } }),
    claims: (peerId, held, failed) => sayOfPeer(peerId, { case: 'claims', value: { held, failed } }),
    async flush() {
      while (pending.size > 0) await Promise.all(pending);
    },
  };
}

export interface Finding {
  readonly storageIndex: StorageIndex;
  readonly share: PlacedShare;
  readonly reader: string;
  readonly reason: string;
  readonly atMs: number;
}

/** A finding as it stands in `share-events`, where the events of its file do. */
export function findingRecord(
  { storageIndex, share, reader, reason, atMs }: Finding,
  partitions: number,
): AppendRecord {
  const index = storageIndexToBytes(storageIndex);
  const key = peerIdToBytes(share.peerId);
  const value = {
    storageIndex: index,
    peerId: key,
    shareNumber: share.shareNumber,
    atMs: BigInt(Math.round(atMs)),
    reader,
    reason: reason.slice(0, maxTextLength),
  };
  return {
    partition: partitionOfStorageIndex(index, 0, partitions),
    key,
    value: toBinary(ShareEventsRecordSchema, create(ShareEventsRecordSchema, { body: { case: 'finding', value } })),
  };
}

type ReaderBody =
  | { readonly case: 'reach'; readonly value: { readonly reachable: boolean; readonly reason: string } }
  | { readonly case: 'claims'; readonly value: { readonly held: number; readonly failed: number } };
