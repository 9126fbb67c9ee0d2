/** Commits of one member on their way: those that wait go out in one request, the newest of each partition. */
import type { MeshwardError } from '#mesh/errors.ts';
import type { HeldUnder } from '../shared/member.ts';
import type { Cluster } from './cluster.ts';
import { BrokerFault, code, mayPass, toLogError } from './faults.ts';

/** `again`: now; `after-round`: once the round under way is complete. */
export type CommitOutcome = 'committed' | 'fenced' | 'again' | 'after-round' | MeshwardError;

export interface CommitTools {
  readonly send: (
    places: readonly { topic: string; partition: number; offset: number; note: string }[],
  ) => Promise<readonly CommitOutcome[]>;
  /** Whether the partition is still ours under that generation. */
  readonly holds: (held: HeldUnder) => boolean;
  readonly nextRound: () => Promise<void>;
}

interface Waiting {
  readonly held: HeldUnder;
  readonly offset: number;
  readonly note: string;
  readonly giveUpAtMs: number;
  readonly resolve: (isCommitted: boolean) => void;
  readonly reject: (error: MeshwardError) => void;
}

export class CommitQueue {
  readonly #cluster: Cluster;
  readonly #tools: CommitTools;
  #waiting: Waiting[] = [];
  #isSending = false;

  constructor(cluster: Cluster, tools: CommitTools) {
    this.#cluster = cluster;
    this.#tools = tools;
  }

  add(held: HeldUnder, offset: number, note: string): Promise<boolean> {
    const { clock, limits } = this.#cluster.settings;
    return new Promise((resolve, reject) => {
      const giveUpAtMs = clock.monotonicMs() + limits.callTimeoutMs;
      this.#waiting.push({ held, offset, note, giveUpAtMs, resolve, reject });
      if (this.#isSending) return;
      this.#isSending = true;
      void this.#sendUntilEmpty();
    });
  }

  async #sendUntilEmpty(): Promise<void> {
    // What is committed in the same turn goes out together.
    await Promise.resolve();
    for (let tries = 0; this.#waiting.length > 0; ) {
      const taken = this.#takeHeld();
      if (taken.length === 0) continue;
      const isDone = await this.#send(taken, tries);
      tries = isDone ? 0 : tries + 1;
    }
    this.#isSending = false;
  }

  /** What is not ours any more is answered; so is nobody's commit sent under a claim that we let go of. */
  #takeHeld(): Waiting[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting.filter((one) => {
      const isHeld = this.#tools.holds(one.held);
      if (!isHeld) one.resolve(false);
      return isHeld;
    });
  }

  /** @returns false where something has to be sent again. */
  async #send(taken: readonly Waiting[], tries: number): Promise<boolean> {
    // The one that was asked for last stands for those before it.
    const newest = [...new Map(taken.map((one) => [`${one.held.topic}/${one.held.partition}`, one])).values()];
    let outcomes: readonly CommitOutcome[];
    try {
      outcomes = await this.#tools.send(
        newest.map(({ held, offset, note }) => ({ topic: held.topic, partition: held.partition, offset, note })),
      );
    } catch (error) {
      const failure = toLogError(error, 'commit');
      if (!mayPass(error)) {
        for (const one of taken) one.reject(failure);
        return true;
      }
      this.#sendAgain(taken, failure);
      await this.#cluster.pause(tries);
      return false;
    }
    const again: Waiting[] = [];
    let isAfterRound = false;
    for (const [index, { held }] of newest.entries()) {
      const outcome = outcomes[index] as CommitOutcome;
      const same = taken.filter((one) => one.held.topic === held.topic && one.held.partition === held.partition);
      if (outcome === 'again' || outcome === 'after-round') {
        again.push(...same);
        isAfterRound ||= outcome === 'after-round';
      } else for (const one of same) settle(one, outcome);
    }
    if (again.length === 0) return true;
    this.#sendAgain(again, toLogError(new BrokerFault(code.requestTimedOut, 'no round was completed'), 'commit'));
    await (isAfterRound ? this.#nextRound() : this.#cluster.pause(tries));
    return false;
  }

  #sendAgain(taken: readonly Waiting[], failure: MeshwardError): void {
    const nowMs = this.#cluster.settings.clock.monotonicMs();
    for (const one of taken) if (one.giveUpAtMs <= nowMs) one.reject(failure);
    this.#waiting.unshift(...taken.filter((one) => one.giveUpAtMs > nowMs));
  }

  /** Looks at the clock now and then, too: a round may take longer than a commit is tried. */
  async #nextRound(): Promise<void> {
    await Promise.race([this.#tools.nextRound(), this.#cluster.pause(20)]);
  }
}

function settle(waiting: Waiting, outcome: Exclude<CommitOutcome, 'again' | 'after-round'>): void {
  if (outcome === 'committed') waiting.resolve(true);
  else if (outcome === 'fenced') waiting.resolve(false);
  else waiting.reject(outcome);
}
