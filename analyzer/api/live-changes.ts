/**
 * State that viewers follow, kept so that each is sent only what has changed since it was sent something last. Every change has a number;
 * a viewer is at a number. What a slow viewer missed is not queued: it gets the newest of everything that changed meanwhile.
 */

interface Numbered<T> {
  readonly value: T;
  readonly number: number;
}

export class LiveChanges {
  #number = 0;
  /** By name: sections that are sent whole, as JSON. */
  readonly #sections = new Map<string, Numbered<string>>();
  /** By name: tables of which rows are sent, each by its key; null for a row that is no more, as a slow viewer must still be told. */
  readonly #tables = new Map<string, Map<string, Numbered<string | null>>>();
  /** By name: lists that only grow at their end, and are cut at their beginning. */
  readonly #lists = new Map<string, Numbered<string>[]>();

  /** The newest change. */
  get number(): number {
    return this.#number;
  }

  set(section: string, value: unknown): void {
    const text = JSON.stringify(value);
    if (this.#sections.get(section)?.value !== text)
      this.#sections.set(section, { value: text, number: ++this.#number });
  }

  /** @param rows all of them, by key. */
  setRows(table: string, rows: ReadonlyMap<string, unknown>): void {
    const known = this.#tables.get(table) ?? new Map<string, Numbered<string | null>>();
    this.#tables.set(table, known);
    for (const [key, row] of rows) {
      const text = JSON.stringify(row);
      if (known.get(key)?.value !== text) known.set(key, { value: text, number: ++this.#number });
    }
    for (const [key, { value }] of known)
      if (value !== null && !rows.has(key)) known.set(key, { value: null, number: ++this.#number });
  }

  /** @param most entries that are kept. */
  append(list: string, entries: readonly unknown[], most: number): void {
    const known = this.#lists.get(list) ?? [];
    this.#lists.set(list, known);
    for (const entry of entries) known.push({ value: JSON.stringify(entry), number: ++this.#number });
    known.splice(0, Math.max(0, known.length - most));
  }

  /** As JSON: what has changed after this number, or null where nothing has. A viewer that is new asks with 0. */
  since(number: number): string | null {
    const parts: string[] = [];
    for (const [name, { value, number: changed }] of this.#sections)
      if (changed > number) parts.push(`${JSON.stringify(name)}:${value}`);
    for (const [name, rows] of this.#tables) {
      const changed = [...rows].filter(([, row]) => row.number > number && (number > 0 || row.value !== null));
      if (changed.length === 0) continue;
      const texts = changed.map(([key, { value }]) => `${JSON.stringify(key)}:${value ?? 'null'}`);
      parts.push(`${JSON.stringify(name)}:{${texts.join(',')}}`);
    }
    for (const [name, entries] of this.#lists) {
      const added = entries.filter((entry) => entry.number > number);
      if (added.length > 0) parts.push(`${JSON.stringify(name)}:[${added.map(({ value }) => value).join(',')}]`);
    }
    return parts.length === 0 ? null : `{${parts.join(',')}}`;
  }
}
