/** Who is enrolled, followed from the compacted topic `enrolments`. What may be used to reach a peer stays inside. */
import { fromBinary } from '@bufbuild/protobuf';
import type { EventLog, Following, LogRecord } from '#log/port.ts';
import { describeError } from '#mesh/errors.ts';
import { EnrolmentSchema } from '#mesh/generated/events_pb.js';
import { isPeerId, type PeerId, peerIdBytes, peerIdFromBytes } from '#mesh/peer-id.ts';
import type { Domains } from '#mesh/peer-state.ts';

export interface DirectoryPeer {
  readonly peerId: PeerId;
  readonly name: string;
  readonly domains: Domains;
  readonly revoked: boolean;
}

export interface Directory<Storage> {
  /** Resolves when everything that was enrolled at the start is known. */
  readonly ready: Promise<void>;
  /** Rejects when the topic can no longer be followed; resolves when closed. */
  readonly ended: Promise<void>;
  peer(peerId: PeerId): DirectoryPeer | undefined;
  /** Every peer that is not revoked. */
  peers(): readonly DirectoryPeer[];
  /** The way to a peer's shares; undefined for one that is unknown, revoked or serves none. */
  storage(peerId: PeerId): Storage | undefined;
  close(): Promise<void>;
}

export interface DirectoryOptions<Storage> {
  readonly log: EventLog;
  /** Name of the topic `enrolments`. */
  readonly topic: string;
  /** Opens the way to a peer from its NURL, which holds a secret. */
  readonly connect: (nurl: string, peerId: PeerId) => Storage;
  /** Told of records that are not usable; their peers stay as they were. */
  readonly onUnusable?: (reason: string) => void;
}

interface Entry<Storage> extends DirectoryPeer {
  readonly nurl: string;
  storage: Storage | undefined;
}

export async function openDirectory<Storage>(options: DirectoryOptions<Storage>): Promise<Directory<Storage>> {
  const entries = new Map<PeerId, Entry<Storage>>();

  function apply(record: LogRecord): void {
    const peerId = peerIdOfKey(record.key);
    if (record.value === null) {
      if (peerId !== null) entries.delete(peerId);
      return;
    }
    const { body } = fromBinary(EnrolmentSchema, record.value);
    if (body.case !== 'peer') return;
    const { nurl, name, domains, revoked } = body.value;
    const id = peerIdFromBytes(body.value.peerId);
    const before = entries.get(id);
    const storage = before?.nurl === nurl ? before.storage : undefined;
    entries.set(id, { peerId: id, name, domains: { ...domains }, revoked, nurl, storage });
  }

  const following: Following = await options.log.follow(
    [options.topic],
    'first',
    (_topic, _partition, records) => {
      for (const record of records) {
        try {
          apply(record);
        } catch (error) {
          options.onUnusable?.(`an enrolment at offset ${record.offset} is not usable: ${describeError(error)}`);
        }
      }
      return Promise.resolve();
    },
    { unreadable: async ({ error }) => options.onUnusable?.(describeError(error)) },
  );

  return {
    ready: following.caughtUp,
    ended: following.ended,
    peer: (peerId) => exposed(entries.get(peerId)),
    peers: () => [...entries.values()].flatMap((entry) => (entry.revoked ? [] : [exposed(entry) as DirectoryPeer])),
    storage(peerId) {
      const entry = entries.get(peerId);
      if (entry === undefined || entry.revoked || entry.nurl === '') return undefined;
      entry.storage ??= options.connect(entry.nurl, peerId);
      return entry.storage;
    },
    close: () => following.close(),
  };
}

function exposed(entry: DirectoryPeer | undefined): DirectoryPeer | undefined {
  if (entry === undefined) return undefined;
  const { peerId, name, domains, revoked } = entry;
  return { peerId, name, domains, revoked };
}

/** Keys are a peer's id, as text or bytes, or begin with `token:` or `operator:`. */
function peerIdOfKey(key: Uint8Array | null): PeerId | null {
  if (key === null) return null;
  if (key.length === peerIdBytes) return peerIdFromBytes(key);
  const text = Buffer.from(key).toString('utf8');
  return isPeerId(text) ? text : null;
}
