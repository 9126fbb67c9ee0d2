/** Every peer's life, fed from peer-events and enrolments; its states go into the peer table that share maps look at. */

import type { PeerEventsValue } from '#mesh/events/records.ts';
import { type PeerId, peerIdToBytes } from '#mesh/peer-id.ts';
import type { Domains, PeerState } from '#mesh/peer-state.ts';
import { partitionOfStorageIndex } from '#mesh/storage-index.ts';
import type { LogTime } from './log-time.ts';
import {
  claimsOf,
  flapScoreOf,
  graceOf,
  heard,
  judged,
  type LivenessRules,
  met,
  newPeer,
  type PeerLife,
} from './peer-liveness.ts';

/** Whoever looks at states and domains again and again, told of each change. */
export interface PeerStates {
  setState(peer: PeerId, state: PeerState): void;
  setDomains(peer: PeerId, domains: Domains): void;
}

/** What an enrolment binds a peer to: stronger than what the peer says of itself. */
export interface EnrolmentFacts {
  readonly name: string;
  readonly domains: Domains;
  readonly revoked: boolean;
  readonly capacityBytes: number;
  /** How often its agent was asked for an inventory. */
  readonly inventoryRequest: number;
  /** When a collector refused it for counting its starts lower than it was heard; 0 where none did since it was heard last. */
  readonly outdatedAtMs: number;
}

export interface PeerFacts {
  readonly peer: PeerId;
  readonly life: PeerLife;
  readonly name: string;
  readonly domains: Domains;
  readonly state: PeerState;
  readonly revoked: boolean;
  readonly capacityBytes: number;
  readonly inventoryRequest: number;
  /** See {@link EnrolmentFacts.outdatedAtMs}. */
  readonly outdatedAtMs: number;
  /** Events that came under an earlier incarnation than it was heard under, and were passed over; since this start. */
  readonly outdatedEvents: number;
  /** Log time since it was last heard; null where it never was. */
  readonly silenceMs: number | null;
  /** Log time since it has been in its state. */
  readonly inStateMs: number;
  readonly graceMs: number;
  readonly flapScore: number;
  /** Log time since when readers cannot reach it, though it is heard; null where they can. */
  readonly unreachableMs: number | null;
  /** How often of late shares that it said to hold were read at random, and were there; and were not. Fading. */
  readonly claims: { readonly held: number; readonly failed: number };
  /** Log time since when most of those failed: none of its shares counts as there until they hold again; null where it is believed. */
  readonly doubtedMs: number | null;
}

export interface StateChange {
  readonly peer: PeerId;
  readonly from: PeerState;
  readonly to: PeerState;
  readonly silenceMs: number | null;
  /** Shares that it said it holds. */
  readonly shares: number;
}

/** Events that an operator said of a peer carry incarnation 0. */
const operatorIncarnation = 0;
const maxWaitingChanges = 100_000;

export interface PeerRegisterOptions {
  readonly rules: LivenessRules;
  /** Log time of each partition of peer-events. A peer's events are all in one partition, and its silence counts there. */
  readonly times: readonly LogTime[];
  readonly table: PeerStates;
  /** What an earlier run knew. */
  readonly resumed?: ReadonlyMap<PeerId, PeerLife>;
}

/** Where a record of peer-events stands, and when it is read. */
export interface EventPlace {
  readonly partition: number;
  readonly offset: number;
  readonly readAtMs: number;
}

export class PeerRegister {
  readonly #rules: LivenessRules;
  readonly #times: readonly LogTime[];
  readonly #table: PeerStates;
  readonly #lives = new Map<PeerId, PeerLife>();
  readonly #partitions = new Map<PeerId, number>();
  readonly #enrolments = new Map<PeerId, EnrolmentFacts>();
  readonly #changed = new Set<PeerId>();
  readonly #changes: StateChange[] = [];
  readonly #outdatedEvents = new Map<PeerId, number>();

  constructor({ rules, times, table, resumed = new Map() }: PeerRegisterOptions) {
    this.#rules = rules;
    this.#times = times;
    this.#table = table;
    this.resume(resumed);
  }

