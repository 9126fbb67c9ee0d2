/**
 * The brake on bulk repair: when much goes silent at once, that is a network or a deploy and not dying disks, and copying
 * half the mesh would make it worse. A function of what is held of the peers: silences are dated by the log, so that a repairer
 * that starts anew comes to the same judgement.
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
  /** Log time since it was heard. One that is not known counts as silent since just now. */
  readonly silenceMs?: number;
}

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

export function judgeBrake(facts: readonly BrakeFact[], settings: BrakeSettings): BrakeState {
  let peers = 0;
  let silentPeers = 0;
  for (const { state, silenceMs = 0 } of facts) {
    if (state === 'departed' || state === 'maintenance') continue;
    peers++;
    if ((state === 'suspect' || state === 'down') && silenceMs < settings.windowMs) silentPeers++;
  }
  const held = peers > 0 && silentPeers / peers > settings.silentRatio;
  return { held, reason: held ? reasonFor(silentPeers, peers, settings) : '', silentPeers, peers };
}

function reasonFor(silentPeers: number, peers: number, settings: BrakeSettings): string {
  return (
    `${silentPeers} of ${peers} peers went silent within ${Math.round(settings.windowMs / 1000)} s, more than ` +
    `${Math.round(settings.silentRatio * 100)} %: bulk repair holds, critical files are still repaired`
  );
}
