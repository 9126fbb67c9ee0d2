import type { PeerId } from '#mesh/peer-id.ts';
import { type Domains, isAvailableState, isCountedState, isRetainedState, type PeerState } from '#mesh/peer-state.ts';

/**
 * The peers that share maps speak of, by small numbers. One table serves every partition of an analyzer.
 * Growing only: a number once given stays with its peer.
 */
export class PeerTable {
  readonly #numbers = new Map<PeerId, number>();
  readonly #rows: PeerRow[] = [];
  /** Grows with every change of a state or domain: what was computed from an older table is out of date. */
  revision = 0;

  /** The number of a peer; a peer not seen before is `down` until its own events say otherwise. */
  numberOf(peer: PeerId): number {
    const known = this.#numbers.get(peer);
    if (known !== undefined) return known;
    const number = this.#rows.length;
    this.#numbers.set(peer, number);
    this.#rows.push(rowOf(peer, 'down', {}));
    return number;
  }

  find(peer: PeerId): number | undefined {
    return this.#numbers.get(peer);
  }

  row(number: number): PeerRow {
    const row = this.#rows[number];
    if (row === undefined) throw new RangeError(`no peer has number ${number}`);
    return row;
  }

  get count(): number {
    return this.#rows.length;
  }

  rows(): readonly PeerRow[] {
    return this.#rows;
  }

  /** @returns whether anything changed. */
  setState(peer: PeerId, state: PeerState): boolean {
    const number = this.numberOf(peer);
    const row = this.row(number);
    if (row.state === state) return false;
    this.#rows[number] = rowOf(peer, state, row.domains);
    this.revision++;
    return true;
  }

  setDomains(peer: PeerId, domains: Domains): boolean {
    const number = this.numberOf(peer);
    const row = this.row(number);
    const names = new Set([...Object.keys(row.domains), ...Object.keys(domains)]);
    if ([...names].every((name) => row.domains[name] === domains[name])) return false;
    this.#rows[number] = rowOf(peer, row.state, domains);
    this.revision++;
    return true;
  }
}

export interface PeerRow {
  readonly peer: PeerId;
  readonly state: PeerState;
  readonly domains: Domains;
  readonly available: boolean;
  readonly counted: boolean;
  readonly retained: boolean;
}

function rowOf(peer: PeerId, state: PeerState, domains: Domains): PeerRow {
  return {
    peer,
    state,
    domains,
    available: isAvailableState(state),
    counted: isCountedState(state),
    retained: isRetainedState(state),
  };
}
