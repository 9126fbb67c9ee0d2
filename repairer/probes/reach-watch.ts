/**
 * Which peers can be reached for their shares: each is asked for a list now and then. A peer that is heard and not reached is told
 * of, so that its shares count as those of a silent one; when it is reached again, that is told too.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { PeerState } from '#mesh/peer-state.ts';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import type { PeerFact } from '#peers/peer-view.ts';
import type { ReaderWords } from '#peers/reader-words.ts';
import type { WorkTransfer } from '#peers/transfer.ts';

export interface ReachWatchOptions {
  readonly facts: () => readonly PeerFact[];
  readonly transfer: WorkTransfer;
  readonly words: Pick<ReaderWords, 'reached' | 'notReached'>;
  readonly clock: Clock;
}

const everyMs = 2_000;
/** A peer is asked this often, and a peer of a large mesh at the rate below. */
const usualIntervalMs = 60_000;
const mostProbesPerSecond = 50;
/** One that failed, or is held for unreached, is asked again sooner. */
const soonMs = 10_000;
const failuresToTell = 3;
/** Where so few of those asked lately answer, it is this machine's own network. */
const leastAnswering = 0.5;
const latelyMs = 2 * usualIntervalMs;
/** Another reader reached what this one could not: it is left to that one for a while. */
const firstDoubtMs = 600_000;
const longestDoubtMs = 6 * 3_600_000;

interface Probe {
  nextAtMs: number;
  failures: number;
  /** When it was asked last, and whether it answered. */
  askedAtMs: number;
  answered: boolean;
  /** We said that it cannot be reached. */
  told: boolean;
  doubtUntilMs: number;
  doubtMs: number;
}

export class ReachWatch {
  readonly #options: ReachWatchOptions;
  readonly #probes = new Map<PeerId, Probe>();
  #callOff: () => void = () => undefined;
  #asking = new Set<PeerId>();

  constructor(options: ReachWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#callOff = this.#options.clock.after(everyMs, () => {
      this.#askThoseDue();
      this.start();
    });
  }

  stop(): void {
    this.#callOff();
  }

  #askThoseDue(): void {
    const { facts, clock } = this.#options;
    const known = facts().filter(isHeard);
    const nowMs = clock.monotonicMs();
    const here = new Set(known.map((fact) => fact.peerId));
    for (const peerId of this.#probes.keys()) if (!here.has(peerId)) this.#probes.delete(peerId);
    const intervalMs = Math.max(usualIntervalMs, (known.length * 1000) / mostProbesPerSecond);
    let left = Math.ceil((everyMs * mostProbesPerSecond) / 1000);
    for (const fact of known) {
      const probe = this.#probes.get(fact.peerId) ?? newProbe(nowMs);
      this.#probes.set(fact.peerId, probe);
      this.#noteDoubt(fact, probe, nowMs);
      if (left === 0 || probe.nextAtMs > nowMs || this.#asking.has(fact.peerId)) continue;
      left--;
      void this.#ask(fact, probe, intervalMs);
    }
  }

  /** What we told of is contradicted: somebody else reaches the peer. */
  #noteDoubt({ unreachableMs }: PeerFact, probe: Probe, nowMs: number): void {
    if (!probe.told || unreachableMs !== undefined) return;
    probe.told = false;
    if (probe.answered) return;
    probe.doubtUntilMs = nowMs + probe.doubtMs;
    probe.doubtMs = Math.min(longestDoubtMs, probe.doubtMs * 2);
  }

  async #ask(fact: PeerFact, probe: Probe, intervalMs: number): Promise<void> {
    const { transfer, clock } = this.#options;
    const { peerId } = fact;
    this.#asking.add(peerId);
    let failure: unknown;
    try {
      // A file that is nowhere: the answer is empty, and costs the peer a look into its folder.
      await transfer.listShares(peerId, storageIndexFromBytes(randomBytes(16)));
    } catch (error) {
      failure = error;
    } finally {
      this.#asking.delete(peerId);
    }
    if (transfer.signal.aborted || (failure !== undefined && !isSilence(failure))) {
      probe.nextAtMs = clock.monotonicMs() + intervalMs;
      return;
    }
    probe.askedAtMs = clock.monotonicMs();
    probe.answered = failure === undefined;
    if (probe.answered) this.#answered(fact, probe, intervalMs);
    else this.#failed(fact, probe, failure);
  }

  #answered({ peerId, unreachableMs }: PeerFact, probe: Probe, intervalMs: number): void {
    probe.failures = 0;
    probe.doubtMs = firstDoubtMs;
    probe.nextAtMs = probe.askedAtMs + (unreachableMs === undefined ? intervalMs : soonMs);
    if (unreachableMs !== undefined) this.#options.words.reached(peerId);
  }

  #failed({ peerId, unreachableMs }: PeerFact, probe: Probe, error: unknown): void {
    probe.failures++;
    probe.nextAtMs = probe.askedAtMs + soonMs;
    const isDoubtful = probe.askedAtMs < probe.doubtUntilMs;
    if (probe.failures < failuresToTell || unreachableMs !== undefined || isDoubtful || !this.#isOurNetworkUp()) return;
    probe.told = true;
    this.#options.words.notReached(peerId, describeError(error));
  }

  #isOurNetworkUp(): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    const lately = [...this.#probes.values()].filter(({ askedAtMs }) => nowMs - askedAtMs < latelyMs);
    return lately.filter(({ answered }) => answered).length >= lately.length * leastAnswering;
  }
}

function newProbe(nowMs: number): Probe {
  return {
    nextAtMs: nowMs,
    failures: 0,
    askedAtMs: Number.NEGATIVE_INFINITY,
    answered: false,
    told: false,
    doubtUntilMs: 0,
    doubtMs: firstDoubtMs,
  };
}

const heardStates: readonly PeerState[] = ['up', 'draining'];

function isHeard({ state, unreachableMs, doubtedMs }: PeerFact): boolean {
  return heardStates.includes(state) || unreachableMs !== undefined || doubtedMs !== undefined;
}

const silences = ['gbs-unreachable', 'gbs-pin-mismatch', 'gbs-unauthorized', 'gbs-protocol'];

/** A refusal is an answer, a full queue is our own, and a peer that serves nothing is not to be reached at all. */
function isSilence(error: unknown): boolean {
  return error instanceof MeshwardError && silences.includes(error.code);
}
