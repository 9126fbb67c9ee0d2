/** Which peers say in their heartbeats that they have enough to do: repairs that can do without them spare them. */
import type { PeerVitals } from '#mesh/events/peer-event.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { PeerFacts } from './liveness/peer-register.ts';

/** From where on a peer is busy; 0 never. */
export interface BusyRules {
  readonly cpuUsedRatio: number;
  readonly diskWaitRatio: number;
  /** Received and sent together. */
  readonly networkBytesPerSecond: number;
}

interface Heard {
  readonly vitals: PeerVitals;
  readonly atMs: number;
  /** Between the last two heartbeats. */
  readonly networkBytesPerSecond: number;
}

export class BusyPeers {
  readonly #rules: BusyRules;
  #heard: ReadonlyMap<PeerId, Heard> = new Map();

  constructor(rules: BusyRules) {
    this.#rules = rules;
  }

  /**
   * Why each busy peer is so; the others are not in it. Called again and again, since the network is a difference of counters.
   * @param nowMs of a clock that only grows.
   */
  look(peers: readonly PeerFacts[], nowMs: number): ReadonlyMap<PeerId, string> {
    const heard = new Map<PeerId, Heard>();
    const busy = new Map<PeerId, string>();
    for (const { peer, life } of peers) {
      if (life.vitals === null) continue;
      const now = heardNow(life.vitals, this.#heard.get(peer), nowMs);
      heard.set(peer, now);
      const reason = this.#reasonOf(now);
      if (reason !== null) busy.set(peer, reason);
    }
    this.#heard = heard;
    return busy;
  }

  #reasonOf({ vitals, networkBytesPerSecond }: Heard): string | null {
    const { cpuUsedRatio, diskWaitRatio, networkBytesPerSecond: mostNetwork } = this.#rules;
    const reaches = (value: number, limit: number): boolean => limit > 0 && value >= limit;
    if (reaches(vitals.cpuUsedRatio, cpuUsedRatio)) return 'its processors are busy';
    if (reaches(vitals.diskWaitRatio ?? 0, diskWaitRatio)) return 'work waits for its disk';
    return reaches(networkBytesPerSecond, mostNetwork) ? 'its network is busy' : null;
  }
}

function heardNow(vitals: PeerVitals, before: Heard | undefined, atMs: number): Heard {
  if (before === undefined) return { vitals, atMs, networkBytesPerSecond: 0 };
  if (before.vitals === vitals) return before;
  // Counters begin anew with the agent.
  const bytes = Math.max(0, networkBytes(vitals) - networkBytes(before.vitals));
  return { vitals, atMs, networkBytesPerSecond: (bytes * 1000) / Math.max(1, atMs - before.atMs) };
}

function networkBytes({ networkReceivedBytes, networkSentBytes }: PeerVitals): number {
  return networkReceivedBytes + networkSentBytes;
}
