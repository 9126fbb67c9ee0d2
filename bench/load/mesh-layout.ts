/** Files whose shares lie on peers in turn: known to every process of a measurement without being sent around. */
import { storageIndexBytes } from '#mesh/storage-index.ts';

export interface MeshLayout {
  readonly files: number;
  readonly k: number;
  readonly n: number;
  readonly peers: number;
}

export interface HeldShare {
  readonly file: number;
  readonly shareNumber: number;
}

/** Spread evenly, and the same in every process. */
export function storageIndexOf(file: number): Uint8Array {
  const words = new Uint32Array(storageIndexBytes / 4);
  for (let i = 0; i < words.length; i++) words[i] = mixed(file * words.length + i + 1);
  return new Uint8Array(words.buffer);
}

export function holderOf(layout: MeshLayout, file: number, shareNumber: number): number {
  return (file + shareNumber) % layout.peers;
}

/** The shares of files `from … to − 1` on a peer, file by file. Needs n ≤ peers: no peer holds two shares of a file. */
export function* sharesOn(layout: MeshLayout, peer: number, from: number, to: number): Iterable<HeldShare> {
  for (let file = from; file < to; file++) {
    const shareNumber = (((peer - file) % layout.peers) + layout.peers) % layout.peers;
    if (shareNumber < layout.n) yield { file, shareNumber };
  }
}

/** Every share on a peer, number by number: what a mesh of very many peers can afford to ask. Needs n ≤ peers. */
export function* sharesHeldBy(layout: MeshLayout, peer: number): Iterable<HeldShare> {
  for (let shareNumber = 0; shareNumber < layout.n; shareNumber++) {
    const first = (((peer - shareNumber) % layout.peers) + layout.peers) % layout.peers;
    for (let file = first; file < layout.files; file += layout.peers) yield { file, shareNumber };
  }
}

/** The finalizer of MurmurHash3: every bit of the number reaches every bit of the result. */
function mixed(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
