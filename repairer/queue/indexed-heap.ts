/** A binary heap whose items know their place, so that any of them can be taken out in logarithmic time. */
export class IndexedHeap<Item extends Record<Slot, number>, Slot extends string> {
  readonly #items: Item[] = [];
  readonly #compare: (a: Item, b: Item) => number;
  readonly #slot: Slot;

  /**
   * @param compare negative where `a` comes out before `b`.
   * @param slot the property of an item that keeps its place; −1 where it is not in this heap.
   */
  constructor(compare: (a: Item, b: Item) => number, slot: Slot) {
    this.#compare = compare;
    this.#slot = slot;
  }

  get size(): number {
    return this.#items.length;
  }

  peek(): Item | undefined {
    return this.#items[0];
  }

  /** In no particular order. */
  values(): IterableIterator<Item> {
    return this.#items.values();
  }

  push(item: Item): void {
    this.#place(item, this.#items.length);
    this.#rise(this.#items.length - 1);
  }

  pop(): Item | undefined {
    const first = this.#items[0];
    if (first !== undefined) this.remove(first);
    return first;
  }

  remove(item: Item): void {
    const at = item[this.#slot];
    if (at < 0) return;
    const last = this.#items.pop() as Item;
    this.#setSlot(item, -1);
    if (last === item) return;
    this.#place(last, at);
    this.#rise(at);
    this.#sink(last[this.#slot]);
  }

  #rise(from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#compare(this.#items[at] as Item, this.#items[parent] as Item) >= 0) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(from: number): void {
    let at = from;
    for (;;) {
      let first = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        const item = this.#items[child];
        if (item !== undefined && this.#compare(item, this.#items[first] as Item) < 0) first = child;
      }
      if (first === at) return;
      this.#swap(at, first);
      at = first;
    }
  }

  #swap(a: number, b: number): void {
    const item = this.#items[a] as Item;
    this.#place(this.#items[b] as Item, a);
    this.#place(item, b);
  }

  #place(item: Item, at: number): void {
    this.#items[at] = item;
    this.#setSlot(item, at);
  }

  #setSlot(item: Item, at: number): void {
    (item as Record<Slot, number>)[this.#slot] = at;
  }
}
