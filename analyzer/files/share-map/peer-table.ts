import { type PeerId, peerIdBytes, peerIdFromBytes, peerIdToBytes } from '#mesh/peer-id.ts';
import { type Domains, isAvailableState, isCountedState, isRetainedState, type PeerState } from '#mesh/peer-state.ts';
import { fullConfidence } from '#native/share-map.ts';
import { PeerIdIndex } from './peer-id-index.ts';

/**
 * The peers that share maps speak of, by small numbers. One table serves every partition of an analyzer.
 * Growing only: a number once given stays with its peer.
 */
export class PeerTable {
  readonly #numbers = new Map<PeerId, number>();
  readonly #rows: TablePeer[] = [];
  readonly #ids = new PeerIdIndex();
  /** Grows with every change of a state or domain: what was computed from an older table is out of date. */
  revision = 0;

  /** The number of a peer; a peer not seen before is `down` until its own events say otherwise. */
  numberOf(peer: PeerId): number {
    const known = this.#numbers.get(peer);
    if (known !== undefined) return known;
    const number = this.#rows.length;
    this.#numbers.set(peer, number);
    this.#ids.add(peerIdToBytes(peer));
    this.#rows.push(rowOf(peer, 'down', {}, fullConfidence));
    return number;
  }

  /** Numbers of peers by their ids, 32 bytes each, as `numberOf` gives them. */
  numbersOf(ids: Uint8Array): Uint32Array {
    const words = new Uint32Array(ids.slice().buffer);
    return Uint32Array.from(
      { length: ids.length / peerIdBytes },
      (_, i) =>
        this.#ids.find(words, i) ??
        this.numberOf(peerIdFromBytes(ids.subarray(i * peerIdBytes, (i + 1) * peerIdBytes))),
    );
  }

  /** The ids of all peers in the order of their numbers, 32 bytes each. Valid until a peer is added. */
  get idBytes(): Uint8Array {
    return this.#ids.bytes;
  }

  find(peer: PeerId): number | undefined {
    return this.#numbers.get(peer);
  }

  row(number: number): TablePeer {
    const row = this.#rows[number];
    if (row === undefined) throw new RangeError(`no peer has number ${number}`);
    return row;
  }

  get count(): number {
    return this.#rows.length;
  }

  rows(): readonly TablePeer[] {
    return this.#rows;
  }

  /** @returns whether anything changed. */
  setState(peer: PeerId, state: PeerState): boolean {
    const number = this.numberOf(peer);
    const row = this.row(number);
    if (row.state === state) return false;
    this.#rows[number] = rowOf(peer, state, row.domains, row.confidence);
    this.revision++;
    return true;
  }

  /**
   * How far the peer's word is believed, for the shares that may be expected of it; wholly until somebody says otherwise.
   * @param confidence whole thousandths, 0 to `fullConfidence`
   * @throws RangeError
   * @returns whether anything changed
   */
  setConfidence(peer: PeerId, confidence: number): boolean {
    if (!Number.isInteger(confidence) || confidence < 0 || confidence > fullConfidence) {
      throw new RangeError(
        `a confidence is a whole number of thousandths from 0 to ${fullConfidence}, not ${confidence}`,
      );
    }
    const number = this.numberOf(peer);
    const row = this.row(number);
    if (row.confidence === confidence) return false;
    this.#rows[number] = { ...row, confidence };
    this.revision++;
    return true;
  }

  setDomains(peer: PeerId, domains: Domains): boolean {
    const number = this.numberOf(peer);
    const row = this.row(number);
    const names = new Set([...Object.keys(row.domains), ...Object.keys(domains)]);
    if ([...names].every((name) => row.domains[name] === domains[name])) return false;
    this.#rows[number] = rowOf(peer, row.state, domains, row.confidence);
    this.revision++;
    return true;
  }
}

export interface TablePeer {
  readonly peer: PeerId;
  readonly state: PeerState;
  readonly domains: Domains;
  /** Thousandths. */
  readonly confidence: number;
  readonly available: boolean;
  readonly counted: boolean;
  readonly retained: boolean;
}

function rowOf(peer: PeerId, state: PeerState, domains: Domains, confidence: number): TablePeer {
  return {
    peer,
    state,
    domains,
    confidence,
    available: isAvailableState(state),
    counted: isCountedState(state),
    retained: isRetainedState(state),
  };
}
