/** Failure domains whose peers have gone silent together. */
import type { PeerState } from '#mesh/peer-state.ts';

export interface AlertPeer {
  readonly state: PeerState;
  readonly domains: Readonly<Record<string, string>>;
  /** Null for a peer that was never heard: it has not gone, it has not come yet. */
  readonly silenceMs: number | null;
}

/** A peer of which readers told. */
export interface ReadPeer extends AlertPeer {
  readonly name: string;
  /** Since when its shares cannot be reached, though it is heard. */
  readonly unreachableMs: number | null;
  readonly claims: { readonly held: number; readonly failed: number };
}

export interface SilentDomain {
  /** Kind and name, such as `zone eu-1a`. */
  readonly label: string;
  readonly peers: number;
  /** Peers that are suspect or down. */
  readonly silent: number;
  readonly down: number;
}

/** Where two kinds of domain hold the same peers, the cause is told by the first of these. */
const kindOrder = ['zone', 'region', 'rack', 'network', 'operator'];

/**
 * Domains of at least two peers of which at least `ratio` are silent. One that lies within another is left out: when a
 * zone goes, its racks are no news. Peers that were never heard or are departed do not count.
 */
export function silentDomains(peers: readonly AlertPeer[], ratio: number): readonly SilentDomain[] {
  const members = new Map<string, Set<AlertPeer>>();
  for (const peer of peers) {
    if (peer.state === 'departed' || peer.silenceMs === null) continue;
    for (const [kind, domain] of Object.entries(peer.domains)) {
      const label = `${kind} ${domain}`;
      const known = members.get(label);
      if (known === undefined) members.set(label, new Set([peer]));
      else known.add(peer);
    }
  }
  const silent = [...members].filter(([, of]) => of.size > 1 && countIn(of, 'suspect', 'down') / of.size >= ratio);
  silent.sort(([a, ofA], [b, ofB]) => ofB.size - ofA.size || rankOf(a) - rankOf(b) || (a < b ? -1 : 1));
  const widest: [string, ReadonlySet<AlertPeer>][] = [];
  for (const [label, of] of silent) {
    if (!widest.some(([, wider]) => isWithin(of, wider))) widest.push([label, of]);
  }
  return widest.map(([label, of]) => {
    return { label, peers: of.size, silent: countIn(of, 'suspect', 'down'), down: countIn(of, 'down') };
  });
}

function isWithin(inner: ReadonlySet<AlertPeer>, outer: ReadonlySet<AlertPeer>): boolean {
  for (const peer of inner) if (!outer.has(peer)) return false;
  return true;
}

function countIn(peers: ReadonlySet<AlertPeer>, ...states: readonly AlertPeer['state'][]): number {
  let count = 0;
  for (const { state } of peers) if (states.includes(state)) count++;
  return count;
}

function rankOf(label: string): number {
  const rank = kindOrder.indexOf(label.slice(0, label.indexOf(' ')));
  return rank === -1 ? kindOrder.length : rank;
}
