/** Finds the number of a peer by the 32 bytes of its id, with no string for each look: columns out of the store name peers so. */
import { peerIdBytes } from '#mesh/peer-id.ts';

const wordsPerId = peerIdBytes / 4;

export class PeerIdIndex {
  #ids = new Uint32Array(64 * wordsPerId);
  /** Open addressing: the number plus one, or 0. At least twice as large as what is in it. */
  #slots = new Uint32Array(128);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** 32 bytes for each number, in order. Valid until the next peer is added. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.#ids.buffer, 0, this.#count * peerIdBytes);
  }

  /** Gives the id the next number. It must not be known yet. */
  add(id: Uint8Array): void {
    if ((this.#count + 1) * wordsPerId > this.#ids.length) {
      const ids = new Uint32Array(this.#ids.length * 2);
      ids.set(this.#ids);
      this.#ids = ids;
    }
    new Uint8Array(this.#ids.buffer).set(id, this.#count * peerIdBytes);
    this.#count++;
    if (this.#count * 2 > this.#slots.length) this.#rehash();
    else this.#enter(this.#count - 1);
  }

  /** @param ids words of 32-byte ids. @returns undefined where it is not known. */
  find(ids: Uint32Array, at: number): number | undefined {
    const first = at * wordsPerId;
    const mask = this.#slots.length - 1;
    for (let slot = slotOf(ids, first) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot] as number;
      if (entry === 0) return undefined;
      if (this.#isSame((entry - 1) * wordsPerId, ids, first)) return entry - 1;
    }
  }

  #isSame(known: number, ids: Uint32Array, first: number): boolean {
    for (let word = 0; word < wordsPerId; word++) if (this.#ids[known + word] !== ids[first + word]) return false;
    return true;
  }

  #rehash(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let number = 0; number < this.#count; number++) this.#enter(number);
  }

  #enter(number: number): void {
    const mask = this.#slots.length - 1;
    let slot = slotOf(this.#ids, number * wordsPerId) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = number + 1;
  }
}

/** Ids are SHA-256 digests: their words are as good as any hash. */
function slotOf(words: Uint32Array, first: number): number {
  return ((words[first] as number) ^ Math.imul(words[first + 3] as number, 0x9e3779b1)) >>> 0;
}
