/**
 * One membership in one group, as its coordinator knows it: rounds of join and sync, heartbeats, commits. It ends when the
 * coordinator does not know the member any more; who wants to go on begins another one, with no claims.
 *
 * What it claims was assigned to it and has not been released, and it says so in every round: see group-plan.ts.
 */
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { partitionKey } from '../port.ts';
import { closedError } from '../shared/errors.ts';
import type { HeldUnder, MemberSpec, OwnedPartition } from '../shared/member.ts';
import type { Cluster } from './cluster.ts';
import { BrokerFault, code, isPassing, mayPass, toLogError } from './faults.ts';
import { GroupCalls } from './group-calls.ts';
import { type CommitOutcome, CommitQueue } from './group-commits.ts';
import { planAsLeader } from './group-leader.ts';
import { decodeAssignment, encodeCommitNote, encodeSubscription, groupProtocol } from './group-wire.ts';
import type { Responses } from './requests.ts';

interface Claim extends HeldUnder {
  /** The last round still gives it to us. */
  isWanted: boolean;
  /** What was committed is known, and the group's base is on the brokers. */
  isReady: boolean;
  committedOffset: number | null;
  callOffTakeAway: () => void;
}

type State = 'joining' | 'stable' | 'lost' | 'left' | 'failed';

/** The coordinator does not know us: whoever it gave our partitions to may have them already. */
class MembershipLost extends Error {}

export class GroupSession {
  /** Resolves after the first round; rejects where there is none. */
  readonly joined: Promise<void>;
  readonly #cluster: Cluster;
  readonly #calls: GroupCalls;
  readonly #spec: MemberSpec;
  readonly #changed: () => void;
  readonly #claims = new Map<string, Claim>();
  readonly #commits: CommitQueue;
  readonly #firstRound = Promise.withResolvers<void>();
  #state: State = 'joining';
  #failure: MeshwardError | null = null;
  /** Kafka's name for us; empty until it gave one. */
  #memberId = '';
  #round = -1;
  #base = 0;
  #turn = 0;
  #needsRound = true;
  #wakeRounds: () => void = () => undefined;
  #isTakingUp = false;
  #roundDone = Promise.withResolvers<void>();

