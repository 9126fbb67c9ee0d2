/**
 * The order in which Tahoe-LAFS writes the entries of a share hash chain: the iteration order of a CPython set of
 * node numbers (FORMAT section 6). Readers accept any order; byte-identical shares need the same one.
 */

/** Which interpreter's set the order comes from. Python 3.6 to 3.13 agree; 2.7 differs. */
export type ChainOrderRule = 'python3' | 'python2';

/** Leaves of the share hash tree once padded: the smallest power of two that holds `n`. */
export function paddedLeafCount(leafCount: number): number {
  let padded = 1;
  while (padded < leafCount) padded *= 2;
  return padded;
}

/** Siblings of the leaf's path to the root, from the leaf upwards; empty where the tree is one node. */
export function chainSiblings(n: number, shareNumber: number): number[] {
  const siblings: number[] = [];
  for (let node = paddedLeafCount(n) - 1 + shareNumber; node > 0; node = (node - 1) >> 1) {
    siblings.push(((node - 1) ^ 1) + 1);
  }
  return siblings;
}

/** Node numbers of the chain of `shareNumber` in a file of `n` shares, in the order that `rule` writes them. */
export function chainOrder(n: number, shareNumber: number, rule: ChainOrderRule): number[] {
  const table = new SetTable(rule);
  for (const sibling of chainSiblings(n, shareNumber)) table.add(sibling);
  table.add(paddedLeafCount(n) - 1 + shareNumber);
  return table.keys();
}

/** The rule that reproduces the order of most of `chains`; Python 3 where they do not tell (and for ties). */
export function detectChainOrderRule(
  n: number,
  chains: Iterable<{ readonly shareNumber: number; readonly order: readonly number[] }>,
): ChainOrderRule {
  let python3 = 0;
  let python2 = 0;
  for (const { shareNumber, order } of chains) {
    const isPython3 = sameOrder(order, chainOrder(n, shareNumber, 'python3'));
    const isPython2 = sameOrder(order, chainOrder(n, shareNumber, 'python2'));
    if (isPython3 && !isPython2) python3++;
    if (isPython2 && !isPython3) python2++;
  }
  return python2 > python3 ? 'python2' : 'python3';
}

function sameOrder(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((node, i) => node === b[i]);
}

const emptySlot = -1;
const linearProbes = 9;

/** An open-addressed hash set of small non-negative integers (which hash to themselves), as CPython's set. */
class SetTable {
  readonly #rule: ChainOrderRule;
  #slots: Int32Array = new Int32Array(8).fill(emptySlot);
  #fill = 0;

  constructor(rule: ChainOrderRule) {
    this.#rule = rule;
  }

  add(key: number): void {
    this.#insert(key);
    this.#fill++;
    const size = this.#slots.length;
    const isFull = this.#rule === 'python3' ? this.#fill * 5 >= (size - 1) * 3 : this.#fill * 3 >= size * 2;
    if (isFull) this.#grow();
  }

  keys(): number[] {
    return [...this.#slots].filter((key) => key !== emptySlot);
  }

  #grow(): void {
    const keys = this.keys();
    let size = 8;
    while (size <= this.#fill * 4) size *= 2;
    this.#slots = new Int32Array(size).fill(emptySlot);
    for (const key of keys) this.#insert(key);
  }

  #insert(key: number): void {
    this.#slots[this.#rule === 'python3' ? this.#freeSlotPython3(key) : this.#freeSlotPython2(key)] = key;
  }

  #freeSlotPython3(key: number): number {
    const mask = this.#slots.length - 1;
    let perturb = key;
    for (let i = key & mask; ; i = (5 * i + 1 + perturb) & mask) {
      const last = i + linearProbes <= mask ? i + linearProbes : i;
      for (let slot = i; slot <= last; slot++) {
        if (this.#slots[slot] === emptySlot) return slot;
      }
      perturb >>= 5;
    }
  }

  #freeSlotPython2(key: number): number {
    const mask = this.#slots.length - 1;
    let perturb = key;
    // Only the low bits of i choose a slot, so masking it keeps the sequence and stays clear of overflow.
    for (let i = key & mask; ; i = (5 * i + perturb + 1) & mask, perturb >>= 5) {
      if (this.#slots[i] === emptySlot) return i;
    }
  }
}
