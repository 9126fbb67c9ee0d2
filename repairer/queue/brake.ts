/**
 * The brake on bulk repair: when much goes silent at once, that is a network or a deploy and not dying disks, and copying
 * half the mesh would make it worse. A function of what was seen before and what is seen now.
 */
import type { PeerId } from '#mesh/peer-id.ts';
import type { PeerState } from '#mesh/peer-state.ts';

export interface BrakeSettings {
  /** Bulk repair holds when more than this part of the peers went silent within the window. */
  readonly silentRatio: number;
  readonly windowMs: number;
}

export interface BrakeFact {
  readonly peerId: PeerId;
  readonly state: PeerState;
  readonly stateSinceMs?: number;
}

/** Since when each silent peer has been silent. */
export type SilenceMemory = ReadonlyMap<PeerId, number>;

export interface BrakeState {
  readonly held: boolean;
  /** For people; empty where it does not hold. */
  readonly reason: string;
  /** Peers that went silent within the window and are silent still. */
  readonly silentPeers: number;
  /** Peers that count: all but the departed ones and those in maintenance. */
  readonly peers: number;
}

export const brakeReleased: BrakeState = { held: false, reason: '', silentPeers: 0, peers: 0 };

/**
 * A peer that is silent when it is first seen, with no word since when, counts as having gone silent now: a repairer that
 * starts in the middle of an outage holds too.
 */
export function judgeBrake(
  memory: SilenceMemory,
  facts: readonly BrakeFact[],
  nowMs: number,
  settings: BrakeSettings,
): { readonly memory: SilenceMemory; readonly state: BrakeState } {
  const silences = new Map<PeerId, number>();
  let peers = 0;
  let silentPeers = 0;
  for (const fact of facts) {
    if (fact.state === 'departed' || fact.state === 'maintenance') continue;
    peers++;
    if (fact.state !== 'suspect' && fact.state !== 'down') continue;
    const sinceMs = memory.get(fact.peerId) ?? Math.min(nowMs, fact.stateSinceMs ?? nowMs);
    silences.set(fact.peerId, sinceMs);
    if (nowMs - sinceMs < settings.windowMs) silentPeers++;
  }
  const held = peers > 0 && silentPeers / peers > settings.silentRatio;
  return {
    memory: silences,
    state: { held, reason: held ? reasonFor(silentPeers, peers, settings) : '', silentPeers, peers },
  };
}

function reasonFor(silentPeers: number, peers: number, settings: BrakeSettings): string {
  return (
    `${silentPeers} of ${peers} peers went silent within ${Math.round(settings.windowMs / 1000)} s, more than ` +
    `${Math.round(settings.silentRatio * 100)} %: bulk repair holds, critical files are still repaired`
  );
}