  constructor(cluster: Cluster, spec: MemberSpec, changed: () => void) {
    this.#cluster = cluster;
    this.#spec = spec;
    this.#changed = changed;
    this.#calls = new GroupCalls(cluster, spec.group, spec.id);
    this.#commits = new CommitQueue(cluster, {
      send: (places) => this.#sendCommits(places),
      holds: (held) => this.#holds(held) !== undefined,
      nextRound: () => this.#nextRound(),
    });
    this.joined = this.#firstRound.promise;
    this.joined.catch(() => undefined);
    void this.#run();
  }

  get isOver(): boolean {
    return this.#state === 'lost' || this.#state === 'left' || this.#state === 'failed';
  }

  /** Asks the coordinator whether we are a member. @returns what we own; null: no member any more. @throws MeshwardError. */
  async confirm(): Promise<OwnedPartition[] | null> {
    if (!this.isOver && this.#memberId !== '') await this.#beat();
    if (this.#failure !== null) throw this.#failure;
    if (this.isOver) return null;
    return [...this.#claims.values()]
      .filter((claim) => claim.isReady || !claim.isWanted)
      .map(({ topic, partition, generation, committedOffset, isWanted }) => {
        return { topic, partition, generation, committedOffset, revoking: !isWanted };
      });
  }

  release(partitions: readonly HeldUnder[]): void {
    let isAny = false;
    for (const held of partitions) {
      const claim = this.#holds(held);
      if (claim === undefined) continue;
      claim.callOffTakeAway();
      this.#claims.delete(partitionKey(held.topic, held.partition));
      isAny = true;
    }
    if (isAny) this.#askRound();
  }

  /** @returns whether it was committed: not where the partition is no longer ours. @throws MeshwardError `log-unavailable`, `log-forbidden`. */
  commit(held: HeldUnder, nextOffset: number): Promise<boolean> {
    return this.#commits.add(held, nextOffset, encodeCommitNote({ base: this.#base }));
  }

  async leave(): Promise<void> {
    if (this.isOver) return;
    this.#end('left');
    if (this.#memberId !== '') await this.#calls.leave(this.#memberId, this.#beatTimeoutMs).catch(() => undefined);
    this.#calls.reset('the member left');
  }

  get #beatTimeoutMs(): number {
    const { limits } = this.#cluster.settings;
    return Math.min(limits.requestTimeoutMs, Math.max(500, this.#spec.sessionTimeoutMs / 2));
  }

  #holds({ topic, partition, generation }: HeldUnder): Claim | undefined {
    if (this.isOver) return undefined;
    const claim = this.#claims.get(partitionKey(topic, partition));
    return claim?.generation === generation ? claim : undefined;
  }

  async #run(): Promise<void> {
    try {
      while (!this.isOver) {
        await this.#joinRound();
        if (this.isOver) return;
        this.#state = 'stable';
        this.#cluster.settings.counts.rebalances++;
        this.#roundDone.resolve();
        this.#roundDone = Promise.withResolvers<void>();
        this.#firstRound.resolve();
        void this.#takeUp();
        this.#changed();
        await this.#roundAsked();
        if (!this.isOver) this.#state = 'joining';
      }
    } catch (error) {
      if (this.#cluster.closing.aborted) this.#fail(closedError());
      else if (error instanceof MembershipLost) this.#lose(error.message);
      else this.#fail(toLogError(error, `joining group ${this.#spec.group}`));
    }
  }

  /** Join and sync, again and again until one round is complete. */
  async #joinRound(): Promise<void> {
    for (let tries = 0; !this.isOver; tries++) {
      if (this.#cluster.closing.aborted) throw closedError();
      try {
        const joined = await this.#join();
        if (joined === null) continue;
        if (await this.#sync(joined)) return;
      } catch (error) {
        if (!mayPass(error)) throw error;
        this.#cluster.settings.logger.debug(
          { group: this.#spec.group, error: describeError(error) },
          'a round of the group is tried again',
        );
        await this.#cluster.pause(tries);
      }
    }
  }

  /** @returns null where the round has to be begun again at once. */
  async #join(): Promise<Responses['JoinGroup'] | null> {
    this.#needsRound = false;
    const { topics, sessionTimeoutMs, revokeTimeoutMs } = this.#spec;
    const metadata = encodeSubscription({ topics, claims: [...this.#claims.values()], base: this.#base }, this.#turn++);
    const body = {
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: revokeTimeoutMs,
      memberId: this.#memberId,
      protocolType: groupProtocol.type,
      groupProtocols: [{ name: groupProtocol.name, metadata }],
    };
    const timeoutMs = revokeTimeoutMs + this.#cluster.settings.limits.requestTimeoutMs;
    const joined = await this.#watched(this.#calls.join(body, timeoutMs));
    switch (joined.errorCode) {
      case code.none:
        this.#memberId = joined.memberId;
        this.#round = joined.generationId;
        return joined;
      case code.memberIdRequired:
        this.#memberId = joined.memberId;
        return null;
      case code.unknownMemberId:
      case code.fencedInstanceId:
        if (this.#claims.size > 0) throw new MembershipLost('the session timed out');
        this.#memberId = '';
        await this.#cluster.pause(0);
        return null;
      default:
        throw new BrokerFault(joined.errorCode, `joining group ${this.#spec.group}`);
    }
  }

  /** A round may take long, so its answer is waited for long: heartbeats tell whether the coordinator is still there. */
  async #watched<T>(answer: Promise<T>): Promise<T> {
    const { clock } = this.#cluster.settings;
    let callOff: () => void = () => undefined;
    const beatLater = (): void => {
      callOff = clock.after(this.#spec.sessionTimeoutMs / 3, () => {
        beatLater();
        // Where no answer comes, the connections are given up, and the round with them.
        if (this.#memberId !== '') this.#beat().catch(() => undefined);
      });
    };
    beatLater();
    try {
      return await answer;
    } finally {
      callOff();
    }
  }

  /** @returns false where another round has begun. */
  async #sync({ leaderId, memberId, generationId, members }: Responses['JoinGroup']): Promise<boolean> {
    const nowMs = this.#cluster.settings.clock.nowMs();
    const groupAssignment =
      leaderId === memberId ? await planAsLeader(this.#calls, generationId, members, this.#base, nowMs) : [];
    const body = { generationId, memberId, groupAssignment };
    const timeoutMs = this.#spec.revokeTimeoutMs + this.#cluster.settings.limits.requestTimeoutMs;
    const { errorCode, memberAssignment } = await this.#watched(this.#calls.sync(body, timeoutMs));
    switch (errorCode) {
      case code.none:
        this.#apply(memberAssignment, generationId);
        return true;
      case code.rebalanceInProgress:
      case code.illegalGeneration:
        return false;
      case code.unknownMemberId:
      case code.fencedInstanceId:
        throw new MembershipLost('the session timed out in a round');
      default:
        throw new BrokerFault(errorCode, `joining group ${this.#spec.group}`);
    }
  }

  #apply(assignment: Buffer, round: number): void {
    const { base, partitions } = decodeAssignment(assignment);
    this.#base = Math.max(this.#base, base);
    const wanted = new Map(partitions.map((held) => [partitionKey(held.topic, held.partition), held]));
    for (const [key, claim] of this.#claims) {
      const isWanted = wanted.get(key)?.generation === claim.generation;
      if (claim.isWanted && !isWanted) this.#takeAwayLater(claim);
      if (isWanted) claim.callOffTakeAway();
      claim.isWanted = isWanted;
    }
    for (const [key, held] of wanted) {
      // What was released after this round began is not taken up again: its next owner may be another.
      if (this.#claims.has(key) || held.generation !== base + round) continue;
      const fresh = { isWanted: true, isReady: false, committedOffset: null, callOffTakeAway: () => undefined };
      this.#claims.set(key, { ...held, ...fresh });
    }
  }

  /** An owner that does not let go in time leaves the group, so that others can have what it held. */
  #takeAwayLater(claim: Claim): void {
    claim.callOffTakeAway();
    claim.callOffTakeAway = this.#cluster.settings.clock.after(this.#spec.revokeTimeoutMs, () => {
      if (this.#claims.get(partitionKey(claim.topic, claim.partition)) !== claim) return;
      const memberId = this.#memberId;
      this.#lose(`${claim.topic}/${claim.partition} was not given up in ${this.#spec.revokeTimeoutMs} ms`);
      void this.#calls.leave(memberId, this.#beatTimeoutMs).catch(() => undefined);
    });
  }

  /** What is newly ours is shown only when it is known where its last owner stood, and the base is kept for the next one. */
  async #takeUp(): Promise<void> {
    if (this.#isTakingUp) return;
    this.#isTakingUp = true;
    try {
      for (let tries = 0; ; tries++) {
        const fresh = [...this.#claims.values()].filter((claim) => claim.isWanted && !claim.isReady);
        if (fresh.length === 0 || this.isOver) return;
        try {
          await this.#takeUpNow(fresh);
          this.#changed();
        } catch (error) {
          if (!mayPass(error)) throw error;
          await this.#cluster.pause(tries);
        }
      }
    } catch (error) {
      if (!this.isOver) this.#fail(toLogError(error, `taking up partitions for group ${this.#spec.group}`));
    } finally {
      this.#isTakingUp = false;
    }
  }

  async #takeUpNow(fresh: readonly Claim[]): Promise<void> {
    const places = await this.#calls.committed(fresh);
    const base = this.#base;
    const unnoted = fresh.flatMap((claim, index) => {
      const { offset, base: noted } = places[index] as { offset: number | null; base: number };
      claim.committedOffset = offset;
      if (noted >= base) return [];
      const note = encodeCommitNote(offset === null ? { base, none: true } : { base });
      return [this.#commits.add(claim, offset ?? 0, note)];
    });
    await Promise.all(unnoted);
    for (const claim of fresh) claim.isReady = true;
  }

  async #beat(): Promise<void> {
    const { group } = this.#spec;
    const round = this.#round;
    let errorCode: number;
    try {
      errorCode = await this.#calls.heartbeat(this.#memberId, round, this.#beatTimeoutMs);
    } catch (error) {
      throw toLogError(error, `keeping up membership in group ${group}`);
    }
    if (this.isOver) return;
    switch (errorCode) {
      case code.none:
        return;
      case code.rebalanceInProgress:
      case code.illegalGeneration:
        if (this.#state === 'stable' && round === this.#round) this.#askRound();
        return;
      case code.unknownMemberId:
      case code.fencedInstanceId:
        // While the first rounds are made, a name that is not taken up yet may be asked about.
        if (this.#round >= 0) this.#lose('the session timed out');
        return;
      default:
        throw toLogError(new BrokerFault(errorCode, `group ${group}`), 'keeping up membership');
    }
  }

  async #sendCommits(
    places: readonly { topic: string; partition: number; offset: number; note: string }[],
  ): Promise<readonly CommitOutcome[]> {
    const round = this.#round;
    const codes = await this.#calls.commit(this.#memberId, round, places);
    return codes.map((errorCode) => {
      if (errorCode === code.none) return 'committed';
      if (errorCode === code.unknownMemberId || errorCode === code.fencedInstanceId) {
        this.#lose('the session timed out');
        return 'fenced';
      }
      if (errorCode === code.rebalanceInProgress || errorCode === code.illegalGeneration) {
        if (round !== this.#round && this.#state === 'stable') return 'again';
        if (this.#state === 'stable') this.#askRound();
        return 'after-round';
      }
      const fault = new BrokerFault(errorCode, `committing for group ${this.#spec.group}`);
      return isPassing(errorCode) ? 'again' : toLogError(fault, 'commit');
    });
  }

  #askRound(): void {
    this.#needsRound = true;
    this.#wakeRounds();
  }

  async #roundAsked(): Promise<void> {
    if (this.#needsRound || this.isOver) return;
    await new Promise<void>((resolve) => {
      this.#wakeRounds = resolve;
    });
  }

  /** Resolves when the next round is complete, or the session over. */
  #nextRound(): Promise<void> {
    return this.isOver ? Promise.resolve() : this.#roundDone.promise;
  }

  #lose(why: string): void {
    if (this.isOver) return;
    this.#cluster.settings.logger.info({ group: this.#spec.group, why }, 'membership lost');
    this.#end('lost');
    this.#calls.reset('the membership is lost');
    this.#changed();
  }

  #fail(failure: MeshwardError): void {
    if (this.isOver) return;
    this.#failure = failure;
    this.#end('failed');
    this.#changed();
  }

  #end(state: State): void {
    this.#state = state;
    for (const claim of this.#claims.values()) claim.callOffTakeAway();
    this.#claims.clear();
    this.#firstRound.reject(this.#failure ?? (state === 'lost' ? lostError(this.#spec.group) : closedError()));
    this.#roundDone.resolve();
    this.#wakeRounds();
  }
}

/** Before the first round was complete. */
function lostError(group: string): MeshwardError {
  return new MeshwardError('log-unavailable', `group ${group} has forgotten this member before it had taken it in`, {
    next: 'Nothing: it joins again by itself. Where that goes on, look whether brokers come and go.',
    retryable: true,
  });
}
