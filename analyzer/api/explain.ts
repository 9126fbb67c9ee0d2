/** Why a share counts or not, and why a file is being repaired or not: in words, out of what the analyzer and the repairers say. */
import type { PeerId } from '#mesh/peer-id.ts';
import { type PeerState } from '#mesh/peer-state.ts';
import { needsRepair } from '#mesh/share-counts.ts';
import type { PeerFacts } from '#peers/liveness/peer-register.ts';
import type { FileAnswer } from '../files/file-answer.ts';
import type { PlacementView } from '../files/share-map/share-map.ts';
import { toFileAnswer } from './answers.ts';
import type { RunningRepairs } from './running-repairs.ts';
import type { FileDetailAnswer, repairStates } from './schemas.ts';

type RepairState = (typeof repairStates)[number];

export interface RepairVerdict {
  readonly repairState: RepairState;
  readonly repairWhy: string;
}

export function toFileDetail(
  answer: FileAnswer,
  peerOf: (peer: PeerId) => PeerFacts | undefined,
  repairs: RunningRepairs,
): FileDetailAnswer {
  const { manifest } = answer.health;
  const placements = [...answer.placements].sort((a, b) => a.shareNumber - b.shareNumber);
  const held = new Set(placements.map(({ shareNumber }) => shareNumber));
  const firstAvailable = new Map<number, PlacementView>();
  for (const each of placements)
    if (each.available && !firstAvailable.has(each.shareNumber)) firstAvailable.set(each.shareNumber, each);
  return {
    ...toFileAnswer(answer),
    placements: placements.map((placement) => {
      const facts = peerOf(placement.peer);
      const first = firstAvailable.get(placement.shareNumber);
      const copyOn = placement.available && first !== undefined && first !== placement ? first.peer : null;
      return {
        shareNumber: placement.shareNumber,
        peerId: placement.peer,
        peerName: nameOf(facts, placement.peer),
        peerState: facts?.state ?? 'down',
        available: placement.available,
        corrupt: placement.corrupt,
        counted: placement.counted,
        domains: { ...facts?.domains },
        silenceMs: silenceOf(facts),
        verifiedRatio: verifiedOf(facts),
        why: whyShare(placement, facts, copyOn === null ? null : nameOf(peerOf(copyOn), copyOn)),
      };
    }),
    unheldShares: Array.from({ length: manifest.n }, (_, number) => number).filter((number) => !held.has(number)),
    ...verdictOf(answer, repairs),
  };
}

function nameOf(facts: PeerFacts | undefined, peer: PeerId): string {
  return facts?.name ?? peer.slice(0, 8);
}

function silenceOf(facts: PeerFacts | undefined): number | null {
  const silenceMs = facts?.silenceMs ?? null;
  return silenceMs === null ? null : Math.max(0, Math.round(silenceMs));
}

function verifiedOf(facts: PeerFacts | undefined): number | null {
  const vitals = facts?.life.vitals ?? null;
  return vitals === null || vitals.sharesHeld === 0 ? null : Math.min(1, vitals.sharesVerified / vitals.sharesHeld);
}

/** @param copyOn the peer whose copy of the same share number counts instead. */
export function whyShare(
  { corrupt, available, counted }: Pick<PlacementView, 'corrupt' | 'available' | 'counted'>,
  facts: Pick<PeerFacts, 'state' | 'unreachableMs' | 'revoked'> | undefined,
  copyOn: string | null,
): string {
  if (corrupt) return 'does not count: it was found damaged';
  if (facts === undefined) return 'does not count: nothing is known of its peer';
  if (copyOn !== null) return `a copy: the one on ${copyOn} counts`;
  if (available) {
    return counted
      ? whyAvailable(facts.state)
      : 'counts for a recovery now; its peer is draining, so repair replaces it';
  }
  if (facts.revoked) return 'does not count: its peer is revoked';
  if (facts.unreachableMs !== null) return 'does not count now: its peer is heard, and readers cannot reach it';
  return counted ? whyInGrace(facts.state) : whyAway(facts.state);
}

function whyAvailable(state: PeerState): string {
  return state === 'draining' ? 'counts: its peer drains, and still serves it' : 'counts: its peer is up';
}

function whyInGrace(state: PeerState): string {
  return state === 'maintenance'
    ? 'not available: its peer is in maintenance, so repair waits for it'
    : 'not available: its peer is silent and within its grace, so repair waits for it';
}

function whyAway(state: PeerState): string {
  return state === 'departed' ? 'gone: its peer has departed' : `does not count: its peer is ${state} beyond its grace`;
}

/** What repair does about the file now, and why. */
export function verdictOf(answer: FileAnswer, repairs: RunningRepairs): RepairVerdict {
  const { health, listed, freshness } = answer;
  const { policy, counted, available, manifest } = health;
  const threshold = `${counted} shares are counted, and it is repaired below ${policy.repairBelow}`;
  const verdict = (repairState: RepairState, repairWhy: string): RepairVerdict => ({ repairState, repairWhy });
  const running = repairs.running.find(({ storageIndex }) => storageIndex === manifest.storageIndex);
  if (running !== undefined) {
    const shares = running.shares === 1 ? '1 share' : `${running.shares} shares`;
    return verdict('running', `${shares} are being regenerated: ${Math.round(running.progress * 100)} % is done`);
  }
  if (health.settling) return verdict('settling', 'it is new, and its shares are still being reported');
  if (!needsRepair(counted, policy)) return verdict('not-needed', `${threshold}: not yet`);
  if (available < manifest.k) {
    const missing = manifest.k - available;
    return verdict(
      'impossible',
      `${missing} more ${missing === 1 ? 'share is' : 'shares are'} needed to rebuild any: it waits for peers to come back`,
    );
  }
  if (freshness.state === 'stale' && !listed)
    return verdict('held', 'health is stale: nothing new is repaired until it is fresh');
  const failing = repairs.failing.get(manifest.storageIndex);
  if (failing !== undefined) {
    const tries = failing.tries === 1 ? 'one try' : `${failing.tries} tries`;
    return verdict('retrying', `${tries} did not end well: ${failing.errorMessage}`);
  }
  if (repairs.repairers === 0) return verdict('held', `${threshold}; no repairer answers`);
  if (repairs.brake !== null && health.grade !== 'critical')
    return verdict('held', `bulk repair holds: ${repairs.brake}; critical files go on`);
  return verdict('waiting', `${threshold}: it waits for its turn`);
}
