/**
 * Looks at the peers again and again for what repairs must know: whether bulk repair holds, and whether something came that
 * could help a file whose repair failed.
 */
import type { Clock } from '#mesh/clock.ts';
import { isAvailableState, isWritableState } from '#mesh/peer-state.ts';
import type { PeerFact, PeersFreshness, PeerView } from '#peers/peer-view.ts';
import { type BrakeSettings, type BrakeState, brakeReleased, judgeBrake } from './queue/brake.ts';

export interface PeersWatchOptions {
  readonly peerView: PeerView;
  readonly clock: Clock;
  readonly brake: BrakeSettings;
  readonly everyMs: number;
  /** After each look. */
  readonly onLook: (look: PeersLook) => void;
}

export interface PeersLook {
  /** The brake or the freshness is another one than at the look before. */
  readonly changed: boolean;
  /** A peer came, came back, or has room it had not: repairs that failed may succeed now. */
  readonly helps: boolean;
}

/** A little more room helps no repair, and free space goes up and down by itself. */
const tellingRoomBytes = 1024 * 1024;

export class PeersWatch {
  brake: BrakeState = brakeReleased;
  readonly #options: PeersWatchOptions;
  #wasFresh = true;
  #before: ReadonlyMap<string, PeerFact> = new Map();
  #callOff: () => void = () => undefined;

  constructor(options: PeersWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.look();
    this.#callOff = this.#options.clock.after(this.#options.everyMs, () => this.start());
  }

  stop(): void {
    this.#callOff();
  }

  get freshness(): PeersFreshness {
    return this.#options.peerView.freshness();
  }

  /** Why bulk repair holds, for people; null where it does not. */
  get holdReason(): string | null {
    const { isFresh, ageMs } = this.freshness;
    if (!isFresh) {
      const age = Number.isFinite(ageMs) ? `are ${Math.round(ageMs / 1000)} s old` : 'are not known';
      return `the states of the peers ${age} (the log has had no ticks): bulk repair holds, critical files are still repaired`;
    }
    return this.brake.held ? this.brake.reason : null;
  }

  look(): void {
    const { peerView, brake, onLook } = this.#options;
    peerView.refresh();
    const { isFresh } = this.freshness;
    const wasHeld = this.brake.held;
    // Old facts neither hold the brake nor release it.
    if (isFresh) this.brake = judgeBrake(peerView.facts(), brake);
    const changed = wasHeld !== this.brake.held || this.#wasFresh !== isFresh;
    this.#wasFresh = isFresh;
    onLook({ changed, helps: this.#noteHelp(peerView.facts()) });
  }

  #noteHelp(facts: readonly PeerFact[]): boolean {
    const before = this.#before;
    this.#before = new Map(facts.map((fact) => [fact.peerId, fact]));
    return before.size > 0 && facts.some((fact) => isHelp(before.get(fact.peerId), fact));
  }
}

function isHelp(before: PeerFact | undefined, now: PeerFact): boolean {
  if (before === undefined) return isAvailableState(now.state);
  if (isAvailableState(now.state) && !isAvailableState(before.state)) return true;
  if (!isWritableState(now.state)) return false;
  if (!isWritableState(before.state)) return true;
  const hadLittle = Math.max(tellingRoomBytes, before.freeBytes / 8);
  return now.freeBytes - before.freeBytes > hadLittle || !sameDomains(before, now);
}

function sameDomains(a: PeerFact, b: PeerFact): boolean {
  const kinds = Object.keys(a.domains);
  return kinds.length === Object.keys(b.domains).length && kinds.every((kind) => a.domains[kind] === b.domains[kind]);
}
