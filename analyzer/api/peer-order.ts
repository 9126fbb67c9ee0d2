/** Peers as people read a list: by name, numbers in it as numbers. Names change seldom, so they are sorted again only then. */
import type { PeerId } from '#mesh/peer-id.ts';

interface Named {
  readonly peer: PeerId;
  readonly name: string;
}

const collator = new Intl.Collator('en', { numeric: true });

export class PeerOrder {
  #names = new Map<PeerId, string>();
  #ranks = new Map<PeerId, number>();
  /** How often names were sorted. */
  sorted = 0;

  /** A new array. @param peers all that are known. */
  sort<P extends Named>(peers: readonly P[]): P[] {
    if (peers.length !== this.#names.size || peers.some(({ peer, name }) => this.#names.get(peer) !== name)) {
      this.sorted++;
      const ordered = [...peers].sort((a, b) => collator.compare(a.name, b.name));
      this.#names = new Map(ordered.map(({ peer, name }) => [peer, name]));
      this.#ranks = new Map(ordered.map(({ peer }, rank) => [peer, rank]));
      return ordered;
    }
    const ordered: P[] = [];
    for (const each of peers) ordered[this.#ranks.get(each.peer) as number] = each;
    return ordered;
  }
}
