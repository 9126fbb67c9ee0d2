/**
 * Chooses the peers that shares go to. A function of values: the random source only breaks ties.
 *
 * Hard, so that fewer shares are placed rather than broken: most shares a peer, free space, no peer that refused or that
 * holds the number already. Soft, so that it is only preferred: most shares a domain, and shares in proportion to the
 * peers of each domain of every kind.
 */
import { crc32 } from 'node:zlib';
import { type Random, shuffled } from '#mesh/clock.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { Domains } from '#mesh/peer-state.ts';
import type { PlacementField, PlacementPeer } from '#peers/placement-field.ts';

export interface HeldShare {
  readonly shareNumber: number;
  readonly peerId: PeerId;
  /** Domains of that peer, where they are known: what it holds counts in them. */
  readonly domains: Domains;
  /**
   * Whether it uses up one of the shares that its peer may hold. A copy of what another peer holds does not, nor what is known
   * to be corrupt; but its peer cannot take that number anew.
   */
  readonly usesPlace: boolean;
}

/**
 * What is held, with one copy of each number in the place that it uses: the one on the peer that holds the fewest others. The
 * other copies stand in no new share's way.
 *
 * @param shares with `counts` false where a copy is not one to rely on.
 */
export function withPlaces<
  T extends { readonly shareNumber: number; readonly peerId: PeerId; readonly counts: boolean },
>(shares: readonly T[]): (T & { readonly usesPlace: boolean })[] {
  const copies = new Map<number, T[]>();
  for (const share of shares) {
    if (share.counts) copies.set(share.shareNumber, [...(copies.get(share.shareNumber) ?? []), share]);
  }
  const used = new Map<PeerId, number>();
  const kept = new Set<T>();
  // Numbers with the least choice first.
  for (const [, holders] of [...copies].sort(([a, some], [b, more]) => some.length - more.length || a - b)) {
    const best = holders.reduce((a, b) => ((used.get(b.peerId) ?? 0) < (used.get(a.peerId) ?? 0) ? b : a));
    used.set(best.peerId, (used.get(best.peerId) ?? 0) + 1);
    kept.add(best);
  }
  return shares.map((share) => ({ ...share, usesPlace: kept.has(share) }));
}

export interface PlacementLimits {
  readonly maxSharesPerPeer: number;
  readonly maxSharesPerDomain: number;
}

export interface PlacementRequest extends PlacementLimits {
  readonly shareNumbers: readonly number[];
  /** Bytes that one share takes on its peer. */
  readonly shareBytes: number;
  /** Shares of the file that peers hold already. */
  readonly held: readonly HeldShare[];
  /** Peers that are not to be asked. */
  readonly refused: ReadonlySet<PeerId>;
  /**
   * Breaks ties by the same order of peers whoever asks, in place of the random source: a repair that another repairer begins anew
   * then comes to the same targets, and finds there what the first one has written.
   */
  readonly tieBreaker?: string | undefined;
}

export interface ChosenTarget {
  readonly shareNumber: number;
  readonly peerId: PeerId;
  /** The peer takes the share in one exchange, and was asked for nothing yet. */
  readonly whole?: boolean;
}

export interface PlacementChoice {
  readonly targets: readonly ChosenTarget[];
  /** Numbers for which no peer was left. */
  readonly unplaced: readonly number[];
  /** Targets that stand in a domain with more shares than wished. */
  readonly overDomainLimit: number;
}

export function choosePlacement(field: PlacementField, request: PlacementRequest, random: Random): PlacementChoice {
  return new Placing(field, request, random).run();
}

class Placing {
  readonly #field: PlacementField;
  readonly #request: PlacementRequest;
  /** Peers in random order: the first of equals wins. */
  readonly #order: readonly number[];
  readonly #sharesOnPeer: Int32Array;
  /** Of those, the shares that it held before. */
  readonly #heldByPeer: Int32Array;
  readonly #sharesInDomain: Int32Array;
  /** Shares that a domain would hold if the file were spread evenly over the peers. */
  readonly #fairShare: Float64Array;
  readonly #holdersOf = new Map<number, Set<number>>();
  readonly #peerOf = new Map<number, number>();

  constructor(field: PlacementField, request: PlacementRequest, random: Random) {
    this.#field = field;
    this.#request = request;
    this.#sharesOnPeer = new Int32Array(field.peers.length);
    this.#sharesInDomain = new Int32Array(field.domainSizes.length);
    const total = request.held.filter((share) => share.usesPlace).length + request.shareNumbers.length;
    this.#fairShare = Float64Array.from(field.domainSizes, (size) => Math.max(1, (total * size) / field.peers.length));
    for (const share of request.held) this.#count(share);
    this.#heldByPeer = this.#sharesOnPeer.slice();
    const usable = field.peers.flatMap((peer, index) => (request.refused.has(peer.peerId) ? [] : [index]));
    this.#order =
      request.tieBreaker === undefined ? shuffled(usable, random) : ranked(usable, field.peers, request.tieBreaker);
  }

