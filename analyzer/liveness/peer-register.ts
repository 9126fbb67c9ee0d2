/** Every peer's life, fed from peer-events and enrolments; its states go into the peer table that share maps look at. */
import type { PeerId } from '#mesh/peer-id.ts';
import type { Domains, PeerState } from '#mesh/peer-state.ts';
import type { PeerTable } from '../share-map/peer-table.ts';
import type { PeerEventsValue } from '../wire.ts';
import type { LogTime } from './log-time.ts';
import { flapScoreOf, graceOf, heard, judged, type LivenessRules, newPeer, type PeerLife } from './peer-liveness.ts';

/** What an enrolment binds a peer to: stronger than what the peer says of itself. */
export interface EnrolmentFacts {
  readonly name: string;
  readonly domains: Domains;
  readonly revoked: boolean;
  readonly capacityBytes: number;
}

export interface PeerFacts {
  readonly peer: PeerId;
  readonly life: PeerLife;
  readonly name: string;
  readonly domains: Domains;
  readonly state: PeerState;
  readonly revoked: boolean;
  readonly capacityBytes: number;
  /** Log time since it was last heard; null where it never was. */
  readonly silenceMs: number | null;
  /** Log time since it has been in its state. */
  readonly inStateMs: number;
  readonly graceMs: number;
  readonly flapScore: number;
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

export class PeerRegister {
  readonly #rules: LivenessRules;
  readonly #time: LogTime;
  readonly #table: PeerTable;
  readonly #lives = new Map<PeerId, PeerLife>();
  readonly #enrolments = new Map<PeerId, EnrolmentFacts>();
  readonly #changes: StateChange[] = [];

  constructor(
    rules: LivenessRules,
    time: LogTime,
    table: PeerTable,
    resumed: ReadonlyMap<PeerId, PeerLife> = new Map(),
  ) {
    this.#rules = rules;
    this.#time = time;
    this.#table = table;
    for (const [peer, life] of resumed) {
      this.#lives.set(peer, life);
      this.#publish(peer, life);
    }
  }

  apply(value: PeerEventsValue): void {
    if (value.kind === 'tick') {
      if (this.#time.tick(value.atMs)) this.#judgeAll();
      return;
    }
    const { peer, incarnation, sequence, body } = value;
    const before = this.#lives.get(peer) ?? newPeer(this.#rules, this.#time.elapsedMs);
    const speaker = incarnation === operatorIncarnation ? 'operator' : 'peer';
    this.#replace(
      peer,
      before,
      heard(
        before,
        this.#rules,
        body,
        { incarnation, sequence },
        speaker,
        this.#time.elapsedMs,
        this.#time.watermarkMs,
      ),
    );
  }

  enrolled(peer: PeerId, facts: EnrolmentFacts): void {
    this.#enrolments.set(peer, facts);
    const life = this.#lives.get(peer) ?? newPeer(this.#rules, this.#time.elapsedMs);
    this.#lives.set(peer, life);
    this.#publish(peer, life);
  }

  #judgeAll(): void {
    for (const [peer, life] of this.#lives) {
      this.#replace(peer, life, judged(life, this.#rules, this.#time.elapsedMs, this.#time.watermarkMs));
    }
  }

  #replace(peer: PeerId, before: PeerLife, after: PeerLife): void {
    this.#lives.set(peer, after);
    if (after === before) return;
    if (after.state !== before.state) {
      this.#changes.push({
        peer,
        from: before.state,
        to: after.state,
        silenceMs: after.lastHeardMs === null ? null : this.#time.elapsedMs - after.lastHeardMs,
        shares: after.vitals?.sharesHeld ?? 0,
      });
      if (this.#changes.length > 100_000) this.#changes.shift();
    }
    if (after.state !== before.state || after.domains !== before.domains) this.#publish(peer, after);
  }

  #publish(peer: PeerId, life: PeerLife): void {
    const enrolment = this.#enrolments.get(peer);
    this.#table.setState(peer, enrolment?.revoked === true ? 'departed' : life.state);
    this.#table.setDomains(peer, { ...life.domains, ...enrolment?.domains });
  }

  /** State changes since the last call, oldest first. */
  takeChanges(): readonly StateChange[] {
    return this.#changes.splice(0);
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
    const revoked = enrolment?.revoked === true;
    return {
      peer,
      life,
      name: enrolment?.name || life.name || peer.slice(0, 8),
      domains: { ...life.domains, ...enrolment?.domains },
      state: revoked ? 'departed' : life.state,
      revoked,
      capacityBytes: life.capacityBytes || enrolment?.capacityBytes || 0,
      silenceMs: life.lastHeardMs === null ? null : this.#time.elapsedMs - life.lastHeardMs,
      inStateMs: this.#time.elapsedMs - life.stateSinceMs,
      graceMs: graceOf(life, this.#rules, this.#time.elapsedMs),
      flapScore: flapScoreOf(life, this.#rules, this.#time.elapsedMs),
    };
  }

  lives(): ReadonlyMap<PeerId, PeerLife> {
    return this.#lives;
  }
}
