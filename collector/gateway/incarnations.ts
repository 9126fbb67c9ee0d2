/**
 * How far each peer has counted its starts, as the enrolments remember it for all collectors. A post under an earlier count
 * would be dropped by every reader as old: its agent is told instead, and so are people, since either it has lost its count (a
 * replaced disk) or two agents speak with one key.
 */

import { create } from '@bufbuild/protobuf';
import type { Clock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { type EnrolledPeer, EnrolledPeerSchema } from '#mesh/generated/events_pb.js';
import type { Logger } from '#mesh/logger.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { Enrolments } from './enrolments.ts';
import type { PostKind } from './metrics.ts';
import { malformed } from './read-post.ts';

/** A count grows by one with each start. One that leaps further is wrong, and taking it would leave no number above it. */
export const maxLeap = 1_000_000;
/** The enrolment is written anew so often, at most, while a peer goes on being refused. */
const markEveryMs = 10 * 60_000;

export interface IncarnationsOptions {
  readonly enrolments: Pick<Enrolments, 'table' | 'changePeer'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly outdated: (kind: PostKind) => void;
}

export class Incarnations {
  readonly #options: IncarnationsOptions;

  constructor(options: IncarnationsOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the post may be taken: its count is the one known, or is known from now on.
   * @throws MeshwardError `peer-outdated`, `batch-malformed` for a count that leaps, or of the log.
   */
  async admit(peer: PeerId, kind: PostKind, incarnation: number): Promise<void> {
    const { enrolments } = this.#options;
    const entry = enrolments.table.peer(peer)?.peer;
    if (entry === undefined) return; // its caller has just been looked up; revoked and forgotten meanwhile
    const known = incarnationOf(entry, kind);
    if (incarnation === known) return;
    if (incarnation < known) {
      await this.#tell(peer, kind, incarnation, known);
      throw outdated(incarnation, known);
    }
    if (incarnation > lastIncarnationOf(entry) + maxLeap)
      throw malformed(`its incarnation leaps from ${lastIncarnationOf(entry)} to ${incarnation}`);
    await enrolments.changePeer(peer, (current) =>
      current === undefined ? null : advanced(current, kind, incarnation),
    );
  }

  async #tell(peer: PeerId, kind: PostKind, incarnation: number, known: number): Promise<void> {
    const { enrolments, clock, logger, outdated: count } = this.#options;
    count(kind);
    const nowMs = clock.nowMs();
    const isMarked = (entry: EnrolledPeer | undefined): boolean =>
      entry === undefined || nowMs - Number(entry.outdatedAtMs) < markEveryMs;
    if (isMarked(enrolments.table.peer(peer)?.peer)) return;
    logger.warn(
      { peerId: peer, kind, incarnation, known },
      'a peer counts its starts lower than it did: it has lost its count, or two agents speak with its key',
    );
    await enrolments
      .changePeer(peer, (current) =>
        current === undefined || isMarked(current)
          ? null
          : create(EnrolledPeerSchema, { ...current, outdatedAtMs: BigInt(Math.round(nowMs)) }),
      )
      .catch(() => undefined); // its next post marks it
  }
}

/** The highest count of the peer's starts that any of its posts was taken under; 0 where none was. */
export function lastIncarnationOf(peer: EnrolledPeer): number {
  return Math.max(incarnationOf(peer, 'batch'), incarnationOf(peer, 'event'));
}

/** Batches that wait in a spool are sent under their own count, behind events of a later start: each kind has its own. */
function incarnationOf({ batchIncarnation, eventIncarnation }: EnrolledPeer, kind: PostKind): number {
  return Number(kind === 'batch' ? batchIncarnation : eventIncarnation);
}

function advanced(peer: EnrolledPeer, kind: PostKind, incarnation: number): EnrolledPeer | null {
  if (incarnationOf(peer, kind) >= incarnation) return null;
  const field = kind === 'batch' ? 'batchIncarnation' : 'eventIncarnation';
  return create(EnrolledPeerSchema, { ...peer, [field]: BigInt(incarnation), outdatedAtMs: 0n });
}

function outdated(incarnation: number, known: number): MeshwardError {
  return new MeshwardError(
    'peer-outdated',
    `this peer has been heard under incarnation ${known}; incarnation ${incarnation} comes before it`,
    {
      next: 'An agent that lost its count goes on above the known one by itself. Where it says that another agent speaks with its key, stop one of the two: each machine needs a key of its own.',
    },
  );
}