  /** Before the first event: goes on from what an earlier run knew. */
  resume(lives: ReadonlyMap<PeerId, PeerLife>): void {
    for (const [peer, stored] of lives) {
      // What an older release stored says less.
      const life = { ...newPeer(this.#rules, 0), ...stored };
      this.#lives.set(peer, life);
      this.#publish(peer, life);
    }
  }

  apply(value: Exclude<PeerEventsValue, { kind: 'report' }>, place: EventPlace): void {
    const time = this.#times[place.partition] as LogTime;
    if (value.kind === 'tick') {
      if (time.tick(value.atMs, place.readAtMs)) this.#judgeAll(place.partition, time);
      return;
    }
    const { peer } = value;
    const known = this.#lives.get(peer);
    // A reader's word brings no peer that nobody else has spoken of.
    if (known === undefined && value.kind === 'reader') return;
    this.#partitions.set(peer, place.partition);
    const before = known ?? newPeer(this.#rules, time.elapsedMs);
    if (place.offset <= before.heardOffset) return;
    if (value.kind === 'reader') {
      const after = met(before, this.#rules, value.body, time.elapsedMs, time.watermarkMs);
      this.#replace(peer, before, { ...after, heardOffset: place.offset });
      return;
    }
    const { incarnation, sequence, body } = value;
    const speaker = incarnation === operatorIncarnation ? 'operator' : 'peer';
    const order = { incarnation, sequence };
    if (speaker === 'peer' && incarnation < before.order.incarnation)
      this.#outdatedEvents.set(peer, (this.#outdatedEvents.get(peer) ?? 0) + 1);
    const after = heard(before, this.#rules, body, order, speaker, time.elapsedMs, time.watermarkMs);
    this.#replace(peer, before, { ...after, heardOffset: place.offset });
  }

  enrolled(peer: PeerId, facts: EnrolmentFacts): void {
    const life = this.#lives.get(peer) ?? newPeer(this.#rules, this.#timeOf(peer).elapsedMs);
    const from = this.#stateOf(peer, life);
    this.#enrolments.set(peer, facts);
    this.#lives.set(peer, life);
    this.#changed.add(peer);
    this.#publish(peer, life);
    this.#tell(peer, from, life);
  }

  #judgeAll(partition: number, time: LogTime): void {
    for (const [peer, life] of this.#lives) {
      if (this.#partitionOf(peer) !== partition) continue;
      this.#replace(peer, life, judged(life, this.#rules, time.elapsedMs, time.watermarkMs));
    }
  }

  #replace(peer: PeerId, before: PeerLife, after: PeerLife): void {
    this.#lives.set(peer, after);
    if (after === before) return;
    this.#changed.add(peer);
    this.#tell(peer, this.#stateOf(peer, before), after);
    if (after.state !== before.state || after.domains !== before.domains) this.#publish(peer, after);
  }

  #tell(peer: PeerId, from: PeerState, life: PeerLife): void {
    const to = this.#stateOf(peer, life);
    if (from === to) return;
    const { silenceMs } = this.#factsOf(peer, life);
    this.#changes.push({ peer, from, to, silenceMs, shares: life.vitals?.sharesHeld ?? 0 });
    if (this.#changes.length > maxWaitingChanges) this.#changes.shift();
  }

  #publish(peer: PeerId, life: PeerLife): void {
    this.#table.setState(peer, this.#stateOf(peer, life));
    this.#table.setDomains(peer, { ...life.domains, ...this.#enrolments.get(peer)?.domains });
  }

  #stateOf(peer: PeerId, life: PeerLife): PeerState {
    return this.#enrolments.get(peer)?.revoked === true ? 'departed' : life.state;
  }

  /** Collectors choose the partition by the id; what was heard in one proves it. */
  #partitionOf(peer: PeerId): number {
    let partition = this.#partitions.get(peer);
    if (partition === undefined) {
      partition = partitionOfStorageIndex(peerIdToBytes(peer), 0, this.#times.length);
      this.#partitions.set(peer, partition);
    }
    return partition;
  }

  #timeOf(peer: PeerId): LogTime {
    return this.#times[this.#partitionOf(peer)] as LogTime;
  }

  /** Peers of which anything changed since the last call. */
  takeChanged(): readonly PeerId[] {
    const changed = [...this.#changed];
    this.#changed.clear();
    return changed;
  }

  markAllChanged(): void {
    for (const peer of this.#lives.keys()) this.#changed.add(peer);
  }

  /** State changes since the last call, oldest first. */
  takeChanges(): readonly StateChange[] {
    return this.#changes.splice(0);
  }

  get count(): number {
    return this.#lives.size;
  }

  facts(): readonly PeerFacts[] {
    return [...this.#lives].map(([peer, life]) => this.#factsOf(peer, life));
  }

  find(peer: PeerId): PeerFacts | undefined {
    const life = this.#lives.get(peer);
    return life === undefined ? undefined : this.#factsOf(peer, life);
  }

  #factsOf(peer: PeerId, life: PeerLife): PeerFacts {
    const enrolment = this.#enrolments.get(peer);
    const { elapsedMs } = this.#timeOf(peer);
    return {
      peer,
      life,
      name: enrolment?.name || life.name || peer.slice(0, 8),
      domains: { ...life.domains, ...enrolment?.domains },
      state: this.#stateOf(peer, life),
      revoked: enrolment?.revoked === true,
      capacityBytes: life.capacityBytes || enrolment?.capacityBytes || 0,
      inventoryRequest: enrolment?.inventoryRequest ?? 0,
      outdatedAtMs: enrolment?.outdatedAtMs ?? 0,
      outdatedEvents: this.#outdatedEvents.get(peer) ?? 0,
      silenceMs: life.lastHeardMs === null ? null : elapsedMs - life.lastHeardMs,
      inStateMs: elapsedMs - life.stateSinceMs,
      graceMs: graceOf(life, this.#rules, elapsedMs),
      flapScore: flapScoreOf(life, this.#rules, elapsedMs),
      unreachableMs: typeof life.unreachableSinceMs === 'number' ? elapsedMs - life.unreachableSinceMs : null,
      claims: claimsOf(life, this.#rules, elapsedMs),
      doubtedMs: life.doubt === null || life.doubt === undefined ? null : elapsedMs - life.doubt.sinceMs,
    };
  }
}

/** The lesser of what its capacity leaves and what its disk has; null for a peer that has not said. */
export function freeBytesOf({
  life: { vitals },
  capacityBytes,
}: Pick<PeerFacts, 'life' | 'capacityBytes'>): number | null {
  if (vitals === null) return null;
  const onDisk = Math.max(0, vitals.diskCapacityBytes - vitals.diskUsedBytes);
  return capacityBytes === 0 ? onDisk : Math.min(onDisk, Math.max(0, capacityBytes - vitals.shareBytesHeld));
}
