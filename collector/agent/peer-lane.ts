/**
 * What the peer says of itself: announcements, heartbeats, drain, maintenance, departure. In memory only: a heartbeat that
 * waited through an outage says nothing, and everything else is said anew at the next start.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import type { Clock } from '#mesh/clock.ts';
import { AgentPostSchema, type PeerEvent, PeerEventSchema } from '#mesh/generated/events_pb.js';
import type { Logger } from '#mesh/logger.ts';
import { type PeerId, peerIdToBytes } from '#mesh/peer-id.ts';
import type { Lane } from './sender.ts';

export type PeerStatement = Exclude<PeerEvent['body'], { case: undefined }>;

/** Statements of a person that wait; further ones push out the oldest. */
const maxWaiting = 64;

export class PeerLane implements Lane<PeerEvent> {
  readonly name = 'peer';
  readonly #peerId: Uint8Array;
  readonly #incarnation: number;
  readonly #clock: Clock;
  readonly #log: Logger;
  #sequence = 0;
  #waiting: PeerEvent[] = [];

  constructor(options: { peerId: PeerId; incarnation: number; clock: Clock; log: Logger }) {
    this.#peerId = peerIdToBytes(options.peerId);
    this.#incarnation = options.incarnation;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** A heartbeat or announcement takes the place of the one that waits: only the newest counts. */
  say(statement: PeerStatement): void {
    if (statement.case !== 'maintenance')
      this.#waiting = this.#waiting.filter((event) => event.body.case !== statement.case);
    this.#waiting.push(
      create(PeerEventSchema, {
        peerId: this.#peerId,
        incarnation: BigInt(this.#incarnation),
        sequence: BigInt(++this.#sequence),
        observedAtMs: BigInt(Math.max(0, Math.round(this.#clock.nowMs()))),
        body: statement,
      }),
    );
    if (this.#waiting.length > maxWaiting) {
      this.#waiting.shift();
      this.#log.warn({}, 'too many statements of this peer wait for the collector; the oldest was dropped');
    }
  }

  /** A silent peer must not say later that it was there. */
  dropHeartbeats(): void {
    this.#waiting = this.#waiting.filter((event) => event.body.case !== 'heartbeat');
  }

  next(): Promise<PeerEvent | null> {
    return Promise.resolve(this.#waiting[0] ?? null);
  }

  bodyOf(event: PeerEvent): Uint8Array {
    return toBinary(AgentPostSchema, create(AgentPostSchema, { body: { case: 'event', value: event } }));
  }

  sent(event: PeerEvent): Promise<void> {
    this.#waiting = this.#waiting.filter((other) => other !== event);
    return Promise.resolve();
  }

  refused(event: PeerEvent): Promise<void> {
    return this.sent(event);
  }
}