  run(): PlacementChoice {
    const late: number[] = [];
    for (const shareNumber of this.#request.shareNumbers) {
      const peer = this.#best(shareNumber);
      if (peer === undefined) late.push(shareNumber);
      else this.#assign(shareNumber, peer);
    }
    const unplaced = this.#makeWay(late);
    const targets = this.#request.shareNumbers.flatMap((shareNumber) => {
      const peer = this.#peerOf.get(shareNumber);
      return peer === undefined ? [] : [{ shareNumber, peerId: (this.#field.peers[peer] as PlacementPeer).peerId }];
    });
    return { targets, unplaced, overDomainLimit: this.#countOverLimit() };
  }

  #count(share: HeldShare): void {
    const index = this.#field.indexOf.get(share.peerId);
    if (index !== undefined) {
      if (share.usesPlace) this.#bump(this.#sharesOnPeer, index, 1);
      const holders = this.#holdersOf.get(share.shareNumber) ?? new Set();
      this.#holdersOf.set(share.shareNumber, holders.add(index));
    }
    if (!share.usesPlace) return;
    for (const domain of this.#field.numbersOf(share.domains)) this.#bump(this.#sharesInDomain, domain, 1);
  }

  #best(shareNumber: number): number | undefined {
    let best: number | undefined;
    let bestOver = Infinity;
    let bestLoad = Infinity;
    for (const peer of this.#order) {
      if (!this.#hasRoom(peer) || !this.#mayHold(peer, shareNumber)) continue;
      let over = 0;
      // Shares that the peer holds weigh most: a second share on a peer helps recovery and fails with the first.
      let load = (this.#sharesOnPeer[peer] as number) * 1000;
      for (const domain of this.#domainsOf(peer)) {
        const shares = (this.#sharesInDomain[domain] as number) + 1;
        if (shares > this.#request.maxSharesPerDomain) over++;
        load += shares / (this.#fairShare[domain] as number);
      }
      if (over < bestOver || (over === bestOver && load < bestLoad)) [best, bestOver, bestLoad] = [peer, over, load];
    }
    return best;
  }

  /**
   * For shares that found no free peer: lets shares placed before move on to other peers, along alternating paths, so that
   * as many as possible find a place. Peers that a failed search has seen lead nowhere for later shares either.
   */
  #makeWay(shareNumbers: readonly number[]): number[] {
    let deadEnds = new Set<number>();
    return shareNumbers.filter((shareNumber) => {
      const visited = new Set(deadEnds);
      if (this.#push(shareNumber, visited)) return false;
      deadEnds = visited;
      return true;
    });
  }

  #push(shareNumber: number, visited: Set<number>): boolean {
    for (const peer of this.#order) {
      if (visited.has(peer) || !this.#mayHold(peer, shareNumber)) continue;
      if (this.#hasRoom(peer)) {
        this.#assign(shareNumber, peer);
        return true;
      }
      visited.add(peer);
      for (const [other, holder] of this.#peerOf) {
        if (holder !== peer) continue;
        if (!this.#push(other, visited)) continue;
        // `other` has moved on and left its place behind.
        this.#assign(shareNumber, peer);
        return true;
      }
    }
    return false;
  }

  #assign(shareNumber: number, peer: number): void {
    const before = this.#peerOf.get(shareNumber);
    if (before !== undefined) this.#shift(before, -1);
    this.#peerOf.set(shareNumber, peer);
    this.#shift(peer, 1);
  }

  #shift(peer: number, by: 1 | -1): void {
    this.#bump(this.#sharesOnPeer, peer, by);
    for (const domain of this.#domainsOf(peer)) this.#bump(this.#sharesInDomain, domain, by);
  }

  #bump(counts: Int32Array, at: number, by: 1 | -1): void {
    counts[at] = (counts[at] as number) + by;
  }

  #mayHold(peer: number, shareNumber: number): boolean {
    return this.#holdersOf.get(shareNumber)?.has(peer) !== true;
  }

  #hasRoom(peer: number): boolean {
    const shares = this.#sharesOnPeer[peer] as number;
    if (shares >= this.#request.maxSharesPerPeer) return false;
    const placed = shares - (this.#heldByPeer[peer] as number);
    return (this.#field.peers[peer] as PlacementPeer).freeBytes >= (placed + 1) * this.#request.shareBytes;
  }

  #domainsOf(peer: number): readonly number[] {
    return this.#field.domainsOfPeer[peer] as readonly number[];
  }

  #countOverLimit(): number {
    let count = 0;
    for (const peer of this.#peerOf.values()) {
      if (
        this.#domainsOf(peer).some(
          (domain) => (this.#sharesInDomain[domain] as number) > this.#request.maxSharesPerDomain,
        )
      )
        count++;
    }
    return count;
  }
}

/** Rendezvous order: a peer that comes or goes moves no other one. */
function ranked(usable: readonly number[], peers: readonly PlacementPeer[], key: string): readonly number[] {
  const seed = crc32(key);
  const ranks = new Map(usable.map((index) => [index, mixed(crc32((peers[index] as PlacementPeer).peerId) ^ seed)]));
  return usable.toSorted((a, b) => (ranks.get(a) as number) - (ranks.get(b) as number));
}

/** Every bit of the result depends on all of the input (the finalizer of MurmurHash3). */
function mixed(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
